"""The large tables, read from their files, hold what the lake says, whatever was written, replaced and merged."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from support.store_builder import World, cases, held

from data.cache.parquet_files import TABLES
from data.lake import maintenance
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model.build_record import BuildRecord, CommitRecord
from data.write.builds import upsert_builds

START = datetime(2026, 9, 28, 4)
RELEASES = ("7.0", "it's 100% née/8.0")


def _build(number: int, letters: str = "PF") -> BuildRecord:
    return BuildRecord(
        "ci",
        "a",
        number,
        START + timedelta(days=3 * number),
        RELEASES[number % 2],
        "m",
        **held(cases("m", {f"t{index}": letter for index, letter in enumerate(letters)})),
        commits=[CommitRecord(f"r{number}")],
        warnings=[("a.xml", "odd")],
    )


def _put(store: Store, *builds: BuildRecord) -> None:
    store.transact("test", "test", lambda cursor: upsert_builds(cursor, builds, START))
    store.state()


def _same(store: Store) -> None:
    for table in TABLES:
        assert store.table_source(table) != table, "queries bypass the lake"
        ours = store.rows(f"SELECT * FROM {store.table_source(table)} ORDER BY ALL")
        assert ours == store.rows(f"SELECT * FROM {LAKE}.main.{table} ORDER BY ALL"), table


def test_the_files_hold_what_the_lake_says(tmp_path: Path) -> None:
    world = World.at(tmp_path, memory_tables=True)
    store = world.store
    try:
        _same(store)
        _put(store, *map(_build, range(8)))
        _same(store)
        _put(store, _build(2, "FFF"), _build(3, ""))
        _same(store)
        assert store.table_source("results").count("ANTI JOIN") == 1, "all files with deleted rows are read by one join"
        maintenance.run(store, least=2)
        store.state()
        _same(store)
        _put(store, _build(5, "FP"))
        _same(store)
    finally:
        store.close()


def test_files_older_than_a_column_are_read_as_the_lake_reads_them(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    _put(world.store, _build(0), _build(1))
    world.store.transact("test", "t", lambda cursor: cursor.execute("ALTER TABLE results ADD COLUMN shard INTEGER"))
    store = Store.open(world.store.settings, memory_tables=True)
    try:
        _same(store)
        _put(store, _build(2))
        _same(store)
        (lone,) = store.rows(f"SELECT DISTINCT shard FROM {store.table_source('results')}")
        assert lone == {"shard": None}
    finally:
        store.close()
        world.store.close()


def test_only_files_that_may_hold_it_are_opened(tmp_path: Path) -> None:
    world = World.at(tmp_path, memory_tables=True)
    store = world.store
    try:
        for number in range(8):  # each in files of its own
            store.transact("test", "test", lambda cursor, n=number: upsert_builds(cursor, [_build(n)], START))
        store.state()
        build = _build(5)
        found = store.table_source("results", [build.release], [build.started_at, None])
        assert found.count(".parquet") == 1
        assert store.value(f"SELECT count(*) FROM {found} WHERE build = ?", [build.id]) == 2
        assert store.table_source("results", [RELEASES[0]]).count(".parquet") == 4
        assert store.table_source("results", None, [START, START + timedelta(days=7)]).count(".parquet") == 3
        assert store.value(f"SELECT count(*) FROM {store.table_source('results', ['9.0'])}") == 0
        assert store.table_source("runs") == "runs", "small tables have no file source"
        earlier = store.at(store.snapshot().id)
        assert earlier.table_source("results", [build.release]) == "results", "earlier snapshots use the lake"
    finally:
        store.close()
