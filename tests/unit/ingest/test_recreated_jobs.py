"""Imports of recreated jobs: each generation has runs of its own, and the newest is judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from support.store_builder import START, World

from data.lake.store import Store
from data.model.filters import Filter
from data.queries import gate, releases, runs, trends
from data.verdicts import verdicts
from ingest.import_batches import import_builds
from ingest.import_plan import ImportKey

pytestmark = pytest.mark.usual_plans
Part = list[tuple[str, int, float, str]]  # module, number, days after START, letter of the test
REPORT = '<testsuite name="s"><testcase classname="{module}" name="a">{failure}</testcase></testsuite>'

MAY = [("a", 2, 0, "P"), ("a", 3, 1, "P"), ("a", 4, 2, "P"), ("a", 5, 3, "P")]
JUNE = [("a", 1, 30, "P"), ("a", 2, 31, "P"), ("a", 3, 32, "F")]
OF_B = [("b", number, (number - 2) * 1.0 + 0.1, "P") for number in range(2, 6)]
AGAIN_B = [("b", 1, 60, "P"), ("b", 2, 61, "P"), ("b", 3, 62, "F")]
ONGOING_B = [("b", number, 24.1 + number, "P") for number in range(6, 9)]


def last(part: Part, letter: str, days: float = 0) -> Part:
    return [*part[:-1], (*part[-1][:2], part[-1][2] + days, letter)]


# Release: the imports, and the runs from the oldest to the newest: (number, modules).
SCENARIOS: dict[str, tuple[list[Part], list[tuple[int, str]]]] = {
    "overlap": ([MAY, JUNE], [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a")]),
    "one import": ([MAY + JUNE], [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a")]),
    "reversed": ([JUNE, MAY], [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a")]),
    "shuffled": (
        [[one] for one in Random(3).sample(MAY + JUNE, 7)],
        [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a")],
    ),
    "join": ([MAY[2:], JUNE], [(4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a")]),
    "continued": (
        [[("a", 1, 0, "P"), ("a", 2, 1, "P"), ("a", 3, 2, "P")], [("a", 4, 30, "P"), ("a", 5, 31, "F")]],
        [(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "a")],
    ),
    "gap": ([[("a", 118, 0, "P"), ("a", 119, 1, "P")], JUNE], [(118, "a"), (119, "a"), (1, "a"), (2, "a"), (3, "a")]),
    "two jobs": (
        [MAY + OF_B, JUNE, AGAIN_B],
        [*((number, "ab") for number in range(2, 6)), *((n, "a") for n in (1, 2, 3)), *((n, "b") for n in (1, 2, 3))],
    ),
    "two jobs, newest first": (
        [AGAIN_B, JUNE, MAY + OF_B],
        [*((number, "ab") for number in range(2, 6)), *((n, "a") for n in (1, 2, 3)), *((n, "b") for n in (1, 2, 3))],
    ),
    "together": (
        [MAY + OF_B, [*JUNE, *(("b", number, days + 0.2, letter) for _, number, days, letter in JUNE)]],
        [*((number, "ab") for number in range(2, 6)), *((n, "ab") for n in (1, 2, 3))],
    ),
    "one of two": (
        [MAY + OF_B, ONGOING_B + JUNE, [("a", 4, 33, "P"), ("a", 5, 34, "P"), ("a", 6, 35, "F")]],
        [*((number, "ab") for number in range(2, 6)), (1, "a"), (6, "b"), (2, "a"), (7, "b"), (3, "a"), (8, "b"),
         (4, "a"), (5, "a"), (6, "a")],
    ),
    "twice": (
        [MAY, last(JUNE, "P"), [("a", 1, 60, "P"), ("a", 2, 61, "F")]],
        [(2, "a"), (3, "a"), (4, "a"), (5, "a"), (1, "a"), (2, "a"), (3, "a"), (1, "a"), (2, "a")],
    ),
}  # fmt: skip


def planned(folder: Path, release: str, part: Part) -> list[tuple[ImportKey, list[Path]]]:
    found = []
    for module, number, days, letter in part:
        path = folder / f"{release}-{module}-{number}-{days}.xml"
        path.write_text(REPORT.format(module=f"{release}.{module}", failure="<failure/>" if letter == "F" else ""))
        key = ImportKey(release, module, number, START - timedelta(days=200) + timedelta(days=days))
        found.append((key, [path]))
    return found


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("recreated")
    store = World.at(folder / "home", memory_tables=True).store
    for at in range(max(len(parts) for parts, _ in SCENARIOS.values())):
        builds = [one for release, (parts, _) in SCENARIOS.items() for part in parts[at : at + 1]
                  for one in planned(folder, release, part)]  # fmt: skip
        assert all(outcome.complete for outcome in import_builds(store, builds, lambda done, total: None))
    yield store
    store.close()


def contents(store: Store, release: str) -> list[tuple[int, str]]:
    """(number, modules) of the runs of a release, oldest first, with their builds in the order of their starts."""
    rows = store.rows(
        """SELECT run, string_agg(l.module, '' ORDER BY l.module) AS modules FROM run_builds l JOIN runs USING (run)
        WHERE release = $release GROUP BY run""",
        {"release": release},
    )
    modules = {f"{row['run']:016x}": row["modules"] for row in rows}
    return [(run["number"], modules[run["id"]]) for run in reversed(runs.runs(store, Filter(release)))]


@pytest.mark.parametrize("release", SCENARIOS)
def test_each_generation_has_runs_of_its_own_in_order(imported: Store, release: str) -> None:
    _, wanted = SCENARIOS[release]
    assert contents(imported, release) == wanted


@pytest.mark.parametrize("release", SCENARIOS)
def test_the_newest_generation_is_judged_on_every_screen(imported: Store, release: str) -> None:
    newest = SCENARIOS[release][1][-1][0]
    flt = Filter(release)
    answer = gate.gate(imported, flt)
    assert answer["run"] is not None
    assert (answer["run"]["number"], answer["state"], answer["new"]) == (newest, "closed", len(answer["tests"]))
    (tile,) = releases.tiles(imported, flt)
    (series,) = trends.trend(imported, flt)["series"]
    assert (tile["latest_run"]["id"], series["points"][-1]["number"]) == (answer["run"]["id"], newest)
    assert newest in [row["first_bad"]["number"] for row in verdicts.verdicts(imported, flt)]
