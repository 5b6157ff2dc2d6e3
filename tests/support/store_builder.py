"""A store filled by hand: runs, builds and cases in a few words, through the same door as ingest."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from data.lake.store import Store
from data.model import ids
from data.model.build_record import CASE_SCHEMA, BuildRecord, CommitRecord, TestIdentity
from data.model.run_record import RunBuildRecord, RunRecord
from data.settings import load
from data.verdicts.statistics.signatures import key as signature_key
from data.verdicts.statistics.signatures import pattern as signature_pattern
from data.write import builds as append

STATUS = {"P": "passed", "F": "failed", "E": "failed", "S": "skipped"}
START = datetime(2026, 11, 1, 4, 0)
_CASES = pa.schema([*CASE_SCHEMA, *((name, pa.string()) for name in ("file", "class", "name", "base_name"))])


def cases(
    module: str,
    statuses: dict[str, str],
    topology: str = "",
    host: str | dict[str, str] = "h1",
    message: str = "AssertionError: {name} saw 3 of 4",
    seconds: float | dict[str, float] = 1.5,
    file: str | None = None,
) -> pa.Table:
    """Cases of a module: test name -> letters of its attempts (P F E S), the last one final. `FP` was rescued. Hosts
    and durations may differ by test name."""
    rows = []
    file = file or f"tests/{module}/{module}_test.py"
    for position, (name, letters) in enumerate(statuses.items()):
        for attempt, letter in enumerate(letters, 1):
            text = message.format(name=name) if letter in "FE" else None
            pattern = signature_pattern(text) if text else None
            rows.append(
                {
                    "test": ids.of(file, "TestIt", name),
                    "file": file,
                    "class": "TestIt",
                    "name": name,
                    "base_name": name.partition("[")[0],
                    "module": module,
                    "topology": topology,
                    "attempt": attempt,
                    "is_final": attempt == len(letters),
                    "status": STATUS[letter],
                    "kind": {"F": "failure", "E": "error"}.get(letter),
                    "duration_s": seconds[name] if isinstance(seconds, dict) else seconds,
                    "host": host[name] if isinstance(host, dict) else host,
                    "position": position,
                    "signature": signature_key(pattern) if pattern else None,
                    "pattern": pattern,
                    "message": text,
                    "trace": f"Traceback of {name}, attempt {attempt}" if text else None,
                    "output": None,
                }
            )
    return pa.Table.from_pylist(rows, _CASES)


def held(table: pa.Table) -> dict[str, Any]:
    """The arguments of a Build that holds these cases."""
    names = table.select(["file", "class", "name", "base_name"]).to_pylist()
    tests = [TestIdentity(*row.values()) for row in names]
    return {
        "cases": table.select(CASE_SCHEMA.names),
        "tests": dict(zip(table["test"].to_pylist(), tests, strict=True)),
    }


@cache
def empty_store() -> Path:
    """The home of an empty store, migrated once a session: a copy costs milliseconds, the migrations a second."""
    home = Path(tempfile.mkdtemp(prefix="regtracker-empty-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    Store.open(load(home=home)).close()
    return home


@dataclass
class World:
    """A store and what has been put into it. `run` adds one run, of `release` unless another is given; times are 12 h
    apart by default. Several worlds may share a store: each numbers its runs from 1."""

    store: Store
    runs: list[RunRecord] = field(default_factory=list)
    release: str = "7.0"

    @classmethod
    def at(cls, home: Path, memory_tables: bool = False) -> World:
        if not (home / "catalog.sqlite").exists():
            shutil.copytree(empty_store(), home, dirs_exist_ok=True)
        return cls(Store.open(load(home=home), memory_tables=memory_tables))

    def copied(self, home: Path, memory_tables: bool = False) -> World:
        """A store with the same content. This one must be closed."""
        shutil.copytree(self.store.settings.home, home, dirs_exist_ok=True)
        return World(Store.open(load(home=home), memory_tables=memory_tables), list(self.runs))

    def run(
        self,
        modules: dict[str, dict[str, str] | pa.Table | None],
        release: str | None = None,
        environment: str = "prod",
        state: str = "final",
        started_at: datetime | None = None,
        revision: str | None = None,
        number: int | None = None,
        result: str = "SUCCESS",
    ) -> RunRecord:
        """One run: module -> test name -> attempts' letters (or a table of cases; None: listed but not ingested).
        `result` is that of its builds."""
        run, builds, run_builds = self.prepare(
            modules, release, environment, state, started_at, revision, number, result
        )
        self.write([run], builds, run_builds)
        return run

    def history(self, sequences: dict[str, str], module: str = "routing", **kwargs: Any) -> None:
        """One run per letter: test name -> one letter per run, oldest first (P F S, K rescued, - did not run)."""
        columns = []
        for column in zip(*sequences.values(), strict=True):
            letters = {name: {"K": "FP"}.get(letter, letter) for name, letter in zip(sequences, column, strict=True)}
            columns.append({module: {name: letter for name, letter in letters.items() if letter != "-"}})
        self.series(columns, **kwargs)

    def series(self, contents: Iterable[Any], **kwargs: Any) -> None:
        """One run for each of these modules' contents (as `run` takes them), oldest first, in one transaction. An item
        may also be a pair: (contents, arguments of `run` for this run only)."""
        runs, builds, run_builds = [], [], []
        for content in contents:
            modules, own = content if isinstance(content, tuple) else (content, {})
            run, more_builds, more_run_builds = self.prepare(modules, **kwargs | own)
            runs.append(run)
            builds += more_builds
            run_builds += more_run_builds
        self.write(runs, builds, run_builds)

    def write(self, runs: list[RunRecord], builds: list[Any], run_builds: list[Any]) -> None:
        """Write prepared runs in one transaction."""

        def work(cursor: duckdb.DuckDBPyConnection) -> None:
            append.upsert_builds(cursor, builds, runs[0].started_at, runs=runs, run_builds=run_builds)

        self.store.transact("test", f"{len(runs)} runs", work)

    def prepare(
        self,
        modules: dict[str, dict[str, str] | pa.Table | None],
        release: str | None = None,
        environment: str = "prod",
        state: str = "final",
        started_at: datetime | None = None,
        revision: str | None = None,
        number: int | None = None,
        result: str = "SUCCESS",
    ) -> tuple[RunRecord, list[BuildRecord], list[RunBuildRecord]]:
        release = release or self.release
        number = number or len(self.runs) + 1
        started_at = started_at or START + timedelta(hours=12 * number)
        run = RunRecord(
            source="ci",
            job=f"qa/{release}/RUN",
            number=number,
            release=release,
            started_at=started_at,
            version=f"{release}.0.{number}",
            environment=environment,
            duration_s=3600.0 if state == "final" else None,
            state=state,
            result="SUCCESS" if state == "final" else None,
            display_name=f"VER: {release}.0.{number}",
            url=f"https://jenkins.example.com/job/qa/{number}/",
        )
        builds, run_builds = [], []
        for module, content in modules.items():
            job = f"qa/{release}/{module.upper()}"
            run_builds.append(RunBuildRecord(run.id, "ci", job, number, module))
            if content is None:
                continue
            builds.append(
                BuildRecord(
                    source="ci",
                    job=job,
                    number=number,
                    started_at=started_at + timedelta(minutes=5),
                    release=release,
                    module=module,
                    duration_s=600.0,
                    state=state,
                    result=result if state == "final" else None,
                    version=run.version,
                    environment=environment,
                    url=f"https://jenkins.example.com/job/{module}/{number}/",
                    agent="agent-1",
                    revision=revision,
                    **held(content if isinstance(content, pa.Table) else cases(module, content)),
                    commits=[CommitRecord(f"c{number:03}", "ann", f"Change {number}")],
                )
            )
        if state == "final" and any("failed" in build.cases["status"].to_pylist() for build in builds):
            run = replace(run, result="UNSTABLE")
        self.runs.append(run)
        return run, builds, run_builds
