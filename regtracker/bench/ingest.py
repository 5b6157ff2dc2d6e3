"""Times ingest in one process: from Jenkins into the lake, with download, raw files, parsing and commits.

`python -m regtracker.bench.ingest` times the path without a network on one core, and a long backfill over HTTP.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import click

from data.cli.common import json_option
from data.lake.store import Store
from data.model.build_record import BuildRecord
from data.model.run_record import RunRecord
from data.settings import Settings, SourceSettings
from data.write import raw_files as raw
from data.write.builds import upsert_builds
from ingest import backfill
from ingest.build_download import DownloadedFiles, ResultFiles
from ingest.build_rows import build_record
from ingest.cli.progress import progress_bar
from ingest.clock import utc_now
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.layouts import layout_of
from ingest.pipeline import BATCH_RESULTS, Pipeline
from ingest.simulator.artifact_download import zipped
from ingest.simulator.fake_jenkins import FakeJenkins
from ingest.simulator.jenkins_items import ArtifactFiles
from ingest.simulator.programme import Programme
from ingest.simulator.server import SimulatorServer
from ingest.simulator.side_jobs import ARCHIVE
from ingest.simulator.timeline import ProgrammeSize, ReleaseSpec
from ingest.tuning import single_threaded, tune_gc_for_batches

START = datetime(2025, 1, 1)


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


@dataclass(frozen=True)
class StageRates:
    """Results per second of one core (CPU time of all threads) for XML that is already in memory: zip to columns,
    columns to a committed snapshot, and both."""

    dialect: str
    results: int
    read: float
    committed: float
    both: float


def archived(builds: int) -> Iterator[tuple[int, bytes]]:
    """(number, zip) of the simulator's builds: suites of eight tests, some failures and odd durations."""
    job = Programme(_archive(builds), live=False)
    for build in FakeJenkins(job, None).root.job(ARCHIVE).builds(job.now()):
        yield build.number, _zip(build.files(job.now()), build.ended)


def pytest_like(builds: int, failing: float = 0.0) -> Iterator[tuple[int, bytes]]:
    """(number, zip) of reports with all tests in one suite; those that fail have a message, a trace and 2 kB of
    output."""
    rng = Random(f"{builds} {failing}")
    for number in range(1, builds + 1):
        cases = []
        for test in range(500):
            facts = f'classname="tests.part{test // 20}.test_part.TestPart" name="test_keeps_{test}"'
            case = f'<testcase {facts} time="{rng.lognormvariate(-2, 1):.3f}"'
            if rng.random() < failing:
                text = f"AssertionError: route {test} has {rng.randrange(9)} hops"
                trace = "\n".join(f"E   {text}" if line == 19 else f"    line {line} of a test" for line in range(20))
                log = f"2026-01-01 00:00:00 INFO step {rng.randrange(9999)} of the test\n" * 40
                case += f'><failure message="{text}">{trace}</failure><system-out>{log}</system-out></testcase>'
            else:
                case += " />"
            cases.append(case)
        suite = f'<testsuite name="pytest" tests="500" timestamp="2025-01-01T00:00:00">{"".join(cases)}</testsuite>'
        content = f"<testsuites>{suite}</testsuites>".encode()
        yield number, _zip({"report.xml": partial(bytes, content)}, START.timestamp())


def _zip(files: ArtifactFiles, modified: float) -> bytes:
    content = zipped(files, "", "**/*.xml", modified)
    assert content is not None  # only a missing folder gives none
    return content


DIALECTS: dict[str, Callable[[int], Iterator[tuple[int, bytes]]]] = {
    "suites of eight": archived,
    "one suite, all pass": pytest_like,
    "one suite, 5 % fail with output": partial(pytest_like, failing=0.05),
}


def stages(home: Path, builds: int, dialect: str) -> StageRates:
    """Time `builds` builds of 500 results from a zip of JUnit XML to the lake, without a network."""
    source = SourceSettings(name="bench", url="http://127.0.0.1/", layout="job", job=ARCHIVE, release_fixed="1.0")
    layout, store = layout_of(source), Store.open(single_threaded(Settings(home=home)))
    zips = list(DIALECTS[dialect](builds))
    tune_gc_for_batches()
    read = committed = 0.0
    results = 0
    batch: list[tuple[BuildRecord, RunRecord]] = []
    for position, (number, content) in enumerate(zips, 1):
        clock = time.process_time()
        files = ResultFiles([DownloadedFiles("**/*.xml", "junit", True, io.BytesIO(content))])
        began = START + timedelta(hours=number)
        detail = JenkinsBuildDetail(ARCHIVE, number, started_at=began, duration_s=300, final=True, result="SUCCESS")
        record, run = build_record(layout, detail, raw.pack("build.json", "build", b"{}"), files, began)
        assert run is not None  # a job without an orchestrating build forms its own runs
        batch.append((record, run))
        read += time.process_time() - clock
        if position == len(zips) or sum(len(build.cases) for build, _ in batch) >= BATCH_RESULTS:
            clock = time.process_time()
            work = partial(upsert_builds, builds=[build for build, _ in batch], now=utc_now(), standalone_runs=batch)
            results += store.transact("bench", f"{len(batch)} builds", work)
            committed += time.process_time() - clock
            batch = []
    store.close()
    return StageRates(dialect, results, results / read, results / committed, results / (read + committed))


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
    """Time ingest on one core, and a backfill over HTTP: rate, requests and peak memory.

    \b
    Example: python -m regtracker.bench.ingest --builds 2000
    """
    with tempfile.TemporaryDirectory() as scratch:
        # First, because the peak of memory is that of the whole process.
        with progress_bar("Builds") as progress:
            backfilled = history(Path(scratch) / "history", builds, progress)
        measured = [stages(Path(scratch) / f"stages{n}", min(builds, 1000), name) for n, name in enumerate(DIALECTS)]
    if as_json:
        click.echo(json.dumps({"stages": [asdict(one) for one in measured], "history": asdict(backfilled)}))
        return
    for one in measured:
        click.echo(
            f"one core, in memory, {one.dialect}: {one.both:,.0f} results/s (zip to columns {one.read:,.0f}, "
            f"columns to snapshot {one.committed:,.0f})"
        )
    rate = backfilled
    click.echo(
        f"backfill over HTTP: {rate.builds} builds, {rate.attempts:,} results in {rate.wall_s:.0f} s = "
        f"{rate.attempts / rate.wall_s:,.0f} results/s ({rate.attempts / rate.cpu_s:,.0f} per CPU second), "
        f"{rate.requests / max(rate.builds, 1):.2f} requests per build, peak memory {rate.peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
