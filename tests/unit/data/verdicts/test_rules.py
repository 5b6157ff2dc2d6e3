"""The truth table of docs/verdicts.md, and what must hold for every sequence."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.verdicts.rules import KINDS, classify, worst_kind

TRUTH_TABLE = {
    "new_failure": "PF PPPPF FPF",
    "regression": "PPPFF PFFFF PSFFF",
    "always_failing": "FF FFFFF",
    "fixed": "FP FFP FFFFP PFFFP",
    "flaky": "PFPPP PPFPP PFPFF",
    "flaky regression": "PFPFFF",
    "flaky new_failure": "FPFPF",
    "flaky fixed": "PFP",
    "": "F P S PPPPP FPPPP",
}

sequences = st.text("PFSK", max_size=25)
contexts = st.sampled_from([None, "P", "F"])


@pytest.mark.parametrize(
    ("statuses", "expected"), [(s, set(e.split())) for e, table in TRUTH_TABLE.items() for s in table.split()]
)
def test_truth_table(statuses, expected):
    assert classify(statuses) == expected


@pytest.mark.parametrize(
    ("before", "statuses", "expected"),
    [
        ("P", "F", {"new_failure"}),
        ("P", "FF", {"regression", "always_failing"}),
        ("F", "F", set()),
        ("F", "P", {"fixed"}),
        ("P", "P", set()),
        ("P", "FP", {"flaky", "fixed"}),
        ("F", "FP", {"fixed"}),
        ("F", "PF", {"new_failure"}),
        ("P", "FFPF", {"flaky", "new_failure"}),
        ("K", "F", {"new_failure"}),
    ],
)
def test_the_status_before_the_window_counts(before, statuses, expected):
    assert classify(statuses, before=before) == expected


def test_only_the_window_and_the_status_before_it_are_judged():
    assert classify("PFP" + "P" * 10) == set()
    assert classify("PF" + "P" * 10) == set()
    assert classify("PF" + "P" * 9) == {"flaky"}
    assert classify("P" + "F" * 10) == {"regression", "always_failing"}
    assert classify("P" + "F" * 11) == {"always_failing"}
    assert classify("PFPP", window=2) == set()
    assert classify("PFPP", window=3) == {"flaky"}


def test_failed_and_passed_in_one_run_or_on_one_commit_is_flaky():
    assert classify("PPKPP") == {"flaky"}
    assert classify("PPFFF", disagreed=(False, False, False, True, False)) == {"regression", "flaky"}
    assert classify("FF", disagreed=(True, False)) == {"always_failing", "flaky"}
    assert classify("K" + "P" * 10) == set()


def test_one_word_where_there_is_room_for_one():
    assert worst_kind(classify("PFPFFF")) == "regression"
    assert worst_kind(classify("FPFPF")) == "new_failure"
    assert worst_kind(classify("PFP")) == "flaky"
    assert worst_kind(classify("PPP")) is None


def test_what_is_not_a_status_is_refused():
    with pytest.raises(ValueError, match="letters"):
        classify("PFX")
    with pytest.raises(ValueError, match="flags"):
        classify("PF", disagreed=(True,))


@given(sequences, contexts, st.data())
def test_skips_never_change_anything(statuses, before, data):
    ran = statuses.replace("S", "")
    flags = tuple(data.draw(st.lists(st.booleans(), min_size=len(statuses), max_size=len(statuses))))
    kept = tuple(flag for flag, status in zip(flags, statuses, strict=True) if status != "S")
    assert classify(statuses, before=before, disagreed=flags) == classify(ran, before=before, disagreed=kept)


@given(sequences, contexts)
def test_the_rules_as_regular_expressions_say_the_same(statuses, before):
    ran = statuses.replace("S", "")
    in_window = ran[-10:]
    context = ran[-11] if len(ran) > 10 else (before or "")
    known = (context + in_window).replace("K", "P")
    expected = set()
    blip = re.search("PF{1,2}P", known)
    if in_window:
        if known.endswith("PF"):
            expected.add("new_failure")
        if re.search("PFFF+$", known) or (known.endswith("PFF") and not blip):
            expected.add("regression")
        if re.fullmatch("FF+", in_window):
            expected.add("always_failing")
        if blip or "K" in in_window:
            expected.add("flaky")
        if known.endswith("FP"):
            expected.add("fixed")
    assert classify(statuses, before=before) == expected


@given(sequences, contexts)
def test_words_exclude_each_other_where_they_must(statuses, before):
    found = classify(statuses, before=before)
    assert found <= set(KINDS)
    assert len(found & {"new_failure", "regression", "fixed"}) <= 1
    assert not {"always_failing", "fixed"} <= found
    assert (worst_kind(found) is None) == (not found)


@given(sequences, contexts)
def test_what_came_before_the_context_never_matters(statuses, before):
    if len(statuses.replace("S", "")) > 10:
        assert classify("F" + statuses) == classify("P" + statuses) == classify(statuses, before=before)
