"""A store of each earlier schema opens, and its rows are carried over."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from data.lake import migrations
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.run_record import RunRecord
from data.queries import runs
from data.settings import load

START = datetime(2026, 11, 1, 4, 0)
BEFORE_ENVIRONMENTS = [number for number, _ in migrations.available() if number < 5]


class OldStore:
    """A store with the migrations up to one of them, into which rows are put as that version wrote them."""

    def __init__(self, home: Path, schema: int, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = [(number, sql) for number, sql in migrations.available() if number <= schema]
        self.home = home
        self.rows: list[tuple[str, dict[str, Any]]] = []
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "available", lambda: wanted)
            patch.setattr(migrations, "INLINED_ROWS", {})  # it names tables of later migrations
            self.store = Store.open(load(home=home))

    def insert(self, table: str, **row: Any) -> None:
        self.rows.append((table, row))

    def build(
        self, job: str, number: int, environment: str, start: datetime, source: str = "import", **row: Any
    ) -> int:
        build = ids.of(source, job, number, start.isoformat())
        facts = {"release": job.partition("/")[0], "module": job.rpartition("/")[2], "started_at": start}
        self.insert(
            "builds",
            **facts | {"build": build, "source": source, "job": job, "number": number, "environment": environment}
            | {"version": f"1.{environment}", "duration_s": 60.0, "state": "final", "result": "SUCCESS", "total": 1}
            | {"parameters": "{}", "flags": "", "ingested_at": start} | row,
        )  # fmt: skip
        facts |= {"build": build}
        self.insert("results", **facts, test=1, topology="", attempt=1, is_final=True, status="passed")
        self.insert("failures", **facts, test=1, message="m")
        self.insert("build_counts", **facts, topology="", total=1)
        self.insert("commits", build=build, position=0, revision="c1")
        self.insert("warnings", build=build, path="p", message="m")
        self.insert("raw_files", build=build, started_at=start, path="import.json", kind="import", content=b"x")
        return build

    def run(self, job: str, number: int, environment: str, start: datetime, key: str = "", source: str = "import",
            release: str = "9.2", display_name: str | None = None) -> int:  # fmt: skip
        run = ids.of(source, job, number, key or start.isoformat(), release)
        shown = key.partition("=")[2] if display_name is None else display_name
        facts = {"source": source, "job": job, "number": number, "release": release, "environment": environment}
        facts |= {"started_at": start, "duration_s": 60.0, "state": "final", "result": "SUCCESS", "version": "1.2"}
        self.insert("runs", run=run, **facts, display_name=shown, url="")
        return run

    def lists(self, run: int, job: str, number: int, build: int | None, source: str = "import") -> None:
        module = job.rpartition("/")[2]
        self.insert("run_builds", run=run, source=source, job=job, number=number, module=module, build=build)

    def migrated(self) -> Store:
        """The rows, written at once, and the migrations since then."""

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            for table, row in self.rows:
                columns = ", ".join(f"${name} AS {name}" for name in row)
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT {columns}", row)

        self.store.transact("test", "rows", write)
        self.store.close()
        return Store.open(load(home=self.home))


def shown(store: Store) -> dict[tuple[str, int, str], list[tuple[str, int, int | None]]]:
    """(job, number, environment) of each run, with (job, number, build) of what it lists."""
    rows = store.rows(
        """SELECT r.job, r.number, r.environment, list((rb.job, rb.number, rb.build) ORDER BY rb.job)
            FILTER (rb.job IS NOT NULL) AS builds
        FROM runs r LEFT JOIN run_builds rb USING (run) GROUP BY r.run, r.job, r.number, r.environment"""
    )
    return {(row["job"], row["number"], row["environment"]): row["builds"] or [] for row in rows}


def aliases(store: Store, kind: str) -> dict[int, int]:
    return {row["old"]: row["new"] for row in store.rows(f"SELECT old, new FROM id_aliases WHERE kind = '{kind}'")}


@pytest.mark.parametrize("schema", BEFORE_ENVIRONMENTS)
def test_each_kind_of_run_gets_the_id_that_ingest_would_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: int
) -> None:
    old = OldStore(tmp_path, schema, monkeypatch)
    odd = START + timedelta(microseconds=120_500)
    ids_before = [
        old.run("qa/RUN", 812, "staging", odd, source="ci", display_name="VER: 9.2.0.1"),
        old.run("9.2", 7, "prod", START, key="run=7"),
        old.run("qa", 41, "prod", START, key="ID=41", source="ci"),
    ]
    build = old.build("qa/a", 3, "prod", START, "ci", parameters='{"X": "1", "ID": "41"}', release="9.2")
    old.lists(ids_before[2], "qa/a", 3, build, "ci")
    store = old.migrated()
    try:
        wanted = [
            RunRecord("ci", "qa/RUN", 812, "9.2", odd, environment="staging"),
            RunRecord("import", "9.2", 7, "9.2", START, environment="prod", key="run=7"),
            RunRecord("ci", "qa", 41, "9.2", START, environment="prod", key="ID=41"),
        ]
        rows = {row["run"]: row["key"] for row in store.rows("SELECT run, key FROM runs")}
        assert rows == {run.id: run.key for run in wanted}
        assert aliases(store, "run") == dict(zip(ids_before, [run.id for run in wanted], strict=True))
        assert shown(store)["qa", 41, "prod"] == [("qa/a", 3, build)]
        assert len(store.rows("FROM migrations")) == len(migrations.available())
    finally:
        store.close()


@pytest.mark.usefixtures("usual_threads")
def test_a_run_of_two_environments_is_split_by_its_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older version had given the run to the environment of the last import, and one build to no run at all."""
    old = OldStore(tmp_path, BEFORE_ENVIRONMENTS[-1], monkeypatch)
    later = START + timedelta(hours=1)
    both = old.run("9.2", 7, "staging", START, key="run=7")
    prod = old.build("9.2/routing", 7, "prod", START)
    staging = old.build("9.2/routing", 7, "staging", later)
    other = old.build("9.2/ui", 7, "staging", later)
    old.lists(both, "9.2/routing", 7, prod)
    old.lists(both, "9.2/ui", 7, other)
    parent = old.run("qa/RUN", 812, "prod", START, source="ci", display_name="VER: 9.2.0.1")
    here = old.build("qa/a", 1, "prod", START, "ci", release="9.2")
    there = old.build("qa/b", 2, "staging", START, "ci", release="9.2")
    for job, number, build in (("qa/a", 1, here), ("qa/b", 2, there), ("qa/c", 3, None)):
        old.lists(parent, job, number, build, "ci")
    store = old.migrated()
    try:
        moved = aliases(store, "build")
        assert shown(store) == {
            ("9.2", 7, "prod"): [("9.2/routing/prod", 7, moved[prod])],
            ("9.2", 7, "staging"): [("9.2/routing/staging", 7, moved[staging]), ("9.2/ui/staging", 7, moved[other])],
            ("qa/RUN", 812, "prod"): [("qa/a", 1, here), ("qa/c", 3, None)],
            ("qa/RUN", 812, "staging"): [("qa/b", 2, there)],
        }
        facts = store.rows("SELECT environment, started_at, version FROM runs WHERE job = '9.2' ORDER BY environment")
        assert [tuple(row.values()) for row in facts] == [("prod", START, "1.prod"), ("staging", later, "1.staging")]
        run = RunRecord("import", "9.2", 7, "9.2", START, environment="staging", key="run=7")
        assert aliases(store, "run")[both] == run.id
        for table in ("builds", "results", "failures", "build_counts", "commits", "warnings", "raw_files"):
            found = {row["build"] for row in store.rows(f"SELECT build FROM {table}")}
            assert found == {*moved.values(), here, there}
        assert moved[prod] == ids.of("import", "9.2/routing/prod", 7, START.isoformat())
    finally:
        store.close()


