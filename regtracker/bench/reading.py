"""Times reading JUnit XML, and committing what was read, beside a bare `iterparse` of lxml over the same files."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from lxml import etree

from data.lake.store import Store
from data.model.build_record import BuildRecord
from data.model.run_record import RunRecord
from data.settings import Settings, SourceSettings
from data.write import raw_files as raw
from data.write.builds import upsert_builds
from ingest.batch import BATCH_RESULTS
from ingest.build_files import DownloadedFiles, ResultFiles
from ingest.build_rows import build_record
from ingest.clock import utc_now
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.layouts import layout_of
from ingest.tuning import single_threaded, tune_gc_for_batches
from regtracker.bench import dialects

START = datetime(2025, 1, 1)
JOB = "archive"


@dataclass(frozen=True)
class ReadingRates:
    """Results per second of one core (CPU time of all threads), for files that are in memory. `bare`: unpacked files
    through lxml's iterparse; `read`: zip to columns; `committed`: columns to a committed snapshot; `both`: all of it.
    """

    dialect: str
    results: int
    bare: float
    read: float
    committed: float
    both: float


def measure(home: Path, builds: int) -> Iterator[ReadingRates]:
    """Time so many builds of each dialect, each a job and a release of its own in a new store in `home`."""
    tune_gc_for_batches()
    store = Store.open(single_threaded(Settings(home=home)))
    for number, dialect in enumerate(dialects.NAMES, 1):
        yield _measure(store, f"{JOB}-{number}", f"{number}.0", builds, dialect)
    store.close()


def _measure(store: Store, job: str, release: str, builds: int, dialect: str) -> ReadingRates:
    source = SourceSettings(name="bench", url="http://127.0.0.1/", layout="job", job=job, release_fixed=release)
    layout = layout_of(source)
    bare = read = committed = 0.0
    results = 0
    batch: list[tuple[BuildRecord, RunRecord]] = []
    for number, reports in enumerate(dialects.builds(dialect, builds), 1):
        content = _zip(reports)
        clock = time.process_time()
        _iterparse(reports)
        bare += time.process_time() - clock
        clock = time.process_time()
        files = ResultFiles([DownloadedFiles("**/*.xml", "junit", True, io.BytesIO(content))])
        began = START + timedelta(hours=number)
        detail = JenkinsBuildDetail(job, number, started_at=began, duration_s=300, final=True, result="SUCCESS")
        record, run = build_record(layout, detail, raw.pack("build.json", "build", b"{}"), files, began)
        assert run is not None  # a job without an orchestrating build forms its own runs
        batch.append((record, run))
        read += time.process_time() - clock
        if number == builds or sum(len(build.cases) for build, _ in batch) >= BATCH_RESULTS:
            clock = time.process_time()
            work = partial(upsert_builds, builds=[build for build, _ in batch], now=utc_now(), standalone_runs=batch)
            results += store.transact("bench", f"{len(batch)} builds", work)
            committed += time.process_time() - clock
            batch = []
    return ReadingRates(
        dialect, results, results / bare, results / read, results / committed, results / (read + committed)
    )


def _iterparse(reports: dialects.Reports) -> None:
    for content in reports.values():
        for _ in etree.iterparse(io.BytesIO(content)):
            pass


def _zip(reports: dialects.Reports) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in reports.items():
            archive.writestr(path, content)
    return packed.getvalue()
