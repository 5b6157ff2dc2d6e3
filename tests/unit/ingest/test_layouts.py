"""Every layout against the simulator: each source has the builds that its truth names, however its jobs are nested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_server import store_of

from data.lake.store import Store
from data.settings import SourceSettings
from data.tasks.ledger import BUILD, LedgerEntry
from data.write import raw_files
from ingest.clock import utc_now
from ingest.pipeline import Pipeline
from ingest.simulator import Programme, SimulatorServer
from ingest.simulator.side_jobs import AXES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        yield server


@pytest.fixture(scope="module")
def store(server: SimulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """All sources, polled once."""
    sources = [SourceSettings(**values) for values in (*server.sources(), *server.extra_sources())]
    with store_of(tmp_path_factory.mktemp("layouts"), *sources) as store:
        for source in sources:
            assert Pipeline(store, source).poll().error is None
        yield store


def sources() -> list[str]:
    return ["sim-7.0", "sim-7.1", "sim-8.0", "libcore", "compat", "axes", "webapp", "platform", "suite", "nightly"]


@pytest.mark.parametrize("source", sources())
def test_a_source_holds_what_its_truth_says(server: SimulatorServer, store: Store, source: str) -> None:
    truth = server.truth()["sources"][source]
    (held,) = store.rows(
        """SELECT count(*) AS builds, sum(total)::INT AS results, sum(passed)::INT AS passed,
            sum(failed)::INT AS failed, sum(errors)::INT AS errors, sum(skipped)::INT AS skipped,
            (SELECT count(*) FROM results JOIN builds b USING (build)
             WHERE b.source = $source AND b.state = 'final') AS attempts
        FROM builds WHERE source = $source AND state = 'final'""",
        {"source": source},
    )
    assert {name: held[name] for name in truth} == truth


def test_every_build_of_an_orchestrator_has_the_counts_of_its_truth(server: SimulatorServer, store: Store) -> None:
    names = ("total", "passed", "failed", "errors", "skipped")
    reported = {
        (build["job"], build["build"]): (*(build[name] for name in names), build["release"], build["environment"])
        for build in server.truth(detail=True)["builds"]
    }
    held = {
        (row["job"], row["number"]): (*(row[name] for name in names), row["release"], row["environment"])
        for row in store.rows("SELECT * FROM builds WHERE source LIKE 'sim-%' AND state = 'final'")
    }
    assert held == reported


def test_runs_list_what_they_started(server: SimulatorServer, store: Store) -> None:
    reported = {
        (run["release"], run["run"]): {
            (f"qa/{run['release']}/{build['job']}", build["build"]) for build in run["builds"]
        }
        for run in server.truth()["runs"]
        if run["builds"]
    }
    held: dict[tuple[str, int], set] = {}
    for row in store.rows(
        """SELECT r.release, r.number AS run, b.job, b.number FROM runs r JOIN run_builds b USING (run)
        WHERE r.source LIKE 'sim-%'"""
    ):
        held.setdefault((row["release"], row["run"]), set()).add((row["job"], row["number"]))
    # A run that failed before it wrote its map lists nothing.
    assert held == {run: reported[run] for run in held} and len(held) >= len(reported) - 2


def test_a_branch_is_a_release(store: Store) -> None:
    rows = store.rows("SELECT DISTINCT release, module, job FROM builds WHERE source = 'webapp' ORDER BY release")
    assert {"release": "feature/x", "module": "webapp", "job": "webapp/feature%2Fx"} in rows
    assert "release/2.1" in {row["release"] for row in rows}


def test_builds_of_a_folder_are_grouped_by_what_the_configuration_says(store: Store) -> None:
    """By a parameter (platform) or by the build that started them (suite): as many runs as there were."""
    (platform,) = store.rows(
        """SELECT count(DISTINCT run) AS runs, count(*) AS builds, count(DISTINCT b.module) AS modules
        FROM runs r JOIN run_builds USING (run) JOIN builds b USING (build) WHERE r.source = 'platform'"""
    )
    assert platform["builds"] == 60 and platform["runs"] == 20
    rows = store.rows(
        """SELECT r.job, r.number, count(*) AS builds, min(b.started_at) >= any_value(r.started_at) AS after
        FROM runs r JOIN run_builds USING (run) JOIN builds b USING (build) WHERE r.source = 'suite' GROUP BY ALL"""
    )
    assert len(rows) == 12
    assert {(row["builds"], row["after"]) for row in rows} == {(2, True)}
    assert {row["job"] for row in rows}.isdisjoint({"suite-unit", "suite-system"})


@pytest.mark.parametrize("root", ["", "/"])
def test_the_root_of_a_jenkins_is_a_folder(server: SimulatorServer, store: Store, tmp_path: Path, root: str) -> None:
    (folder,) = [source for source in server.extra_sources() if source["name"] == "platform"]
    source = SourceSettings(**folder | {"name": "all", "job": root, "include": [f"{folder['job']}/*"]})
    with store_of(tmp_path, source) as all_of_it:
        assert Pipeline(all_of_it, source).poll().error is None
        held = "SELECT job, number, total, failed FROM builds WHERE source = $source ORDER BY ALL"
        assert all_of_it.rows(held, {"source": "all"}) == store.rows(held, {"source": "platform"}) != []


def test_an_axis_is_a_topology_and_older_axis_builds_are_left_out(store: Store) -> None:
    rows = store.rows("""SELECT DISTINCT topology FROM results JOIN builds b USING (build) WHERE b.source = 'compat'""")
    assert len(rows) > 1 and all("=" in row["topology"] for row in rows)
    assert store.value("SELECT count(*) FROM warnings WHERE message LIKE '%older builds of axes were left out'") > 0


def test_axes_that_only_their_own_builds_tell_of(store: Store) -> None:
    """A matrix build without report or files of its own: what its axis builds archived is read, per axis."""
    rows = store.rows(
        """SELECT b.number, r.topology, count(*) AS results FROM results r JOIN builds b USING (build)
        WHERE b.source = 'axes' AND is_final GROUP BY ALL"""
    )
    assert {row["results"] for row in rows} == {20}
    of_build = {number: {row["topology"] for row in rows if row["number"] == number} for number in (4, 5)}
    assert of_build[4] == set(AXES) and of_build[5] == set(AXES[:-1]), "the older build of an axis is left out"
    (build,) = store.rows("SELECT build, started_at FROM builds WHERE source = 'axes' AND number = 4")
    assert raw_files.read(store, build["build"], build["started_at"], f"{AXES[0]}//reports/junit.xml").startswith(b"<")


def test_a_second_poll_without_changes_writes_nothing(server: SimulatorServer, store: Store) -> None:
    """Of the sources all of whose builds could be read: of the others, failed builds are tried again some time."""
    before = store.snapshot().id
    for source in store.settings.source:
        if source.name in ("compat", "axes", "webapp", "platform", "suite"):
            poll = Pipeline(store, source).poll()
            assert (poll.found, poll.ingested, poll.failed) == (0, 0, 0)
    assert store.snapshot().id == before


def test_reading_all_again_gives_the_same_tables(server: SimulatorServer, store: Store) -> None:
    """Every build once more, as after a lost ledger: nothing is lost, doubled or changed."""
    source = store.settings.source[0]
    tables = ("results", "failures", "build_counts", "run_builds", "runs", "commits", "tests", "signatures")
    before = {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
    pipeline = Pipeline(store, source)
    builds = store.rows("SELECT source, job, number FROM builds WHERE source = ? AND state = 'final'", [source.name])
    entries = [LedgerEntry(**row, kind=BUILD, next_try=utc_now(), first_seen=utc_now()) for row in builds]
    pipeline.add(entries)
    pipeline.read(entries, force=True)
    assert pipeline.tally.ingested == len(builds)
    assert {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables} == before
