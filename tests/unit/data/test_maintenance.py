"""Small files become large ones, and nothing that any snapshot shows changes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.store_builder import World, cases, held

from data.cli.commands import maintain
from data.lake import maintenance
from data.lake.store import SnapshotNotFoundError
from data.model.build_record import BuildRecord
from data.write.builds import upsert_builds

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 1, 4)


def test_many_small_files_are_merged(tmp_path: Path) -> None:
    store = World.at(tmp_path).store
    try:
        for number in range(6):
            build = BuildRecord(
                "ci", "a", number, NOW + timedelta(hours=number), "7.0", "m", **held(cases("m", {"t": "F"}))
            )
            store.transact("test", "test", lambda cursor, build=build: upsert_builds(cursor, [build], NOW))
        tables = ("builds", "results", "failures", "build_counts", "tests", "signatures")
        before = {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
        middle = store.snapshot().id - 3
        past = store.at(middle).rows("SELECT * FROM results ORDER BY ALL")
        assert len(past) == 3
        assert maintenance.file_counts(store)["results"] == 6
        after = maintenance.run(store, least=3)
        assert after["results"] == after["build_counts"] == 1
        assert {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables} == before
        assert store.at(middle).rows("SELECT * FROM results ORDER BY ALL") == past
        standing = store.snapshot().id
        assert maintenance.run(store, least=3) == {} and store.snapshot().id == standing, "nothing to do, nothing done"
    finally:
        store.close()


def test_files_with_replaced_builds_are_merged_too(tmp_path: Path) -> None:
    store = World.at(tmp_path).store
    try:
        for number in range(0, 8, 2):
            for letter in "PF":  # the second build of each pair is read again
                pair = [
                    BuildRecord("ci", "a", of, NOW + timedelta(hours=of), "7.0", "m", **held(cases("m", {"t": letter})))
                    for of in (number, number + 1)
                ][letter == "F" :]
                store.transact("test", "test", lambda cursor, pair=pair: upsert_builds(cursor, pair, NOW))
        before = store.rows("SELECT * FROM results ORDER BY ALL")
        assert maintenance.file_counts(store)["results"] >= 8
        for _ in range(2):  # the first rewrites files, the second merges them
            maintenance.run(store, least=2)
        assert maintenance.file_counts(store)["results"] == 1
        assert store.rows("SELECT * FROM results ORDER BY ALL") == before and len(before) == 8
    finally:
        store.close()


def test_rows_that_pile_up_in_the_catalogue_go_to_parquet(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(maintenance, "MAX_INLINED", 4)
    store = World.at(tmp_path).store
    try:
        builds = [BuildRecord("ci", "a", number, NOW + timedelta(hours=number), "7.0", "m") for number in range(6)]
        store.transact("test", "test", lambda cursor: upsert_builds(cursor, builds, NOW))
        before = store.rows("SELECT * FROM builds ORDER BY ALL")
        assert maintenance.file_counts(store)["builds"] == 0
        maintenance.run(store)
        assert maintenance.file_counts(store)["builds"] == 1
        assert store.rows("SELECT * FROM builds ORDER BY ALL") == before
    finally:
        store.close()


def test_old_snapshots_are_thinned_and_what_is_pinned_stays(tmp_path: Path) -> None:
    """The last of each hour is kept, later the last of each day; the newest and the pinned ones always."""
    store = World.at(tmp_path).store
    try:
        for number in range(4):
            build = BuildRecord(
                "ci", "a", number, NOW + timedelta(hours=number), "7.0", "m", **held(cases("m", {"t": "P"}))
            )
            store.transact("test", "test", lambda cursor, build=build: upsert_builds(cursor, [build], NOW))
        newest = store.snapshot()
        assert maintenance.redundant(store, newest.committed_at) == []
        pinned = newest.id - 2
        worn = maintenance.redundant(store, newest.committed_at + timedelta(days=100), {pinned})
        assert newest.id - 1 in worn and not {pinned, newest.id} & set(worn)
        assert set(worn) < set(maintenance.redundant(store, newest.committed_at + timedelta(days=100)))
        maintenance.expire(store, worn)
        assert len(store.at(pinned).rows("SELECT * FROM builds")) == 2
        assert store.value("SELECT count(*) FROM builds") == 4
        assert maintenance.redundant(store, newest.committed_at + timedelta(days=100), {pinned}) == []
    finally:
        store.close()


def test_the_verb_merges_expires_and_tells_sizes(tmp_path: Path, monkeypatch) -> None:
    config = tmp_path / "regtracker.toml"
    config.touch()
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    world = World.at(tmp_path / "home")
    for _ in range(3):
        world.run({"m": {"t": "F"}})
    store = world.store
    try:
        before, standing = store.rows("SELECT * FROM results ORDER BY ALL"), store.snapshot().id
        dry = json.loads(CliRunner().invoke(maintain, ["--dry-run", "--expire", "0", "--json"]).stdout)
        assert store.snapshot().id == standing and dry["before"] == dry["after"]
        assert "results" in dry["merged"] and dry["before"]["results"]["files"] == 3
        assert standing not in dry["expired"] and standing - 1 in dry["expired"]
        done = json.loads(CliRunner().invoke(maintain, ["--expire", "0", "--json"]).stdout)
        assert done["merged"] == dry["merged"] and done["after"]["results"]["files"] == 1
        assert store.rows("SELECT * FROM results ORDER BY ALL") == before
        assert store.at(standing).rows("SELECT * FROM results ORDER BY ALL") == before
        with pytest.raises(SnapshotNotFoundError):
            store.at(standing - 1)
        answer = CliRunner().invoke(maintain, ["--expire", "1"])
        assert answer.exit_code == 0 and "0 snapshots expired" in answer.stdout
    finally:
        store.close()
