"""Half a store, and a store of a newer version, are refused in words by every way in, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.postgres import postgres_server
from support.store_builder import World, empty_store

from dashboard.app import create_app
from data.lake.connection import LAKE, StoreError, attach_statement, connect, enable_wal
from data.lake.store import Store
from data.settings import Settings, StoreSettings, load
from regtracker import connect as connect_notebook
from regtracker import main

COMMANDS = (
    ["check", "--json"],
    ["poll", "--json"],
    ["gate", "--release", "7.0"],
    ["sql", "SELECT 1"],
    ["maintain"],
    ["import", "--release", "7.0", "--module", "m"],
    ["rebuild"],
    ["ingest"],
)
SOURCE = [{"name": "ci", "url": "http://127.0.0.1:9/", "job": "x", "layout": "job"}]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A closed store with a build."""
    world = World.at(tmp_path / "home")
    world.run({"routing": {"a": "P"}}, started_at=datetime(2026, 1, 1))
    world.store.close()
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REGTRACKER_SOURCE", json.dumps(SOURCE))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def assert_refused(home: Path, *words: str) -> None:
    """Every command, the web application and a notebook refuse the store with these words."""
    report = home.parent / "report.xml"
    report.write_text("<testsuite><testcase name='a'/></testsuite>")
    for command in COMMANDS:
        done: Result = CliRunner().invoke(main, [*command, *([str(report)] if command[0] == "import" else [])])
        assert done.exit_code == 2, (command, done.output)
        for word in words:
            assert word in done.stderr, (command, done.stderr)
    client = create_app(load()).server.test_client()
    for path in ("/api/v1/health/ready", "/api/v1/releases"):
        answer = client.get(path)
        assert answer.status_code == 503
        for word in words:
            assert word in answer.json["detail"]
    with pytest.raises(StoreError) as refused:
        connect_notebook(home)
    for word in words:
        assert word in str(refused.value)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def delete_catalog(home: Path) -> None:
    for file in home.glob("catalog.sqlite*"):
        file.unlink()


def empty_catalog(home: Path) -> None:
    delete_catalog(home)
    home.joinpath("catalog.sqlite").touch()


def other_database(home: Path) -> None:
    """What a start leaves that was killed between the file and the first table."""
    delete_catalog(home)
    enable_wal(home / "catalog.sqlite")


@pytest.mark.parametrize("lose", [delete_catalog, empty_catalog, other_database])
def test_a_catalog_that_is_lost(home: Path, lose: Callable[[Path], None]) -> None:
    lose(home)
    before = files(home / "lake")
    if lose is delete_catalog:
        assert_refused(home, "There is no store in the catalog", "catalog.sqlite", "restore it from a backup")
        assert not home.joinpath("catalog.sqlite").exists()
    else:
        with pytest.raises(StoreError, match="restore it from a backup"):
            Store.open(load())
    assert files(home / "lake") == before


def test_a_catalog_that_is_mistyped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGTRACKER_STORE", json.dumps({"catalog": str(home / "katalog.sqlite")}))
    done = CliRunner().invoke(main, ["check"])
    assert done.exit_code == 2 and "katalog.sqlite" in done.stderr and "mistyped" in done.stderr
    monkeypatch.delenv("REGTRACKER_STORE")
    assert CliRunner().invoke(main, ["sql", "SELECT count(*) FROM builds"]).exit_code == 0


@pytest.mark.parametrize("lose", ["delete", "empty", "other"])
def test_a_lake_that_is_lost(home: Path, lose: str) -> None:
    shutil.move(home / "lake", home.parent / "elsewhere")
    if lose == "empty":
        home.joinpath("lake").mkdir()
    if lose == "other":
        shutil.copytree(empty_store() / "lake", home / "lake", dirs_exist_ok=True)
        home.joinpath("lake", "other.parquet").touch()
    if lose == "delete":
        assert_refused(home, "The data files of the store are not in", "lake", "restore the folder from a backup")
    else:
        with pytest.raises(StoreError, match="restore the folder from a backup"):
            Store.open(load())
    shutil.rmtree(home / "lake", ignore_errors=True)
    shutil.move(home.parent / "elsewhere", home / "lake")
    Store.open(load()).close()


def test_a_first_start_that_was_killed_goes_on(tmp_path: Path) -> None:
    for start in (empty_catalog, other_database):
        folder = tmp_path / start.__name__
        folder.mkdir()
        start(folder)
        Store.open(Settings(home=folder)).close()


def test_a_store_of_a_newer_version(home: Path) -> None:
    store = Store.open(load())
    store.transact("newer", "newer", lambda cursor: cursor.execute("INSERT INTO migrations VALUES (99, now())"))
    store.close()
    with connect(load().lake) as root:
        root.execute(attach_statement(load().lake, LAKE, read_only=True))
        count = f"SELECT max(snapshot_id), count(*) FROM {LAKE}.snapshots()"
        before = root.execute(count).fetchall()
    assert_refused(home, "newer version of regtracker", "99", "Upgrade")
    with connect(load().lake) as root:
        root.execute(attach_statement(load().lake, LAKE, read_only=True))
        assert root.execute(count).fetchall() == before


def test_a_process_that_is_running_while_the_store_is_upgraded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.lake.store.SCHEMA_CHECK_S", 0.0)
    store = Store.open(load())
    store.transact("newer", "newer", lambda cursor: cursor.execute("INSERT INTO migrations VALUES (99, now())"))
    snapshot = store.snapshot().id
    with pytest.raises(StoreError, match="newer version"):
        store.transact("older", "older", lambda cursor: cursor.execute("DELETE FROM builds"))
    assert store.snapshot().id == snapshot
    store.close()


@pytest.fixture(scope="module")
def catalog() -> Iterator[str]:
    with postgres_server() as port:
        yield f"postgresql://tracker@127.0.0.1:{port}/postgres"


def test_a_catalog_in_postgresql(catalog: str, home: Path, tmp_path: Path) -> None:
    """An empty database beside a full lake is refused; beside an empty one it becomes a store."""
    with pytest.raises(StoreError, match="There is no store in the catalog postgresql"):
        Store.open(load(store=StoreSettings(catalog=catalog)))
    settings = load(store=StoreSettings(catalog=catalog, data_path=str(tmp_path / "new")))
    Store.open(settings).close()
    Store.open(settings).close()
