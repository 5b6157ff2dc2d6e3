"""Whether a store holds everything that the simulator has, once."""

from __future__ import annotations

from typing import Any

from data.lake.store import Store
from ingest.simulator import SimulatorServer

NAMES = ("total", "passed", "failed", "errors", "skipped")


def stored_builds(store: Store) -> dict[tuple[str, int], tuple]:
    rows = store.rows("SELECT * FROM builds WHERE state = 'final'")
    return {(row["job"], row["number"]): tuple(row[name] for name in NAMES) for row in rows}


def expected_builds(server: SimulatorServer, release: str = "7.0") -> dict[tuple[str, int], tuple]:
    truth: Any = server.truth(detail=True)
    return {
        (build["job"], build["build"]): tuple(build[name] for name in NAMES)
        for build in truth["builds"]
        if build["release"] == release
    }


def assert_whole(store: Store, server: SimulatorServer) -> None:
    """Every build and every attempt of release 7.0 once, and every number made of them."""
    assert stored_builds(store) == expected_builds(server)
    document: Any = server.truth()
    truth = document["sources"]["sim-7.0"]
    assert store.value("SELECT count(*) FROM results") == truth["attempts"]
    assert store.value("SELECT count(*) FROM results WHERE is_final") == truth["results"]
    assert store.value("SELECT sum(total)::INT FROM build_counts") == truth["results"]
    doubled = """SELECT count(*) - count(DISTINCT (build, test, topology, attempt)) FROM results
        UNION ALL SELECT count(*) - count(DISTINCT build) FROM builds
        UNION ALL SELECT count(*) - count(DISTINCT run) FROM runs
        UNION ALL SELECT count(*) - count(DISTINCT test) FROM tests
        UNION ALL SELECT count(*) - count(DISTINCT signature) FROM signatures
        UNION ALL SELECT count(*) - count(DISTINCT (run, source, job, number)) FROM run_builds
        UNION ALL SELECT count(*) - count(DISTINCT (build, path)) FROM raw_files
        UNION ALL SELECT count(*) - count(DISTINCT (source, job, number)) FROM ledger
        UNION ALL SELECT count(*) FROM results WHERE build NOT IN (SELECT build FROM builds)
        UNION ALL SELECT count(*) FROM results WHERE test NOT IN (SELECT test FROM tests)"""
    assert {row[0] for row in store.cursor().execute(doubled).fetchall()} == {0}
