"""The Jenkins jobs as the last sweep found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from data.lake.cursors import registered
from data.lake.store import Store

_JOBS = pa.schema(
    [pa.field(name, pa.string()) for name in ("source", "job")]
    + [pa.field("next_build", pa.int32()), pa.field("seen_at", pa.timestamp("us")), pa.field("missing", pa.int32())]
    + [pa.field("wanted_since", pa.timestamp("us"))]
)


@dataclass(frozen=True)
class JobRow:
    """A Jenkins job at the last sweep. `missing` counts the latest sweeps in a row that did not find it."""

    source: str
    job: str
    next_build: int | None = None
    missing: int = 0
    seen_at: datetime | None = None
    wanted_since: datetime | None = None  # start of the oldest build that the first sweep wanted


def load_jobs(store: Store, source: str) -> dict[str, JobRow]:
    """The jobs of a source by name."""
    return {row["job"]: JobRow(**row) for row in store.rows("SELECT * FROM jobs WHERE source = ?", [source])}


def update_jobs(cursor: duckdb.DuckDBPyConnection, jobs: Sequence[JobRow], now: datetime) -> None:
    """Replace the rows of these jobs."""
    rows = [{**vars(job), "seen_at": job.seen_at or now} for job in jobs]
    if rows:
        with registered(cursor, incoming_jobs=pa.Table.from_pylist(rows, _JOBS)):
            cursor.execute("DELETE FROM jobs WHERE (source, job) IN (SELECT (source, job) FROM incoming_jobs)")
            cursor.execute("INSERT INTO jobs BY NAME SELECT * FROM incoming_jobs")
