"""The result arrays equal the rows of the lake, even after a build was read again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest
from support.store_builder import START, World, cases, held

from data.cache import result_arrays
from data.model.build_record import BuildRecord
from data.model.filters import Filter
from data.verdicts import verdicts
from data.verdicts.lanes import lane_window
from data.write import builds as append

pytestmark = [pytest.mark.usual_plans, pytest.mark.usefixtures("usual_threads")]
SEVEN = Filter(release="7.0")


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def cached(world: World, builds) -> Counter:
    """The rows in memory, as SQL would give them."""
    rows = world.store.result_arrays.rows(world.store, builds, 0)
    signatures = dict(zip(rows.failed.tolist(), rows.signature.tolist(), strict=True))
    found = Counter()
    for row, (index, test, group, flag) in enumerate(
        zip(rows.build.tolist(), rows.test.tolist(), rows.group.tolist(), rows.flag.tolist(), strict=True)
    ):
        assert row in range(*rows.rows_of(index).indices(len(rows.flag)))
        status = "failed" if flag & result_arrays.FAILED else "passed" if flag & result_arrays.PASSED else "skipped"
        row_key = (builds[index].build, int(rows.tests[test]), *rows.groups[group], status)
        row_key += (bool(flag & result_arrays.FINAL), bool(flag & result_arrays.RERUN), signatures.get(row, -1))
        found[(*row_key, round(float(rows.seconds[row]), 3))] += 1
    return found


def stored(world: World) -> Counter:
    rows = world.store.cursor().execute(
        """SELECT build, test, module, topology, host, status, is_final, attempt > 1,
            if(status = 'failed', coalesce(signature, -1), -1), round(duration_s::DOUBLE, 3) FROM results"""
    )
    return Counter(rows.fetchall())


def fill(world: World, runs: int = 4) -> None:
    contents = []
    for run in range(runs):
        of_two = [
            cases("m", {"a": "P", "b": "FP", "c": "FF", "d": "S"}, topology="3s", host="h1", seconds=1.25 + run),
            cases("m", {"a": "F" if run % 2 else "P", "d": "P"}, topology="5s", host="h2"),
            cases("guest", {"g": "P"}, topology="", host="h1"),
        ]
        contents.append({"m": pa.concat_tables(of_two), "n": {"x": "P", "y": "F"}})
    world.series(contents[: runs // 2])
    world.series(contents[runs // 2 :])


def test_every_row_is_there_as_the_lake_holds_it(world):
    fill(world)
    builds = lane_window(world.store, SEVEN, 10).builds
    assert cached(world, builds) == stored(world) and len(builds) == 8
    assert cached(world, builds) == stored(world)  # from memory
    assert cached(world, builds[2:5]) == cached(world, list(reversed(builds[2:5])))
    assert cached(world, []) == Counter()


def test_more_than_may_be_kept_is_answered_all_the_same(world, monkeypatch):
    monkeypatch.setattr(result_arrays, "MAX_ROWS", 12)
    monkeypatch.setattr(result_arrays, "BUILDS_PER_QUERY", 3)
    fill(world)
    builds = lane_window(world.store, SEVEN, 10).builds
    for _ in range(2):
        assert cached(world, builds) == stored(world)
    assert len(world.store.result_arrays) < len(builds)


def test_a_build_that_comes_again_is_judged_anew(world):
    world.series([{"m": {"a": "P"}} for _ in range(3)])
    assert verdicts.verdicts(world.store, SEVEN) == []

    def read_again(cursor) -> None:
        job, at = "qa/7.0/M", START + timedelta(hours=12 * 3, minutes=5)
        build = BuildRecord(
            source="ci", job=job, number=3, started_at=at, release="7.0", module="m", environment="prod",
            state="final", **held(cases("m", {"a": "F"})),
        )  # fmt: skip
        append.upsert_builds(cursor, [build], START + timedelta(days=9))

    world.store.transact("test", "again", read_again)
    assert [row["kinds"] for row in verdicts.verdicts(world.store, SEVEN)] == [["new_failure"]]


def test_the_past_is_judged_by_what_was_known_then(world):
    world.series([{"m": {"a": "P"}} for _ in range(3)])
    then = world.store.snapshot().id
    world.run({"m": {"a": "F"}})
    assert len(verdicts.verdicts(world.store, SEVEN)) == 1
    assert verdicts.verdicts(world.store, Filter(release="7.0", as_of=then)) == []
