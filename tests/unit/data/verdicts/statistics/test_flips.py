"""Vectors: TestGrid's flipanalyzer_test.go, Buildkite's transition count page (its text)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.verdicts.statistics.flips import flips, onsets, recovered

FLIPS = {
    "": 0,
    "PPP": 0,
    "PFPPKPPPPF": 30,
    "FFFPPP": 0,
    "PFFPPPPFPP": 20,
    "PFFFFFPFPF": 40,
    "PFFKFFPFPF": 50,
    "FF": 50,
    "FFF": 0,
    "FPFPF": 60,
    "K": 100,
}

sequences = st.text("PFKS", max_size=40)


def literal_flips(statuses: str) -> tuple[int, int]:
    """One test at a time, straight from the description of the algorithm."""
    results = statuses.replace("S", "")
    flipped = considered = i = 0
    passing = True
    while i < len(results):
        stretch = 0
        while i + stretch < len(results) and results[i + stretch] == "F":
            stretch += 1
        if stretch >= 3:
            i += stretch
            continue
        considered += 1
        if results[i] == "K":
            flipped, passing = flipped + 1, True
        elif results[i] == "P":
            passing = True
        else:
            flipped, passing = flipped + passing, False
        i += 1
    return flipped, considered


@pytest.mark.parametrize(("statuses", "score"), FLIPS.items())
def test_flip_vectors(statuses, score):
    assert flips(statuses).score == pytest.approx(score)


@pytest.mark.parametrize(
    ("statuses", "score"),
    [("FFFFF", 0), ("PPFFF", 0.2), ("PFPFF", 0.4), ("PFFFFF", 0), ("PF", 0.2), ("PKFPF", 0.4), ("PSSF", 0.2)],
)
def test_onset_vectors(statuses, score):
    assert onsets(statuses, window=5) == pytest.approx(score)


@given(sequences)
def test_flips_are_those_of_the_literal_walk(statuses):
    found = flips(statuses)
    assert (found.flips, found.considered) == literal_flips(statuses)
    assert 0 <= found.score <= 100


def literal_onsets(statuses: str, window: int) -> float:
    results = [letter for letter in statuses if letter != "S"]
    first = max(len(results) - window, 0)
    return sum(results[at] == "F" and results[at - 1] != "F" for at in range(first + 1, len(results))) / window


@given(sequences, st.integers(1, 12))
def test_onsets_are_those_of_the_literal_walk(statuses, window):
    assert onsets(statuses, window) == pytest.approx(literal_onsets(statuses, window))


@given(sequences, st.integers(0, 40))
def test_skips_change_no_score(statuses, at):
    skipped = statuses[:at] + "S" + statuses[at:]
    assert flips(statuses) == flips(skipped) and onsets(statuses) == onsets(skipped)


def test_recovery_after_results_or_days():
    assert recovered(100, 0.1)
    assert recovered(1, 7)
    assert not recovered(99, 6.9)
    assert not recovered(0, 30)
