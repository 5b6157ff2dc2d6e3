"""How fast one process brings results from a Jenkins into the lake: fetched, kept raw, parsed, committed."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

from data.settings import Settings
from data.store import Store
from ingest.pipeline import Pipeline


@dataclass(frozen=True)
class Rate:
    """One poll of every source from nothing. `attempts` counts rows of results; times in seconds, of this process."""

    builds: int
    attempts: int
    wall_s: float
    cpu_s: float
    requests: int
    peak_mb: float
    bytes_per_result: float  # of all but the raw files
    raw_bytes_per_result: float


def measure(settings: Settings) -> Rate:
    """Poll every source of the settings once, into an empty store."""
    store = Store.open(settings)
    wall, cpu = time.perf_counter(), time.process_time()
    polls = [Pipeline(store, source).poll(eager=True) for source in settings.source]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    attempts = store.value("SELECT count(*) FROM results")
    sizes = dict(
        store.cursor()
        .execute("SELECT table_name = 'raw_files', sum(file_size_bytes) FROM ducklake_table_info('lake') GROUP BY 1")
        .fetchall()
    )
    store.close()
    return Rate(
        builds=sum(poll.ingested for poll in polls),
        attempts=attempts,
        wall_s=wall,
        cpu_s=cpu,
        requests=sum(poll.requests for poll in polls),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        bytes_per_result=float(sizes.get(False) or 0) / max(attempts, 1),
        raw_bytes_per_result=float(sizes.get(True) or 0) / max(attempts, 1),
    )
