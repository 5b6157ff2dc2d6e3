"""Clipping, durations and times."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers.text import YEAR_S, Clip, clip, epoch, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9.9", 9.9),
        ("9", 9.0),
        ("9.9e-9", 9.9e-9),
        ("9,9", 9.9),
        ("0,008", 0.008),
        ("1,234.56", 1234.56),
        ("1,234", 1234.0),
        ("1,234,567", 1234567.0),
        ("1.234,5", 1234.5),
        (" 3.5 ", 3.5),
        ("1.5s", 1.5),
        ("12 seconds", 12.0),
        ("9,9.9", None),
        ("-9.9", None),
        ("-9", None),
        ("NaN", None),
        ("inf", None),
        ("1e300", None),
        ("{duration}", None),
        ("<<computed>>", None),
        ("", None),
        ("1" + " " * 1_000_000 + "x", None),
    ],
)
def test_seconds_reads_every_known_way_to_write_a_duration(text, value):
    assert seconds(text) == value


@given(st.floats(0, YEAR_S, allow_subnormal=False))
def test_seconds_takes_back_what_repr_writes(value):
    assert seconds(repr(value)) == value


@given(st.floats(1000, 900_000).map(lambda value: round(value, 3)))
def test_a_thousands_separator_changes_nothing(value):
    assert seconds(f"{value:,.3f}") == seconds(f"{value:.3f}")


@given(st.text(max_size=30))
def test_seconds_takes_anything(text):
    value = seconds(text)
    assert value is None or (math.isfinite(value) and 0 <= value <= YEAR_S)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-03T12:27:11",
        "2024-01-03T12:27:11Z",
        "2024-01-03T12:27:11.0000000Z",
        "2024-01-03T13:27:11+01:00",
        "2024-01-03T13:27:11+0100",
        "2024-01-03 12:27:11Z",
        "2024-01-03 12:27:11 Z",
        "2024-01-03T 12:27:11",
        "2024-01-03 12:27:11 UTC",
        " 2024-01-03T12:27:11 ",
        "2024-01-03T12:27:11,000",
        "Wed, 03 Jan 2024 12:27:11 GMT",
        "Jan 3, 2024 12:27:11 PM",
        "Jan 3, 2024, 12:27:11\N{NARROW NO-BREAK SPACE}PM",
        "1704284831",
        "1704284831000",
    ],
)
def test_epoch_reads_every_known_way_to_write_a_moment(text):
    assert epoch(text) == 1704284831.0


@pytest.mark.parametrize(
    "text", ["", "{iso8601-timestamp}", "0001-01-01T00:00:00Z", "yesterday", "2024-13-40T99:00:00"]
)
def test_what_is_no_moment_is_none(text):
    assert epoch(text) is None


@given(st.datetimes(datetime(2001, 1, 1), datetime(2026, 1, 1)))
def test_epoch_takes_back_iso(moment):
    assert epoch(moment.isoformat()) == pytest.approx(moment.replace(tzinfo=UTC).timestamp())


@given(st.text(max_size=40))
def test_epoch_takes_anything(text):
    assert epoch(text) is None or epoch(text) > 0


@given(st.lists(st.text(max_size=40), max_size=60), st.integers(2, 60))
def test_a_clip_holds_head_tail_and_the_number_between(parts, limit):
    clipped, whole = Clip(limit), "".join(parts)
    for part in parts:
        clipped.add(part)
    half = limit // 2
    if len(whole) <= 2 * half:
        assert str(clipped) == whole
    else:
        dropped = len(whole) - 2 * half
        assert str(clipped) == f"{whole[:half]}\n...[{dropped} characters left out]...\n{whole[-half:]}"
    if len(whole) <= limit:
        assert clip(whole, limit) == whole
