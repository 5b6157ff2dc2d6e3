"""The priority of tests, which the overlay of metadata gives them: which tests have one, and how SQL asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from data.cache.result_arrays import BuildVersion, ResultRows
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model.filters import Filter

# One row a base name: what a release says of it wins over the global row.
METADATA = """SELECT base_name, arg_max(priority, release IS NOT NULL) AS priority,
    arg_max(owner, release IS NOT NULL) AS owner, arg_max(removed, release IS NOT NULL) AS removed
    FROM test_metadata WHERE release IS NULL OR release = $metadata_release GROUP BY base_name"""
UNKNOWN = "unknown"  # the priority of a test that no metadata gives one


class Priorities(NamedTuple):
    """What each test of a release has: `place` in `names`, by the rising ids of `tests`."""

    tests: np.ndarray
    place: np.ndarray
    names: list[str]

    def places(self, tests: np.ndarray) -> np.ndarray:
        """The place in `names` of each of these tests."""
        return self.place[np.searchsorted(self.tests, tests)]


def of_release(store: Store, release: str) -> Priorities:
    """Of every test, as the metadata of a release tells it."""
    key = ("priorities", release, store.refresh().id)
    return store.intermediate.get(key, lambda: _of_release(store, release), lambda found: found.place.nbytes * 3)


def _of_release(store: Store, release: str) -> Priorities:
    parameters: dict[str, Any] = {"metadata_release": release}
    given = f"SELECT DISTINCT priority FROM ({METADATA}) WHERE priority IS NOT NULL ORDER BY 1"
    names = [UNKNOWN, *(row["priority"] for row in store.rows(given, parameters))]
    found = store.cursor().execute(
        f"""SELECT t.test, coalesce(list_position($names::VARCHAR[], m.priority), 1)::SMALLINT - 1 AS place
        FROM tests t LEFT JOIN ({METADATA}) m USING (base_name) ORDER BY t.test""",
        parameters | {"names": names},
    )
    columns = found.fetchnumpy()
    return Priorities(columns["test"], columns["place"], names)


def of_names(store: Store, base_names: Iterable[str], release: str | None) -> dict[str, str | None]:
    """By base name, of those that metadata knows: the priority in a release."""
    rows = store.cursor().execute(
        """SELECT release IS NOT NULL, base_name, priority FROM test_metadata WHERE priority IS NOT NULL
        AND (release IS NULL OR release = $release) AND base_name IN (SELECT unnest($names::VARCHAR[]))""",
        {"release": release, "names": list(base_names)},
    )
    return {name: priority for _, name, priority in sorted(rows.fetchall())}  # what a release says comes last


@cached_query
def of_priority(store: Store, release: str, priority: str) -> frozenset[int]:
    """The tests that have this priority in a release."""
    rows = store.cursor().execute(
        f"""SELECT t.test FROM tests t LEFT JOIN ({METADATA}) m USING (base_name)
        WHERE coalesce(m.priority, '{UNKNOWN}') = $priority""",
        {"metadata_release": release, "priority": priority},
    )
    return frozenset(test for (test,) in rows.fetchall())


def prioritized(store: Store, flt: Filter, releases: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """SQL over columns release and test of `r`, to be added to a WHERE: the tests of the filter's priority, where it
    has one; and its parameters."""
    if flt.priority is None:
        return "", {}
    pairs = [(release, test) for release in sorted(releases) for test in of_priority(store, release, flt.priority)]
    return (
        """ AND (r.release, r.test) IN (
            SELECT unnest($priority_releases::VARCHAR[]), unnest($priority_tests::BIGINT[]))""",
        {"priority_releases": [release for release, _ in pairs], "priority_tests": [test for _, test in pairs]},
    )


def within(store: Store, flt: Filter, rows: ResultRows, builds: Sequence[BuildVersion]) -> np.ndarray:
    """Which rows (of these builds) are of the filter's module, topology and priority."""
    its = rows.group_mask(flt.module, flt.topology)[rows.group]
    if flt.priority is None:
        return its
    release = np.array([build.release for build in builds], dtype=object)[rows.build]
    for name in {build.release for build in builds}:
        of = np.isin(rows.tests, list(of_priority(store, name, flt.priority)))
        its &= (release != name) | of[rows.test]
    return its
