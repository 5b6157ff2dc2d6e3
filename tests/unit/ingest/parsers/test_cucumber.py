"""Cucumber JSON of several implementations."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import cucumber, detect
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def step(status: str, name: str = "it works", **fields: object) -> dict:
    return {"keyword": "Given ", "name": name, "result": {"status": status, "duration": 500_000_000, **fields}}


def scenario(name: str, *steps: dict, **fields: object) -> dict:
    return {"name": name, "keyword": "Scenario", "type": "scenario", "steps": list(steps), **fields}


def feature(*elements: dict, **fields: object) -> dict:
    return {
        "uri": "file:features/dock.feature",
        "keyword": "Feature",
        "name": "Dock",
        "elements": list(elements),
    } | fields


def read(*features: dict) -> Report:
    return cucumber.parse(io.BytesIO(json.dumps(features).encode()))


def test_scenarios_of_a_feature():
    failed = step("failed", "a rope", error_message="AssertionError: too short\n  at rope.js:3")
    report = read(
        feature(
            scenario("ties", step("passed"), step("passed"), start_timestamp="2026-01-08T16:01:44.5Z"),
            scenario("tears", step("passed"), failed | {"output": ["one", "two"]}, step("skipped")),
            scenario("leaves", step("skipped")),
        )
    )
    ties, tears, leaves = report.cases
    assert (ties.file, ties.class_name, ties.name, ties.status) == ("features/dock.feature", "Dock", "ties", PASSED)
    assert (ties.duration_s, ties.started_at, leaves.status) == (1.0, 1767888104.5, SKIPPED)
    assert (tears.status, tears.message) == (FAILED, "AssertionError: too short")
    assert tears.trace == "Given a rope\nAssertionError: too short\n  at rope.js:3"
    assert (tears.output, report.suites, report.warnings) == ("one\ntwo", 1, [])


@pytest.mark.parametrize("word", ["undefined", "pending", "ambiguous", "unknown", "UNDEFINED"])
def test_what_is_not_written_or_not_known_fails(word):
    (case,) = read(feature(scenario("ties", step("passed"), step(word, "a knot")))).cases
    assert (case.status, case.message) == (FAILED, f"{word.lower()} step: Given a knot")


def test_a_background_belongs_to_the_scenario_after_it():
    background = {"type": "background", "keyword": "Background", "name": "", "steps": [step("failed", "a harbor")]}
    fine = background | {"steps": [step("passed")]}
    report = read(feature(background, scenario("ties", step("skipped")), fine, scenario("leaves", step("passed"))))
    assert [(case.name, case.status) for case in report.cases] == [("ties", FAILED), ("leaves", PASSED)]
    assert [(case.name, case.status) for case in read(feature(background)).cases] == [("<init>", FAILED)]
    assert read(feature(fine)).tests == 0


def test_failed_hooks_fail_their_scenario():
    hook = {"match": {"location": "hooks.Dock.close()"}, "result": {"status": "failed", "error_message": "no crane"}}
    for fields in ({"before": [hook]}, {"after": [hook]}):
        (case,) = read(feature(scenario("ties", step("passed"), **fields))).cases
        assert (case.status, case.message, case.trace) == (FAILED, "no crane", "hooks.Dock.close()\nno crane")
    (case,) = read(feature(scenario("ties", step("passed") | {"after": [hook]}))).cases
    assert case.status == FAILED


def test_rows_of_an_outline_and_retries_are_told_apart_by_their_line():
    report = read(
        feature(
            scenario("rows", step("failed"), line=12),
            scenario("rows", step("passed"), line=13),
            scenario("again", step("failed"), line=20),
            scenario("again", step("passed"), line=20),
        )
    )
    assert [(case.name, case.status, case.attempt, case.is_final) for case in report.cases] == [
        ("rows", FAILED, 1, True),
        ("rows", PASSED, 1, True),
        ("again", FAILED, 1, False),
        ("again", PASSED, 2, True),
    ]


def test_behave():
    element = scenario("ties", step("passed") | {"result": {"status": "passed", "duration": 0.25}}, status="passed")
    broken = element | {"name": "breaks", "location": "features/dock.feature:9", "status": "hook_error"}
    tears = element | {"name": "tears", "status": "failed", "location": "features/dock.feature:12", "steps": [
        {"keyword": "Then", "name": "a rope", "result": {"status": "failed", "duration": 1.5,
                                                         "error_message": ["Assertion Failed", "short"]}}]}  # fmt: skip
    document = feature(element | {"location": "features/dock.feature:3"}, broken, tears)
    del document["uri"]
    report = read(document | {"location": "features/dock.feature:1"})
    assert [(case.file, case.name, case.status) for case in report.cases] == [
        ("features/dock.feature", "ties", PASSED),
        ("features/dock.feature", "breaks", FAILED),
        ("features/dock.feature", "tears", FAILED),
    ]
    assert (report.cases[0].duration_s, report.cases[2].message) == (0.25, "Assertion Failed")
    assert [case.kind for case in report.cases] == [None, "error", "failure"]


def test_the_kind_is_detected_and_other_json_is_not():
    assert detect("r.json", io.BytesIO(b'[ {"id": "x", "elements": []}]')) == "cucumber"
    assert detect("r.json", io.BytesIO(b'[{"name": "x"}]')) == "junit"
    for data in (b"[3]", b"{", b"3", b"[" * 100_000, b'[{"elements": [{"steps": 3}]}]'):
        assert cucumber.parse(io.BytesIO(data)).status == "error"


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["elements", "steps", "result", "status", "name", "type", "line", "before", "uri", "output"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_gives_a_report(value):
    report = cucumber.parse(io.BytesIO(json.dumps(value).encode()))
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests
