"""The catalog in a PostgreSQL server: the same store, written from two places at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.postgres import postgres_server
from support.store_builder import cases, held

from data.cache.parquet_files import TABLES
from data.lake import maintenance
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model.build_record import BuildRecord
from data.model.filters import Filter
from data.model.measures import iso
from data.queries import builds, ingest_status, results
from data.settings import StoreSettings, load
from data.tasks import poll_status, requests
from data.tasks.poll_log import PollRecord
from data.write.builds import upsert_builds
from data.write.raw_files import pack, unpack

NOW = datetime(2026, 11, 1, 4)
MINUTES_5 = timedelta(minutes=5)


@pytest.fixture(scope="module")
def catalog() -> Iterator[str]:
    """The address of a server's database, empty; skipped where PostgreSQL is not installed."""
    with postgres_server() as port:
        yield f"postgresql://tracker@127.0.0.1:{port}/postgres"


def test_two_write_at_once_and_all_is_there(catalog: str, tmp_path: Path) -> None:
    settings = load(home=tmp_path, store=StoreSettings(catalog=catalog))
    writers = [Store.open(settings), Store.open(settings)]
    reader = Store.open(settings, memory_tables=True)
    try:

        def write(store: Store, first: int) -> None:
            for number in range(first, 8, 2):
                time = NOW - timedelta(hours=8 - number)
                build = BuildRecord("ci", "a", number, time, "7.0", "m", **held(cases("m", {"t": "F"})))
                store.transact("test", "test", lambda cursor, build=build: upsert_builds(cursor, [build], NOW))

        threads = [threading.Thread(target=write, args=(store, index)) for index, store in enumerate(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = builds.builds(reader, Filter(release="7.0"))
        assert [row["number"] for row in found] == [7, 6, 5, 4, 3, 2, 1, 0]
        assert [row["status"] for row in results.build_results(reader, found[0]["id"])] == ["failed"]
        for store in writers:
            poll_status.record_poll(store, PollRecord("ci", NOW, 1.0, requests=3), NOW + MINUTES_5)
        (source,) = ingest_status.status(reader)
        assert (source["last_poll"], source["next_poll"], source["requests"]) == (iso(NOW), iso(NOW + MINUTES_5), 3)
        for table in ("releases", "tests", "signatures"):
            assert reader.value(f"SELECT count(*) FROM {table}") == 1, table
        upload = requests.submit(writers[0], "upload", "upload", {}, "me", [pack("r.xml", "file", b"<testsuite/>")])
        ((claimed,), later) = requests.claim(writers[1]), requests.claim(writers[0])
        assert (claimed.request, later) == (upload, [])
        assert [unpack(file) for file in requests.uploaded_files(reader, claimed)] == [b"<testsuite/>"]
        requests.begin(writers[1], claimed)
        requests.report_progress(writers[1], claimed, requests.DONE)
        assert requests.uploaded_files(reader, claimed) == requests.claim(writers[0]) == []
        maintenance.run(writers[0], least=2)
        reader.state()
        found_upload = requests.status(reader, upload)
        assert found_upload and found_upload.state == requests.DONE
        for table in TABLES:
            assert reader.rows(f"SELECT * FROM {reader.table_source(table)} ORDER BY ALL") == reader.rows(
                f"SELECT * FROM {LAKE}.main.{table} ORDER BY ALL"
            )
    finally:
        for store in (*writers, reader):
            store.close()
