"""An import of many builds makes few commits; a bad report or a killed process spoils none of the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.ingest_fixtures import store_upload
from support.paths import ROOT
from support.store_builder import empty_store

from data.lake.store import Store
from data.settings import load
from data.write.raw_files import pack
from ingest.batch import Batch
from ingest.importer import store_imports

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
BUILDS = 12
TABLES = ("builds", "results", "failures", "build_counts", "tests", "signatures", "runs", "run_builds", "raw_files")
# Imports a folder and kills itself instead of its third commit, as `kill -9` would.
KILLED = """
import os, signal, sys
from data.lake.store import Store
from ingest import batch
batch.BATCH_RESULTS = 6  # three builds
commits, transact = 0, Store.transact

def counted(*arguments):
    global commits
    commits += 1
    if commits == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return transact(*arguments)

Store.transact = counted
import regtracker
regtracker.main(["import", sys.argv[1]])
"""


def report(number: int) -> bytes:
    cases = f'<testcase classname="c" name="a"/><testcase classname="c" name="b{number % 3}"><failure/></testcase>'
    return f'<testsuite name="s" timestamp="2026-03-{number:02}T08:00:00Z">{cases}</testsuite>'.encode()


def folder(root: Path, builds: int = BUILDS) -> Path:
    """RELEASE/MODULE/NUMBER, one report each."""
    for number in range(1, builds + 1):
        file = root / "logs" / "7.0" / "routing" / str(number) / "junit" / "r.xml"
        file.parent.mkdir(parents=True)
        file.write_bytes(report(number))
    return root / "logs"


def content(home: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows, without the time at which they were written."""
    with closing(Store.open(load(home=home))) as store:
        rows = {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES}
    return rows | {"builds": [build | {"ingested_at": None} for build in rows["builds"]]}


def snapshots() -> int:
    with closing(Store.open(load())) as store:
        return store.snapshot().id


def test_many_builds_make_one_commit(tmp_path: Path, regtracker: Run) -> None:
    before = snapshots()
    done = regtracker("import", str(folder(tmp_path)), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code, sorted(answer["number"] for answer in answers)) == (0, list(range(1, BUILDS + 1)))
    assert snapshots() == before + 1
    with closing(Store.open(load())) as store:
        assert store.rows("SELECT count(*) AS builds, sum(total)::INT AS results FROM builds") == [
            {"builds": BUILDS, "results": 2 * BUILDS}
        ]


def test_a_broken_report_is_named_and_the_others_are_stored(tmp_path: Path, regtracker: Run) -> None:
    logs = folder(tmp_path)
    broken = logs / "7.0" / "routing" / "5"
    (broken / "junit" / "r.xml").write_bytes(b"")
    done = regtracker("import", str(logs), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    (empty,) = [answer for answer in answers if answer["total"] == 0]
    assert done.exit_code == 1 and "cannot be read" in empty["warnings"][0]
    with closing(Store.open(load())) as store:
        assert store.value("SELECT count(*) FROM builds") == BUILDS
        assert "cannot be read" in store.value("SELECT missing_results FROM builds WHERE number = 5 AND total = 0")


def test_a_build_that_cannot_be_stored_is_named_and_the_others_are_stored(
    tmp_path: Path, regtracker: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: Store, imports: list[Any]) -> None:
        if any(read.build.number == 5 for read in imports):
            raise ValueError("no room for number 5")
        store_imports(store, imports)

    monkeypatch.setattr("ingest.import_batches.store_imports", refuse)
    logs = folder(tmp_path)
    done = regtracker("import", str(logs))
    assert done.exit_code == 1 and f"{logs / '7.0' / 'routing' / '5'}: no room for number 5" in done.stderr
    assert done.stdout.count("2 tests, 1 passed, 1 failed") == BUILDS - 1
    with closing(Store.open(load())) as store:
        assert store.value("SELECT count(*) FROM builds") == BUILDS - 1


def test_of_two_folders_of_one_build_the_last_counts(tmp_path: Path, regtracker: Run) -> None:
    roots = [tmp_path / name for name in ("first", "second")]
    for root in roots:
        root.mkdir()
        folder(root, 2)
    latest = roots[1] / "logs" / "7.0" / "routing" / "1" / "junit" / "r.xml"
    latest.write_bytes(report(1).replace(b"<failure/>", b""))
    assert regtracker("import", *map(str, roots)).exit_code == 0
    with closing(Store.open(load())) as store:
        found = store.rows("SELECT number, total, failed FROM builds ORDER BY number")
        assert [tuple(row.values()) for row in found] == [(1, 2, 0), (2, 2, 1)]
        assert store.value("SELECT count(*) FROM results") == 4


def test_without_number_and_start_an_import_sees_the_builds_before_it(tmp_path: Path, regtracker: Run) -> None:
    logs = folder(tmp_path, 2)
    alone = tmp_path / "alone.xml"
    alone.write_bytes(report(3))
    names = ("--release", "7.0", "--module", "routing", "--json")
    done = regtracker("import", str(logs), str(alone), *names)
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 2, 3]


def test_a_killed_import_is_finished_by_the_next_one(
    tmp_path: Path, regtracker: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = folder(tmp_path)
    killed, whole = tmp_path / "killed", tmp_path / "home"
    shutil.copytree(empty_store(), killed)
    environment = os.environ | {"REGTRACKER_HOME": str(killed), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(logs)], cwd=tmp_path, env=environment)
    assert ended.returncode == -signal.SIGKILL
    assert len(content(killed)["builds"]) == 6, "two commits of three builds"
    assert regtracker("import", str(logs)).exit_code == 0
    monkeypatch.setenv("REGTRACKER_HOME", str(killed))
    assert regtracker("import", str(logs)).exit_code == 0
    found, expected = content(killed), content(whole)
    assert found == expected and len(found["builds"]) == BUILDS


def test_a_batch_is_due_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(empty_store(), tmp_path / "home")
    with closing(Store.open(load(home=tmp_path / "home"))) as store:
        build = store_upload(store, {"release": "7.0", "module": "m"}, [pack("r.xml", "file", report(1))])
    batch = Batch[int]()
    batch.add(1, build)
    assert not batch.is_due and batch.items == [1]
    monkeypatch.setattr("ingest.batch.BATCH_RESULTS", 2)
    assert batch.is_due
    monkeypatch.setattr("ingest.batch.BATCH_RESULTS", 3)
    assert not batch.is_due
    monkeypatch.setattr("ingest.batch.BATCH_BYTES", 100)
    assert batch.is_due
