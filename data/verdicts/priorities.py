"""The priorities of tests, from the test metadata: look-ups, and conditions for SQL and for result arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from data.cache.result_arrays import BuildVersion, ResultRows
from data.lake.cached_query import cached_query, of_tables
from data.lake.store import Store
from data.model.filter_sql import Where
from data.model.filters import TestScope
from data.model.sql_values import SqlParameters

UNKNOWN = "unknown"  # the priority of a test without one in the metadata


def metadata_sql(store: Store) -> str:
    """SQL: priority, owner and removed of each test with metadata, in the release $metadata_release."""
    return f"""SELECT test, arg_max(priority, rank) AS priority, arg_max(owner, rank) AS owner,
        arg_max(removed, rank) AS removed
        FROM {store.derived_table("matched_metadata")}
        WHERE release IS NULL OR release = $metadata_release GROUP BY test"""


class Priorities(NamedTuple):
    """The priority of each test in a release: `names[code]`, one code per id in `tests` (ascending)."""

    tests: np.ndarray
    codes: np.ndarray
    names: list[str]

    def codes_of(self, tests: np.ndarray) -> np.ndarray:
        """The code of each of these tests: its index in `names`."""
        return self.codes[np.searchsorted(self.tests, tests)]


def release_priorities(store: Store, release: str) -> Priorities:
    """The priorities of all tests in a release."""
    return store.cached(
        ("priorities", release),
        lambda: _load_priorities(store, release),
        lambda found: found.codes.nbytes * 3,
        lambda: [("table", "tests"), ("table", "matched_metadata")],
    )


def _load_priorities(store: Store, release: str) -> Priorities:
    parameters: SqlParameters = {"metadata_release": release}
    metadata = metadata_sql(store)
    given = f"SELECT DISTINCT priority FROM ({metadata}) WHERE priority IS NOT NULL ORDER BY 1"
    names = [UNKNOWN, *(row["priority"] for row in store.rows(given, parameters))]
    found = store.cursor().execute(
        f"""SELECT t.test, coalesce(list_position($names::VARCHAR[], m.priority), 1)::SMALLINT - 1 AS code
        FROM tests t LEFT JOIN ({metadata}) m USING (test) ORDER BY t.test""",
        parameters | {"names": names},
    )
    columns = found.fetchnumpy()
    return Priorities(np.asarray(columns["test"]), np.asarray(columns["code"]), names)


def priorities_of_tests(store: Store, tests: Iterable[int], release: str | None) -> dict[int, str | None]:
    """Test -> priority in a release, for the tests with metadata."""
    rows = store.cursor().execute(
        f"""SELECT test, arg_max(priority, rank) FROM {store.derived_table("matched_metadata")}
        WHERE (release IS NULL OR release = $release) AND test IN (SELECT unnest($tests::BIGINT[])) GROUP BY test""",
        {"release": release, "tests": list(tests)},
    )
    return dict(rows.fetchall())


@cached_query(of_tables("tests", "matched_metadata"))
def tests_of_priority(store: Store, release: str | None, priority: str) -> frozenset[int]:
    """The tests with this priority in a release."""
    rows = store.cursor().execute(
        f"""SELECT t.test FROM tests t LEFT JOIN ({metadata_sql(store)}) m USING (test)
        WHERE coalesce(m.priority, '{UNKNOWN}') = $priority""",
        {"metadata_release": release, "priority": priority},
    )
    return frozenset(test for (test,) in rows.fetchall())


def add_priority(where: Where, store: Store, flt: TestScope, releases: Iterable[str]) -> None:
    """Restrict rows `r` of these releases to the tests of the filter's priority, if it has one."""
    if flt.priority is None:
        return
    pairs = [
        (release, test) for release in sorted(releases) for test in tests_of_priority(store, release, flt.priority)
    ]
    where.add(
        """(r.release, r.test) IN (
            SELECT unnest($priority_releases::VARCHAR[]), unnest($priority_tests::BIGINT[]))""",
        priority_releases=[release for release, _ in pairs],
        priority_tests=[test for _, test in pairs],
    )


def rows_in_filter(store: Store, flt: TestScope, rows: ResultRows, builds: Sequence[BuildVersion]) -> np.ndarray:
    """Boolean mask over `rows` (of these builds): those of the filter's module, topology and priority."""
    mask = rows.group_mask(flt.module, flt.topology)[rows.group]
    if flt.priority is None:
        return mask
    release = np.array([build.release for build in builds], dtype=object)[rows.build]
    for name in {build.release for build in builds}:
        with_priority = np.isin(rows.tests, list(tests_of_priority(store, name, flt.priority)))
        mask &= (release != name) | with_priority[rows.test]
    return mask
