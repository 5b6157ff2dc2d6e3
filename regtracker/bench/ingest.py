"""Times ingest in one process: from Jenkins into the lake, with download, raw files, parsing and commits.

`python -m regtracker.bench.ingest` times a long backfill over HTTP.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click

from data.cli.common import json_option
from data.lake.store import Store
from data.settings import Settings, SourceSettings
from ingest import backfill
from ingest.cli.progress import progress_bar
from ingest.pipeline import Pipeline
from ingest.simulator.programme import Programme
from ingest.simulator.server import SimulatorServer
from ingest.simulator.side_jobs import ARCHIVE
from ingest.simulator.timeline import ProgrammeSize, ReleaseSpec
from ingest.tuning import single_threaded, tune_gc_for_batches


@dataclass(frozen=True)
class IngestRate:
    """The cost of filling an empty store. `attempts`: rows of results; times in seconds, of this process."""

    builds: int
    attempts: int
    wall_s: float
    cpu_s: float
    requests: int
    peak_mb: float
    bytes_per_result: float  # without the raw files
    raw_bytes_per_result: float


def measure(settings: Settings) -> IngestRate:
    """Poll every source of the settings once, into an empty store."""
    store = Store.open(single_threaded(settings))
    wall, cpu = time.perf_counter(), time.process_time()
    polls = [Pipeline(store, source).poll(eager=True) for source in settings.source]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    builds, requests = sum(poll.ingested for poll in polls), sum(poll.requests for poll in polls)
    return _rate(store, builds, requests, wall, cpu)


def _rate(store: Store, builds: int, requests: int, wall_s: float, cpu_s: float) -> IngestRate:
    """Closes the store."""
    attempts = store.value("SELECT count(*) FROM results")
    sizes = dict(
        store.cursor()
        .execute("SELECT table_name = 'raw_files', sum(file_size_bytes) FROM ducklake_table_info('lake') GROUP BY 1")
        .fetchall()
    )
    store.close()
    return IngestRate(
        builds=builds,
        attempts=attempts,
        wall_s=wall_s,
        cpu_s=cpu_s,
        requests=requests,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        bytes_per_result=float(sizes.get(False) or 0) / max(attempts, 1),
        raw_bytes_per_result=float(sizes.get(True) or 0) / max(attempts, 1),
    )


def history(home: Path, builds: int, progress: Callable[[int, int], None]) -> IngestRate:
    """Backfill `builds` builds of 500 results over HTTP from a simulator in its own process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(builds, there), daemon=True)
    server.start()
    source = SourceSettings(
        name="bench",
        url=here.recv(),
        layout="job",
        job=ARCHIVE,
        release_fixed="1.0",
        results=["junit:reports/*.xml"],
        max_in_flight=4,
    )
    tune_gc_for_batches()
    store = Store.open(single_threaded(Settings(home=home, source=[source])))
    pipeline = Pipeline(store, source)
    wall, cpu = time.perf_counter(), time.process_time()
    backfill.run(pipeline, backfill.BuildRange(), progress)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    server.terminate()
    return _rate(store, pipeline.tally.ingested, pipeline.jenkins.requests, wall, cpu)


def _archive(builds: int) -> ProgrammeSize:
    return ProgrammeSize((ReleaseSpec("1.0", 8, 5.0, 1),), modules=1, tests=10, archive=builds)


def _serve(builds: int, pipe: Connection) -> None:
    with SimulatorServer(Programme(_archive(builds), live=False)) as server:
        pipe.send(server.url)
        server.join()


@click.command()
@click.option("--builds", type=click.IntRange(1), default=10_000, show_default=True, help="Builds of 500 results each.")
@json_option()
def main(builds: int, as_json: bool) -> None:
    """Time a backfill over HTTP: rate, requests and peak memory.

    \b
    Example: python -m regtracker.bench.ingest --builds 2000
    """
    with tempfile.TemporaryDirectory() as scratch, progress_bar("Builds") as progress:
        rate = history(Path(scratch), builds, progress)
    if as_json:
        click.echo(json.dumps(asdict(rate)))
        return
    click.echo(
        f"backfill over HTTP: {rate.builds} builds, {rate.attempts:,} results in {rate.wall_s:.0f} s = "
        f"{rate.attempts / rate.wall_s:,.0f} results/s ({rate.attempts / rate.cpu_s:,.0f} per CPU second), "
        f"{rate.requests / max(rate.builds, 1):.2f} requests per build, peak memory {rate.peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
