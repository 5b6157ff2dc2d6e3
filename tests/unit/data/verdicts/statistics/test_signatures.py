"""Vectors: LUCI's failurereason_test.go and the seeds of its fuzz_test.go."""

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.verdicts.statistics.signatures import LONGEST, key, pattern, reason, title

messages = st.text(st.sampled_from("abcdefxXyZ0123456789 -_%\\=+/.:\n\t'[]é"), max_size=80)
# Words of two letters next to numbers can be a dump of bytes.
wordless = st.lists(st.from_regex("[a-fA-Fxq]{3,20}", fullmatch=True), min_size=1, max_size=6).map(" ".join)


def like(text: str, rule: str) -> bool:
    """text LIKE '%' || rule || '%' ESCAPE '\\', spelled out as a regular expression."""
    parts = re.findall(r"\\.|.", rule, re.DOTALL)
    expression = "".join(".*" if part == "%" else re.escape(part[-1]) for part in parts)
    return re.search(expression, text, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Null pointer exception at ip 0x45637271", "Null pointer exception at ip %"),
        ("Could not connect to 127.1.2.1: connection refused", "Could not connect to %.%.%.%: connection refused"),
        ("Received unexpected response: AdafdxAAD17917+/=", "Received unexpected response: %"),
        ("Expected: to be called once\n          Actual: never called",) * 2,
        ("a\ufffdb\ufffd", "a\ufffdb\ufffd"),
        (r"""_%"'+[]|x AdafdxAAD17917+/=""", r"""\_\%"'+[]|x %"""),
        ("Exception in TestMethod", "Exception in TestMethod"),
        ("session 2e24e003-9ffd-4e78-852c-9dcb6cbef493 lost", "session % lost"),
        ("cookie d41d8cd98f00b204e9800998ecf8427e.", "cookie %."),
        ("read 00 1f a3 9c ff ee 11 22 instead", "read % instead"),
        ("Widget@1a2b3c4d has 12 rows", "Widget@% has % rows"),
        ("#x1B[31mFAIL#x1B[0m flow 7 \x1b[1;31mmissing\x1b[m", "%FAIL% flow % %missing%"),
        ("", ""),
        (" \n\t\n", ""),
    ],
)
def test_vectors(message, expected):
    assert pattern(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("defaced feedface acceded effaced xxxxxxxx",) * 2,
        ("responsecode==200", "responsecode==%"),
        ("failed 2024-01-02 10:11:12 added", "failed %-%-% %:%:% added"),
        ("at 2024-01-02 12 failed", "at %-%-% % failed"),
        ("took 3 dead beef cafe decades", "took % dead beef cafe decades"),
        ("in feedfacefeedfacefeed-1z", "in feedfacefeedfacefeed-%z"),
        ("add be ad ab ba ca fe 7", "add be ad ab ba ca fe %"),
    ],
)
def test_ordinary_words_made_of_a_to_f_stay(message, expected):
    assert pattern(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("one\ntwo", "one"),
        ("\n\n   one\r\ntwo", "one"),
        ("FAILED:\n  REQUIRE( x == 1 )\nwith expansion:\n  2 == 1", "REQUIRE( x == 1 )"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\nValueError: no',
            "ValueError: no",
        ),
        ("======\nsrc/a_test.py:12:\nboom", "boom"),
        ("ATest::testB with data set #1 (2)\nFailed asserting that 0 matches 1.", "Failed asserting that 0 matches 1."),
        ("at com.acme.A.b(A.java:3)\nat com.acme.C.d(C.java:4)\noops", "oops"),
        ("at least one row is missing", "at least one row is missing"),
        ("Error: a.toBe(b)\n\nExpected: 1\nReceived: 2\n   at x", "Error: a.toBe(b)\n\nExpected: 1\nReceived: 2"),
        ("Value of: f()\n  Actual: false\nExpected: true\nmore", "Value of: f()\n  Actual: false\nExpected: true"),
        (
            "Remote; nested is: \n\tjava.io.IOException: gone\n\tat x",
            "Remote; nested is: \n\tjava.io.IOException: gone",
        ),
        (
            "self = <T>\n\n>       assert f()\nE       AssertionError: assert 3\nE        +  where",
            "AssertionError: assert 3",
        ),
        ("failure", "failure"),
        ("\n---\n***\n", "---"),
    ],
)
def test_reason_is_the_line_that_says_what_went_wrong(message, expected):
    assert reason(message) == expected


def test_a_huge_message_costs_no_more_than_its_start():
    assert len(reason("x" * 10**6)) == LONGEST
    assert reason(" " * 10**6 + "\n" * 10**6 + "gone") == "gone"


def test_keys_are_stable_and_fit_a_bigint():
    assert key("Null pointer exception at ip %") == key(pattern("Null pointer exception at ip 0x12345678"))
    # First 8 bytes of SHA-256 of "abc" (FIPS 180-2): ba7816bf 8f01cfea, less the last bit.
    assert key("abc") == 0xBA7816BF8F01CFEA >> 1


def test_title_reads_as_the_message():
    assert title(pattern(r"50% of a_b\c")) == r"%% of a_b\c"


@given(messages)
def test_every_message_is_like_its_pattern(message):
    rule = pattern(message)
    assert like(message, rule)
    assert "%%" not in re.sub(r"\\.", ".", rule)


def test_the_database_agrees():
    seen = [
        "Could not connect to 127.1.2.1: refused",
        "100% of a_b\\c\nFailed",
        "FAILED:\nboom 3\nat x",
        "path C:\\new\\x_1 is 5 % full",
    ]
    rows = [(message, pattern(message)) for message in seen]
    found = duckdb.sql(
        r"select t.m like '%' || t.p || '%' escape '\' from (select unnest($rows) as r) s, "
        "(select s.r.m as m, s.r.p as p) t",
        params={"rows": [{"m": m, "p": p} for m, p in rows]},
    ).fetchall()
    assert found == [(True,)] * len(rows)


@given(messages)
def test_reason_is_a_piece_of_the_message_and_its_own_reason(message):
    found = reason(message)
    assert found in message
    assert bool(found) == bool(message.strip())
    assert len(found.splitlines()) <= message.count("\n") + 1


@given(messages, st.lists(st.integers(0, 10**12), min_size=1, max_size=4))
def test_numbers_never_matter(message, numbers):
    texts = [f"{message.strip()} and {number} more" for number in (numbers[0], numbers[-1])]
    assert pattern("lead " + texts[0]) == pattern("lead " + texts[1])


@given(wordless, st.integers(0, 10**6))
@settings(max_examples=300)
def test_words_without_digits_are_never_touched(text, number):
    assert pattern(text) == text
    assert pattern(f"was {number} {text} {number}") == f"was % {text} %"


@given(messages)
def test_without_digits_nothing_is_hidden(message):
    plain = re.sub(r"[0-9]", "", message)
    assert title(pattern(plain)) == reason(plain)


@given(messages, messages)
def test_one_key_means_one_pattern(one, other):
    assert (key(pattern(one)) == key(pattern(other))) == (pattern(one) == pattern(other))
    assert 0 <= key(one) < 2**63