def test_modules_that_named_one_run_join_it_whatever_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = OldStore(tmp_path, BEFORE_ENVIRONMENTS[-1], monkeypatch)
    for number, module in ((3, "ui"), (9, "routing")):
        run = old.run("9.2", number, "default", START, key="run=nightly", source="upload")
        build = old.build(f"9.2/{module}", number, "default", START, "upload")
        old.lists(run, f"9.2/{module}", number, build, "upload")
    store = old.migrated()
    try:
        (builds,) = shown(store).values()
        assert [job for job, _, _ in builds] == ["9.2/routing", "9.2/ui"]
        run = RunRecord("upload", "9.2", 3, "9.2", START, key="run=nightly")
        assert set(aliases(store, "run").values()) == {run.id}
    finally:
        store.close()


def test_builds_that_were_only_flagged_lack_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = OldStore(tmp_path, 7, monkeypatch)
    facts: dict[str, dict[str, Any]] = {
        "cut": {"flags": "no_release recovered"},
        "unread": {"flags": "not_read"},
        "short": {"flags": "declared_differs"},
        "more": {"flags": "declared_differs"},
        "whole": {"flags": "no_raw"},
        "unexplained": {"result": "FAILURE", "failed": 0},
        "failed": {"result": "FAILURE", "failed": 1},
    }
    builds = {name: old.build(f"7.0/{name}", 1, "prod", START, **row) for name, row in facts.items()}
    for name, text in (("short", "declares 40 tests, 12 were read"), ("more", "declares 0 failures, 1 was read")):
        old.insert("warnings", build=builds[name], path="a.xml", message=text)
    for name in ("whole", "cut"):
        old.lists(old.run(f"7.0/{name}", 1, "prod", START), f"7.0/{name}", 1, builds[name])
    store = old.migrated()
    try:
        found = store.rows("SELECT module, missing_results AS why, flags FROM builds WHERE missing_results IS NOT NULL")
        assert {row["module"]: row["why"] for row in found} == {
            "cut": "a report is malformed",
            "unread": "a test report is of a kind that is not read",
            "short": "more tests or failures were declared than read",
            "unexplained": "Jenkins calls it FAILURE, but no test that was read failed",
        }
        assert {row["module"]: row["flags"] for row in found}["unexplained"] == "unexplained"
        states = {row["job"]: row["state"] for row in runs.runs(store, Filter())}
        assert states == {"7.0/whole": "ok", "7.0/cut": "incomplete"}
        (before,) = store.cursor().execute("SELECT max(snapshot_id) - 1 FROM lake.snapshots()").fetchone() or ()
        assert {row["state"] for row in runs.runs(store, Filter(as_of=before))} == {"ok"}
    finally:
        store.close()
