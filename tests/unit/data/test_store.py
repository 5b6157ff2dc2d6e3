"""The lake: opened by any number of processes, written to by one at a time, read as it was at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT
from support.store_builder import World

from data.lake import migrations
from data.lake.connection import StoreError
from data.lake.store import SnapshotNotFoundError, Store
from data.settings import Settings

pytestmark = pytest.mark.usual_plans


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = World.at(tmp_path).store
    yield store
    store.close()


def insert(store: Store, release: str) -> None:
    sql = "INSERT INTO releases VALUES (?, true, now()::TIMESTAMP)"
    store.transact("me", f"adds {release}", lambda cursor: cursor.execute(sql, [release]))


def releases(store: Store) -> list[str]:
    return [row["release"] for row in store.rows("SELECT release FROM releases ORDER BY 1")]


def test_opened_again_it_is_as_it_was(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = Store.open(settings)
    insert(first, "7.0")
    first.close()
    second = Store.open(settings)
    try:
        assert releases(second) == ["7.0"]
        assert migrations.applied(second.cursor()) == {number for number, _ in migrations.available()}
    finally:
        second.close()


def test_a_write_carries_its_author_and_message(store: Store) -> None:
    insert(store, "7.0")
    (row,) = store.rows("SELECT author, commit_message FROM lake.snapshots() ORDER BY snapshot_id DESC LIMIT 1")
    assert row == {"author": "me", "commit_message": "adds 7.0"}


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    before = store.snapshot()

    def work(cursor) -> None:
        cursor.execute("INSERT INTO releases VALUES ('7.0', true, now()::TIMESTAMP)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.transact("me", "fails", work)
    assert releases(store) == [] and store.snapshot() == before
    insert(store, "7.1")
    assert releases(store) == ["7.1"]


def test_the_lake_as_it_was(store: Store) -> None:
    insert(store, "7.0")
    then = store.snapshot()
    insert(store, "7.1")
    earlier = store.at(then.id)
    assert (releases(earlier), releases(store)) == (["7.0"], ["7.0", "7.1"])
    assert earlier.snapshot() == then
    with pytest.raises(StoreError, match="cannot be written to"):
        insert(earlier, "8.0")
    with pytest.raises(SnapshotNotFoundError):
        store.at(10_000)


@pytest.mark.usefixtures("usual_threads")
def test_threads_write_one_at_a_time_and_read_at_once(store: Store) -> None:
    def write(number: int) -> None:
        for step in range(5):
            insert(store, f"{number}.{step}")
            assert f"{number}.{step}" in releases(store)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(releases(store)) == 20


WRITER = """
import sys
from pathlib import Path
from data.settings import Settings
from data.lake.store import Store
store = Store.open(Settings(home=Path(sys.argv[1])))
for number in range(8):
    store.transact("me", "count", lambda cursor: cursor.execute(
        "INSERT INTO releases SELECT ? || '.' || count(*), true, now()::TIMESTAMP FROM releases", [sys.argv[2]]))
"""


@pytest.mark.process
@pytest.mark.usefixtures("usual_threads")
def test_processes_take_turns(store: Store, tmp_path: Path) -> None:
    """Each row counts those before it, so that two writers at once would show as one number twice."""
    before = store.snapshot().id
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name], env=environment, stderr=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert sorted(int(name.partition(".")[2]) for name in releases(store)) == list(range(16))
    assert store.snapshot().id == before + 16, "this process sees the other ones' commits"


def test_a_place_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"The store cannot be opened: .*catalog\.sqlite"):
        Store.open(Settings(home=tmp_path / "home"))
