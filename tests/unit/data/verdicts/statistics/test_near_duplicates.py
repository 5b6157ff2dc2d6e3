"""Vectors: Kubernetes triage's text_test.go, cluster_test.go, berghelroach_test.go and summarize_test.py."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.verdicts.statistics.near_duplicates import (
    digest,
    edit_distance,
    merge,
    ngram_counts,
    normalise,
)

WORDS = [
    *["", "a", "b", "c", "ab", "ace", "fortressing", "inadequately", "prank", "authored", "fortresing"],
    *["inadeqautely", "prang", "awthered", "Laplace", "recollections", "jalape\u00f1o", "jalapeno", "overpaid"],
    "long patterns and high limits was not evaluated for inclusion here.",
    "long patterns and low limits were evaluated for inclusion here.",
    "Filtering algorithms also improve running search",
]
POD = (
    "[FAILED] 1 errors:\npod {} on node {} container unexpected exit code 2: start={} +0000 UTC reason=Error message=\n"
)
POD += "In [It] at: k8s.io/kubernetes/test/e2e/node/pods.go:{} @ {}"

texts = st.text("abc d1", max_size=40)


def literal_distance(a: str, b: str) -> int:
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
        above = row
    return above[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x1234 a 123.13.45.43 b 2e24e003-9ffd-4e78-852c-9dcb6cbef493-123", "UNIQ1 a UNIQ2 b UNIQ3"),
        ("Mon, 12 January 2017 11:34:35 blah blah", "TIMEblah blah"),
        ("123.45.68.12:345 abcd1234eeee", "UNIQ1 UNIQ2"),
        ("at: file.go:1234 error", "at: fileUNIQ1 error"),
        ("node nodes-us-west1-a-w0fq failed", "node UNIQ1 failed"),
        ("node i-0d1f2dfeb37c586ad failed", "node UNIQ1 failed"),
        ("node kind-worker2 failed", "node UNIQ1 failed"),
        ("pod pod-terminate-status-2-7 failed", "pod UNIQ1 failed"),
        ("error @ 12/10/25 13:52:29.244", "error @ TIME"),
        ('pod "test-7mhp" failed', 'pod "testUNIQ1 failed'),
        ("container dynamicpv-bdf5 failed", "container dynamicpvUNIQ1failed"),
        ("namespaces/test-5405/pods", "namespaces/testUNIQ1pods"),
        ("0xa1 0xb2 0xa1", "UNIQ1 UNIQ2 UNIQ1"),
        ("got map[b:2 a:1] not map[]", "got map[a:1 b:2] not map[]"),
        ("goroutine 17 after 3.25s on host:8080", "UNIQ1 after UNIQ2 on hostUNIQ3"),
        ("run-time error, non-zero exit", "run-time error, non-zero exit"),
    ],
)
def test_normalise_vectors(text, expected):
    assert normalise(text) == expected


def test_long_texts_keep_head_and_tail():
    expected = "foobarbaz " * 500 + "\n...[truncated]...\n" + "foobarbaz " * 500
    assert normalise("foobarbaz " * 5000) == expected
    assert normalise("same line\n" * 5000 + "end") == "same line\nend"
    assert normalise("same line\n" * 500) == "same line\n" * 500


def test_one_failure_on_five_kinds_of_machine_is_one():
    seen = [
        ("pod-terminate-status-2-7", "nodes-us-west1-a-w0fq", "2025-12-10 13:51:30", 1022, "12/10/25 13:52:29.244"),
        ("pod-terminate-status-2-14", "i-0d1f2dfeb37c586ad", "2025-12-10 22:30:45", 548, "12/10/25 22:30:49.099"),
        ("pod-terminate-status-1-0", "nodes-us-central1-c-1tpf", "2025-12-23 14:17:13", 849, "12/23/25 14:18:50.228"),
        ("pod-terminate-status-2-0", "nodes-uksouth-2000002", "2025-12-22 01:53:07", 1381, "12/22/25 01:54:33.96"),
        ("pod-terminate-status-2-5", "kind-worker2", "2025-12-11 08:41:37", 1381, "12/11/25 08:42:14.146"),
    ]
    assert len({digest(normalise(POD.format(*values))) for values in seen}) == 1


def test_ngram_vectors():
    assert digest("some string") == "eddb950347d1eb05b5d7"
    assert sum(ngram_counts("abcdefg")) == 4
    assert sum(ngram_counts("abcdefg\u2006")) == 5
    assert sum(ngram_counts("abc")) == 0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("foob", "food", 1),
        ("doot", "dot", 1),
        ("foob", "f", 3),
        ("foob", "g", 4),
        ("short", "shirt", 1),
        ("", "target", 6),
        ("abcdefghijklmnopqrstuvwxyz", "abcefghijklMnopqrStuvwxyz..", 5),
    ],
)
def test_edit_distance_vectors(a, b, expected):
    for limit in range(len(a) + len(b)):
        found = edit_distance(a, b, limit)
        assert found == edit_distance(b, a, limit)
        assert found == expected if limit >= expected else found > limit


def test_edit_distance_of_words_and_sentences():
    for a in WORDS:
        for b in WORDS:
            expected = literal_distance(a, b)
            assert edit_distance(a, b, 100) == expected
            assert edit_distance(a, b, expected) == expected
            assert not expected or edit_distance(a, b, expected - 1) > expected - 1


def test_edit_distance_of_long_texts():
    letters = Random(1)
    text = "".join(letters.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=10_000))
    edited = "".join(
        "#" + letter if at % 500 == 1 else "0" if at % 500 == 2 else letter for at, letter in enumerate(text)
    )
    assert edit_distance(text, edited, 200) == edit_distance(edited, text, 40) == 40
    assert edit_distance(text, edited, 39) > 39


def test_merge_vectors():
    assert merge({"exit 1": 1, "exit 2": 1}) == {"exit 1": "exit 1", "exit 2": "exit 2"}
    one, two = "long message immediately preceding exit code 1", "long message immediately preceding exit code 2"
    assert merge({one: 1, two: 1}) == {one: one, two: one}
    assert merge({one: 1, two: 5}) == {one: two, two: two}
    long, other = "1 2 " * 400, "1 2 " * 399 + "3 4 "
    assert merge({"exit 1": 1, long: 2, other: 1}) == {"exit 1": "exit 1", long: long, other: long}


def test_known_clusters_keep_their_names():
    old = "some long failure message that changes occasionally foo"
    new = old.replace("foo", "bar")
    assert merge({new: 9}, known=[old]) == {new: old}
    assert merge({new: 9, old: 1}) == {new: new, old: new}


def test_what_normalises_to_the_same_is_one_cluster():
    assert merge({"lost 0xa1": 2, "lost 0xb2": 1, "gone": 1}) == {
        "lost 0xa1": "lost 0xa1",
        "lost 0xb2": "lost 0xa1",
        "gone": "gone",
    }


@given(texts, texts, st.integers(0, 45))
def test_edit_distance_by_the_table(a, b, limit):
    expected = literal_distance(a, b)
    found = edit_distance(a, b, limit)
    assert found == expected if expected <= limit else found > limit


@given(st.dictionaries(st.text("abcdefgh ", min_size=30, max_size=60), st.integers(1, 5), max_size=8), st.randoms())
def test_merging_does_not_depend_on_the_order(patterns, random):
    keys = list(patterns)
    random.shuffle(keys)
    standing = merge({k: patterns[k] for k in keys})
    assert standing == merge(patterns)
    assert set(standing) == set(patterns)
    for leader in standing.values():
        assert standing[leader] == leader
