"""Histories of real projects, replayed run by run: what the verdicts said when it mattered."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from support.store_builder import World, cases

from data.model import ids
from data.model.filters import Filter
from data.verdicts import verdicts

LASTING = 5  # failures in a row after a pass
Breakage = tuple[str, list[int]]  # test, the cycles in which it failed


def read(file: Path) -> dict[int, dict[str, str]]:
    """Cycle -> test -> P or F, the worst where a test has several results."""
    found: dict[int, dict[str, str]] = {}
    with gzip.open(file, "rt") as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            statuses = found.setdefault(int(row["Cycle"]), {})
            statuses[row["Name"]] = "F" if row["Verdict"] == "1" else statuses.get(row["Name"], "P")
    return dict(sorted(found.items()))


def lasting_breakages(cycles: dict[int, dict[str, str]]) -> list[Breakage]:
    histories: dict[str, list[tuple[int, str]]] = {}
    for cycle, statuses in cycles.items():
        for test, status in statuses.items():
            histories.setdefault(test, []).append((cycle, status))
    found = []
    for test, history in histories.items():
        letters = "".join(letter for _, letter in history)
        start = letters.find("PF")
        while start >= 0:
            end = letters.find("P", start + 1)
            failed = [cycle for cycle, _ in history[start + 1 : len(letters) if end < 0 else end]]
            if len(failed) >= LASTING:
                found.append((test, failed))
            start = letters.find("PF", start + 1)
    return found


def without_texts(statuses: dict[str, str]) -> pa.Table:
    """The results of one cycle; the histories have no failure texts."""
    table = cases("m", statuses)
    for name in ("signature", "pattern", "message", "trace"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, pa.nulls(len(table), table.schema.field(name).type))
    return table


@pytest.mark.slow
def test_every_lasting_breakage_of_a_seldom_run_suite_was_a_regression_by_its_fifth_failure(histories, tmp_path):
    """ABB's tests run when they are selected: half of the gaps between two results are longer than eight cycles."""
    cycles = read(histories / "iofrol.csv.gz")
    breakages = lasting_breakages(cycles)
    assert len(breakages) == 106
    world = World.at(tmp_path, memory_tables=True)
    world.series(({"m": without_texts(statuses)}, {"number": cycle}) for cycle, statuses in cycles.items())
    run_of = {cycle: ids.text(run.id) for cycle, run in zip(cycles, world.runs, strict=True)}
    named = 0
    for cycle in sorted({failed[LASTING - 1] for _, failed in breakages}):
        _, found = verdicts.judge_tests(world.store, Filter("7.0", at_run=run_of[cycle]))
        kinds = {verdict.test_lane.test: verdict.kinds for verdict in found}
        due = [test for test, failed in breakages if failed[LASTING - 1] == cycle]
        named += sum("regression" in kinds.get(ids.of("tests/m/m_test.py", "TestIt", test), ()) for test in due)
    assert named == 106
