import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.verdicts.statistics.storms import StormKind, short_stretches, storm_kinds

columns = st.integers(0, 400).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda f: st.tuples(st.just(n), st.just(f), st.integers(0, f)))
)


@pytest.mark.parametrize(
    ("total", "failed", "top", "kind"),
    [
        (100, 80, 1, StormKind.COLUMN),
        (100, 79, 1, StormKind.NONE),
        (5, 5, 5, StormKind.COLUMN),
        (4, 4, 4, StormKind.NONE),
        (100, 30, 30, StormKind.MESSAGE),
        (100, 37, 30, StormKind.MESSAGE),
        (100, 38, 30, StormKind.NONE),
        (100, 29, 29, StormKind.NONE),
        (30, 10, 10, StormKind.MESSAGE),
        (30, 9, 9, StormKind.NONE),
        (500, 12, 12, StormKind.NONE),
        (0, 0, 0, StormKind.NONE),
    ],
)
def test_thresholds(total, failed, top, kind):
    assert storm_kinds(total, failed, top) == kind


def test_many_columns_at_once():
    found = storm_kinds([[100, 100], [40, 0]], [[90, 3], [20, 0]], [[2, 3], [20, 0]])
    assert found.tolist() == [[StormKind.COLUMN, StormKind.NONE], [StormKind.MESSAGE, StormKind.NONE]]


def test_what_lasts_is_not_a_storm():
    flags = [c == "s" for c in "s.ss..sss.s"]
    assert short_stretches(flags) == [c == "s" for c in "s.ss......s"]
    assert short_stretches(flags, longest=3) == flags
    assert short_stretches([]) == []


@pytest.mark.parametrize("call", [lambda: storm_kinds(5, 6, 0), lambda: storm_kinds(5, 4, 5)])
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match="must hold"):
        call()


@given(columns)
def test_more_failures_never_end_a_whole_column(column):
    total, failed, top = column
    assume(failed < total)
    if storm_kinds(total, failed, top) == StormKind.COLUMN:
        assert storm_kinds(total, failed + 1, top) == StormKind.COLUMN


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_only_candidates_are_storms_and_none_is_long(flags, longest):
    kept = short_stretches(flags, longest)
    assert len(kept) == len(flags)
    assert all(flag for flag, keep in zip(flags, kept, strict=True) if keep)
    assert "1" * (longest + 1) not in "".join("1" if keep else "0" for keep in kept)
