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
from data.verdicts import durations, failure_rates, flaky_ranking, suspects, verdicts
from data.verdicts.disturbances import lists
from data.verdicts.evidence import judging as evidence
from data.verdicts.evidence.comparison import CLASSES
from data.verdicts.statistics.change_points import THRESHOLD
from data.verdicts.statistics.fisher import fisher
from data.verdicts.statistics.intervals import wilson

SEVEN = Filter(release="7.0")


def rows(store: Store) -> Iterator[dict[str, Any]]:
    verdict_rows = verdicts.verdicts(store, Filter())
    yield from verdict_rows
    yield from (
        {**row, "evidence": row["evidence"]["change_point"], "sentence": None}
        for row in verdict_rows
        if row["range_99"]
    )
    for row in verdict_rows:
        yield from suspects.suspects(store, row["test"], Filter(release=row["release"]))
    yield from lists.storm_list(store, SEVEN)
    yield from lists.host_list(store, SEVEN)
    yield from flaky_ranking.flaky(store, SEVEN)
    for base in (None, "6.0"):
        yield from failure_rates.regressions(store, SEVEN, base)["tests"]
    yield from durations.changed_tests(store, SEVEN)
    yield from durations.changed_modules(store, SEVEN)
    yield from failures.failures(store, SEVEN)
    for axis in matrix.AXES:
        yield from (cell for row in matrix.matrix(store, "7.0", by=axis)["rows"] for cell in row["cells"])
    newest, older = (runs.runs(store, SEVEN)[index]["id"] for index in (0, 15))
    for found in (compare.compare(store, older, newest), compare.releases(store, "6.0", "7.0")):
        for name, tests in found["classes"].items():
            yield from ({**test, "class": name} for test in tests)


def test_every_verdict_and_every_sentence_follows_from_its_evidence(programme):
    rules = set()
    for row in rows(programme):
        evidence_ = orjson.loads(orjson.dumps(row["evidence"]))
        rules.add(evidence_["rule"])
        derived = orjson.loads(orjson.dumps(evidence.judge(evidence_)))
        shown = {name: value for name, value in derived.items() if name in row}
        assert shown, evidence_["rule"]
        assert orjson.loads(orjson.dumps({name: row[name] for name in shown})) == shown
        sentence = evidence.sentence(evidence_)
        assert sentence.endswith(".") and "None" not in sentence and "nan" not in sentence
        assert row["sentence"] in (None, sentence)
    assert rules == set(evidence.RULES)


def test_what_a_verdict_prints_is_what_the_statistics_say(programme):
    for row in verdicts.verdicts(programme, SEVEN):
        found = row["evidence"]
        in_window = found["statuses"][-found["window"] :]
        assert (found["failed"], found["of"]) == (in_window.count("F"), len(in_window))
        low, high = wilson(found["failed"], found["of"])
        assert found["interval_95"] == [pytest.approx(low), pytest.approx(high)]
        assert len(found["runs"]) == len(found["numbers"]) == len(found["statuses"])
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
    evidence_ = {"rule": "class", "base": base, "candidate": candidate, "kinds": []}
    derived = evidence.judge(evidence_)
    same = derived["before"] == derived["after"]
    assert (derived["class"] is None) == (same and derived["after"] != "failed")
    assert derived["class"] in (*CLASSES, None)
    assert evidence.sentence(evidence_).endswith(".")


def test_sql_and_evidence_class_every_pair_of_statuses_alike(tmp_path):
    letters = {"P": "passed", "F": "failed", "S": "skipped", "-": None}
    world = World.at(tmp_path)
    pairs = [before + after for before in letters for after in letters if before + after != "--"]
    world.history({pair: pair for pair in pairs})
    found = compare.compare(world.store, *(ids.text(run.id) for run in world.runs))
    seen = {row["name"]: name for name, rows_ in found["classes"].items() for row in rows_}
    for pair in pairs:
        evidence_: dict[str, Any] = {"rule": "class", "kinds": []}
        for side, letter in zip(("base", "candidate"), pair, strict=True):
            counts = {status: int(status == letters[letter]) for status in ("passed", "failed", "skipped")}
            evidence_[side] = {"of": "", **counts}
        assert seen.get(pair) == evidence.judge(evidence_)["class"], pair
    assert sum(found["counts"].values()) == len(seen)
