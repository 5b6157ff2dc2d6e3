"""Every verdict of every kind, computed again from the JSON of its evidence, and its sentence with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.store_builder import World

from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries import compare, failures, matrix, runs
from data.settings import MeasureSettings
from data.verdicts import durations, evidence, failure_rates, flaky, suspects, verdicts
from data.verdicts.disturbances import lists
from data.verdicts.evidence.comparison import CLASSES
from data.verdicts.statistics.change_points import THRESHOLD
from data.verdicts.statistics.fisher import fisher
from data.verdicts.statistics.intervals import wilson

SEVEN = Filter(release="7.0")


def rows(store: Store) -> Iterator[dict[str, Any]]:
    judged = verdicts.verdicts(store, Filter())
    yield from judged
    yield from (
        {**row, "evidence": row["evidence"]["change_point"], "sentence": None} for row in judged if row["range_99"]
    )
    for row in judged:
        yield from suspects.suspects(store, row["test"], Filter(release=row["release"]))
    yield from lists.storm_list(store, SEVEN)
    yield from lists.host_list(store, SEVEN)
    yield from flaky.flaky(store, SEVEN)
    for base in (None, "6.0"):
        yield from failure_rates.regressions(store, SEVEN, base)["tests"]
    yield from durations.changed_tests(store, SEVEN)
    yield from durations.changed_modules(store, SEVEN)
    yield from failures.failures(store, SEVEN)
    for axis in matrix.AXES:
        yield from (cell for row in matrix.matrix(store, "7.0", by=axis)["rows"] for cell in row["cells"])
    newest, older = (runs.runs(store, SEVEN)[place]["id"] for place in (0, 15))
    for found in (compare.compare(store, older, newest), compare.releases(store, "6.0", "7.0")):
        for name, tests in found["classes"].items():
            yield from ({**test, "class": name} for test in tests)


def test_every_verdict_and_every_sentence_follows_from_its_evidence(programme):
    told = set()
    for row in rows(programme):
        evidence_ = orjson.loads(orjson.dumps(row["evidence"]))
        told.add(evidence_["rule"])
        judged = orjson.loads(orjson.dumps(evidence.judge(evidence_)))
        shown = {name: value for name, value in judged.items() if name in row}
        assert shown, evidence_["rule"]
        assert orjson.loads(orjson.dumps({name: row[name] for name in shown})) == shown
        said = evidence.sentence(evidence_)
        assert said.endswith(".") and "None" not in said and "nan" not in said
        assert row["sentence"] in (None, said)
    assert told == set(evidence.RULES)


def test_what_a_verdict_prints_is_what_the_statistics_say(programme):
    for row in verdicts.verdicts(programme, SEVEN):
        told = row["evidence"]
        judged = told["statuses"][-told["window"] :]
        assert (told["failed"], told["of"]) == (judged.count("F"), len(judged))
        low, high = wilson(told["failed"], told["of"])
        assert told["interval_95"] == [pytest.approx(low), pytest.approx(high)]
        assert len(told["runs"]) == len(told["numbers"]) == len(told["statuses"])
    for row in failure_rates.regressions(programme, SEVEN)["tests"]:
        base, sample = row["base"], row["sample"]
        assert row["p"] == pytest.approx(float(fisher(base["failed"], base["of"], sample["failed"], sample["of"])))
        assert row["claim"] == "suspected" or row["p"] <= row["evidence"]["cut_open"]


def test_the_settings_accept_a_change_where_the_statistics_do():
    assert MeasureSettings().change_point_l == THRESHOLD


sides = st.builds(
    lambda passed, failed, skipped: {"of": "#1", "passed": passed, "failed": failed, "skipped": skipped},
    *(st.integers(0, 2),) * 3,
)


@given(sides, sides)
def test_the_seven_classes_leave_out_nothing_that_differs(base, candidate):
    told = {"rule": "class", "base": base, "candidate": candidate, "kinds": []}
    judged = evidence.judge(told)
    same = judged["before"] == judged["after"]
    assert (judged["class"] is None) == (same and judged["after"] != "failed")
    assert judged["class"] in (*CLASSES, None)
    assert evidence.sentence(told).endswith(".")


def test_sql_and_evidence_class_every_pair_of_statuses_alike(tmp_path):
    letters = {"P": "passed", "F": "failed", "S": "skipped", "-": None}
    world = World.at(tmp_path)
    pairs = [before + after for before in letters for after in letters if before + after != "--"]
    world.history({pair: pair for pair in pairs})
    found = compare.compare(world.store, *(ids.text(run.id) for run in world.runs))
    seen = {row["name"]: name for name, rows_ in found["classes"].items() for row in rows_}
    for pair in pairs:
        told: dict[str, Any] = {"rule": "class", "kinds": []}
        for side, letter in zip(("base", "candidate"), pair, strict=True):
            counts = {status: int(status == letters[letter]) for status in ("passed", "failed", "skipped")}
            told[side] = {"of": "", **counts}
        assert seen.get(pair) == evidence.judge(told)["class"], pair
    assert sum(found["counts"].values()) == len(seen)
