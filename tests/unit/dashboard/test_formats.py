"""Numbers, times and logs as text."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard import formats
from dashboard.ansi import LIMIT, ansi
from data.number_text import percent_number


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_only_a_full_pass_is_written_as_100_percent(total, failed):
    passed = max(total - failed, 0)
    assert (formats.percent(passed / total) == "100.00") == (passed == total)


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 3))
def test_a_share_is_rounded_as_people_round_and_never_to_none_or_all(part, whole, decimals):
    share = min(part, whole) / whole
    text = percent_number(share, decimals)
    assert abs(float(text) - 100 * share) <= 0.5001 * 10**-decimals or 0 < share < 1
    assert (float(text) == 0) == (share == 0) and (float(text) == 100) == (share == 1)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.948351, "94.84"), (0.948349, "94.83"), (0.00125, "0.13"), (0.99996, "99.99"), (0.00001, "0.01"), (1, "100.00")],
)
def test_a_share_in_percent(share, text):
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0854, "85 ms"), (12.34, "12.3 s"), (59.99, "60.0 s"), (260, "4 min 20 s"), (3900, "1 h 05 min")],
)
def test_a_duration_is_written_in_its_own_unit(seconds, text):
    assert formats.duration(seconds).replace(formats.THIN, " ") == text


def test_differences_carry_their_sign_and_a_zero_none():
    assert formats.signed(1234).replace(formats.THIN, " ") == "+1 234"
    assert formats.signed(-2) == "−2"
    assert formats.points(-0.00001) == "0"
    assert formats.points(0.0123) == "+1.23"


def test_a_time_is_utc_in_its_attribute_and_a_missing_time_is_a_dash():
    assert formats.when("2026-11-22T20:00:00Z") == (
        '<time datetime="2026-11-22T20:00:00Z" data-time="full">22 Nov 20:00 UTC</time>'
    )
    assert formats.when(None) == "–"


def test_only_web_addresses_are_linked():
    assert formats.web("https://jenkins.example.com/") and formats.web("http://jenkins/")
    assert not any(formats.web(url) for url in ("javascript:alert(1)", " http://x", "file:///etc", "", None))


def test_colours_of_a_log_become_classes_and_other_sequences_are_removed():
    text = "\x1b[1m\x1b[31mE  a < b\x1b[0m\x1b[2K\x1b]0;title\x07 plain \x1b[38;5;196mpalette\x1b[m"
    assert ansi(text) == '<span class="a-1 a-b">E  a &lt; b</span> plain palette'


@given(
    st.lists(st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1;42m", "\x1b", "<script>", "&amp;", "é", "\n", "m", "["]))
)
@example(["\x1b", "[", "<script>"])
def test_a_log_keeps_its_text_and_gains_only_spans(pieces):
    markup = str(ansi("".join(pieces)))
    assert set(re.findall(r"<(\w+)", markup)) <= {"span"}
    shown = html.unescape(re.sub(r"<[^>]*>", "", markup))
    assert "\x1b" not in shown
    assert shown.count("<script>") == pieces.count("<script>") and shown.count("é") == pieces.count("é")


def test_a_huge_log_is_cut_with_a_note():
    markup = ansi("x" * (LIMIT + 1))
    assert len(markup) < LIMIT + 200 and "cut at 64 KB" in markup
