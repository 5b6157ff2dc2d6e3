"""The Python API for notebooks: `regtracker.connect()`, whose methods return pandas data frames.

It wraps the queries that the screens and the JSON API use, so names, columns and meanings are theirs (docs/api.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack, get_type_hints

import pandas as pd

from data.answers.bugs import ListedBug
from data.answers.builds import Build
from data.answers.gate import GateTest
from data.answers.runs import ComparedFileRow, Module, Result, Run, Tile
from data.answers.statistics import ChangedTest, Flaky, RisingTest
from data.answers.tests import FoundTest, HistoryRow
from data.answers.trends import Point
from data.answers.verdicts import Failure, Verdict
from data.lake.connection import StoreError
from data.lake.lost_parts import local_data_file, lost_catalog
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter, parse_time
from data.queries import bugs, builds, compare, failures, gate, lookups, releases, results, runs, tests, trends
from data.settings import Settings, load
from data.sql_console.rules import check
from data.verdicts import durations, failure_rates, flaky_ranking, verdicts
from data.verdicts.rules import KINDS

ALL = 1_000_000  # rows: the limit where none is given
TIMES = frozenset({"started_at", "first_seen", "last_seen", "updated_at", "last_run_at", "day"})
CATEGORIES = frozenset(
    {"release", "version", "environment", "module", "topology", "priority", "status", "kind", "state", "result"}
    | {"host", "class", "series", "claim"}
)


class ReleaseScope(TypedDict, total=False):
    """The filters within a release, named as the URL parameters of the API."""

    version: str
    environment: str
    module: str
    priority: str
    topology: str
    runs: int
    exclude_flaky: bool
    include_storms: bool
    at_run: str


class Scope(ReleaseScope, total=False):
    release: str


class Tracker:
    """An open store, read-only. Each method returns a data frame; use it in a `with` block, or call `close`.

    Times are `datetime64[ns, UTC]`, durations seconds, ids text of 16 hexadecimal digits; names and states are
    categories. A run is given as its id, as "8.0 #42", or as a release such as "8.0": its newest finished run, in the
    environment that tests most unless one is given. A test is given as its id or its key `file::class::name`. Nested
    facts (evidence, counts of a side) stay dictionaries.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._store.close()

    @property
    def snapshot(self) -> int:
        """The snapshot that the answers come from."""
        return self._store.state().snapshot

    def at(self, as_of: int | str | datetime) -> Tracker:
        """The store as it was: at a snapshot id, or at a time (text is ISO 8601; without an offset it is UTC)."""
        if isinstance(as_of, str):
            as_of = parse_time(as_of, "as_of")
        elif isinstance(as_of, datetime) and as_of.tzinfo is not None:
            as_of = as_of.astimezone(UTC).replace(tzinfo=None)
        snapshot = self._store.snapshot_at(as_of).id if isinstance(as_of, datetime) else as_of
        return Tracker(self._store.at(snapshot))

    def releases(self) -> pd.DataFrame:
        """One row per release: its latest run, counts, pass rate and verdicts."""
        return _frame(releases.tiles(self._store), Tile)

    def runs(self, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Regression runs, newest first."""
        return _frame(runs.runs(self._store, self._filter(scope), limit), Run)

    def modules(self, run: str, base: str | None = None, **scope: Unpack[Scope]) -> pd.DataFrame:
        """The modules of a run, with the change against `base` (default: the newest earlier complete run)."""
        flt = self._filter(scope)
        base = base and self._run(base, flt)
        return _frame(runs.modules(self._store, self._run(run, flt), flt, base=base), Module)

    def builds(self, run: str | None = None, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Builds, newest first; with `run`, those of that run."""
        flt = self._filter(scope)
        return _frame(builds.builds(self._store, flt, limit, run=run and self._run(run, flt)), Build)

    def results(
        self, run: str, status: str | None = None, text: str | None = None, limit: int = ALL, **scope: Unpack[Scope]
    ) -> pd.DataFrame:
        """The final results of a run, the worst first; `text` is searched for in names and messages."""
        flt = self._filter(scope)
        return _frame(results.run_results(self._store, self._run(run, flt), flt, status, text, limit), Result)

    def verdicts(self, *kinds: str, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """The tests with a verdict, the worst first; `kinds` such as "regression" and "new_failure" narrow it."""
        if unknown := set(kinds) - set(KINDS):
            raise LookupError(f"No verdict kind {min(unknown)!r}; the kinds are {', '.join(KINDS)}.")
        wanted = tuple(kind for kind in KINDS if kind in kinds or not kinds)
        found = verdicts.verdicts(self._store, self._filter(scope), wanted, limit)
        return _frame(found, Verdict)

    def tests(self, text: str, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Tests whose name contains the text."""
        return _frame(tests.find(self._store, text, self._filter(scope), limit), FoundTest)

    def history(self, test: str, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """The final results of one test, newest first."""
        return _frame(tests.history(self._store, self._test(test), self._filter(scope), limit), HistoryRow)

    def failures(self, run: str | None = None, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Failure patterns of the newest runs, or of one run; those that hit most tests first."""
        flt = self._filter(scope)
        return _frame(failures.failures(self._store, flt, limit, run and self._run(run, flt)), Failure)

    def flaky(self, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Flaky tests, the most disturbing first."""
        return _frame(flaky_ranking.flaky(self._store, self._filter(scope), limit), Flaky)

    def rates(
        self, release: str, base: str | None = None, limit: int = ALL, **scope: Unpack[ReleaseScope]
    ) -> pd.DataFrame:
        """Tests that fail more often in the newest runs than before, or than in the release `base`."""
        found = failure_rates.regressions(self._store, self._filter({"release": release, **scope}), base, limit)
        return _with_attrs(found, "tests", RisingTest)

    def durations(self, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Tests whose duration changed for good: those that became slower by the most seconds first."""
        return _frame(durations.changed_tests(self._store, self._filter(scope), limit), ChangedTest)

    def trend(self, by: str = "run", group: str | None = None, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Counts by run or day, oldest first; `series` names the group: release, version, module, topology, lane."""
        found = trends.trend(self._store, self._filter(scope), by, group)["series"]
        return _frame([{"series": line["name"], **point} for line in found for point in line["points"]], Point)

    def compare(self, base: str, candidate: str, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Tests that differ between two runs, or failed in both; `class` says how. `attrs` has the runs and counts."""
        flt = self._filter(scope)
        found = compare.compare(self._store, self._run(base, flt), self._run(candidate, flt), flt, limit)
        assert found is not None  # both runs exist
        rows: list[ComparedFileRow] = [
            {"class": name, **row} for name in compare.CLASSES for row in found["classes"][name]
        ]
        return _with_attrs({**found, "classes": rows}, "classes", ComparedFileRow)

    def gate(
        self, run: str | None = None, baseline: str | None = None, max_new: int = 0, **scope: Unpack[Scope]
    ) -> pd.DataFrame:
        """The tests that count against a run; `attrs` has the `state` (passed, closed, unknown) and its `reason`."""
        found = gate.gate(self._store, self._filter(scope), run, baseline, max_new=max_new, limit=ALL)
        return _with_attrs(found, "tests", GateTest)

    def bugs(self, state: str | None = None, limit: int = ALL, **scope: Unpack[Scope]) -> pd.DataFrame:
        """Bugs of the tracker with how many of their tests fail; `state` is open or closed."""
        return _frame(bugs.bugs(self._store, self._filter(scope), state, limit=limit), ListedBug)

    def sql(self, select: str) -> pd.DataFrame:
        """One SELECT over the tables of the lake, with DuckDB's types; ids are integers here. Raises RefusedError for
        anything else than a SELECT that reads these tables."""
        check(json.loads(self._store.value("SELECT json_serialize_sql(?)", [select])))
        with self._store.read() as store:
            frame = store.frame(select)
        times = frame.select_dtypes("datetime").columns
        return frame.assign(**{name: _utc(frame[name]) for name in times})

    def _filter(self, scope: Scope) -> Filter:
        flt = Filter(**scope)
        if flt.release is not None and not lookups.exists(self._store, "release", flt.release):
            known = ", ".join(releases.choices(self._store, EVERYTHING)["releases"])
            raise LookupError(f"No release {flt.release!r} in this store; the releases are {known or '(none yet)'}.")
        if unknown := lookups.unknown_name(self._store, flt):
            near = lookups.names_like(self._store, *unknown)
            meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
            raise LookupError(f"No {unknown[0]} {unknown[1]!r} in this store{meant}")
        if flt.at_run is not None:
            flt = replace(flt, at_run=self._run(flt.at_run, replace(flt, at_run=None)))
        return flt

    def _run(self, name: str, flt: Filter) -> str:
        if lookups.exists(self._store, "release", name):
            newest = releases.run_of_release(self._store, Filter(name, environment=flt.environment))
            if newest is None:
                raise LookupError(f"Release {name!r} has no finished run.")
            return newest
        found = lookups.runs_by_name(self._store, name, flt)
        if not found:
            raise LookupError(
                f'No run {name!r} in this store: give an id of `runs()`, a name such as "8.0 #42", or a release.'
            )
        # A job that was recreated gives a number again, and means the newer run; several jobs or environments do not.
        lanes: dict[tuple[str, str | None], str] = {}
        for run in found:
            detail = runs.run(self._store, run, EVERYTHING)
            assert detail is not None  # it was found by its name
            lanes.setdefault((detail["job"], detail["environment"]), run)
        if len(lanes) > 1:
            meant = "; ".join(
                f"{run} ({job} in {environment or 'no environment'})" for (job, environment), run in lanes.items()
            )
            raise LookupError(f"{name!r} names {len(lanes)} runs, give the id of one: {meant}.")
        return found[0]

    def _test(self, name: str) -> str:
        test = lookups.current_id(self._store, ids.text(ids.of(name)) if "::" in name else name)
        if not lookups.exists(self._store, "test", test):
            raise LookupError(f"No test {name!r} in this store: give an id or a key, as `tests(text)` lists them.")
        return test


def connect(home_or_config: str | os.PathLike[str] | None, as_of: int | str | datetime | None) -> Tracker:
    """See `regtracker.connect`."""
    settings = _settings(home_or_config)
    catalog = settings.lake.local_catalog
    if catalog is not None and not catalog.exists():
        if file := local_data_file(settings):
            raise lost_catalog(settings, file)
        raise StoreError(
            f"There is no store at {catalog}. Give connect() the folder that REGTRACKER_HOME names, or the "
            "configuration file. `regtracker demo`, `up`, `poll` or `import` creates a store."
        )
    tracker = Tracker(Store.open(settings, memory_tables=True))
    return tracker if as_of is None else tracker.at(as_of)


def _settings(home_or_config: str | os.PathLike[str] | None) -> Settings:
    if home_or_config is None:
        return load()
    path = Path(home_or_config)
    if path.suffix != ".toml":
        return load(home=path)
    before = os.environ.get("REGTRACKER_CONFIG")
    os.environ["REGTRACKER_CONFIG"] = str(path)
    try:
        return load()
    finally:
        if before is None:
            del os.environ["REGTRACKER_CONFIG"]
        else:
            os.environ["REGTRACKER_CONFIG"] = before


def _frame(rows: Iterable[Mapping[str, Any]], row_type: type) -> pd.DataFrame:
    """The rows with typed columns; without rows, the columns of their type."""
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        frame = pd.DataFrame(columns=list(get_type_hints(row_type)), dtype=object)
    times = {name: _utc(frame[name]) for name in frame.columns if name in TIMES}
    return frame.assign(**times).astype({name: "category" for name in frame.columns if name in CATEGORIES})


def _with_attrs(found: Mapping[str, Any] | None, rows: str, row_type: type) -> pd.DataFrame:
    """The list `rows` of an answer as a frame, with the rest of the answer in its `attrs`."""
    frame = _frame(found[rows] if found else [], row_type)
    frame.attrs = {name: value for name, value in (found or {}).items() if name != rows}
    return frame


def _utc(times: pd.Series) -> pd.Series:
    return pd.to_datetime(times, utc=True, format="ISO8601").astype("datetime64[ns, UTC]")
