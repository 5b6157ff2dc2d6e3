"""Near-duplicate failure patterns: the second pass, for patterns that a regular expression cannot unify.

Source: Kubernetes triage (kubernetes/test-infra, triage/summarize). Texts within a tenth of their length of each other
by edit distance are one cluster; counts of hashed 4-grams show cheaply which pairs are worth measuring.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from zlib import crc32

import numpy as np
from rapidfuzz.distance import Levenshtein

BUCKETS = 64
LONGEST = 10_000  # characters; of longer texts the head and the tail are kept
MAX_MEASURED = 8  # pairs measured exactly for one text; the match is nearly always among the first
_CUT = "\n...[truncated]...\n"

_TIME = re.compile(
    r"[A-Z][a-z]{2}, \d+ \w+ 2\d{3} [\d./: ]*(?:[-+]\d+)?"
    r"|\w{3}\s+\d{1,2} \d+:\d+:\d+(?:\.\d+)?"
    r"|\d\d/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?"
    r"|(?:\d{4}-\d\d-\d\d.|.\d{4} )\d\d:\d\d:\d\d(?:\.\d+)?",
    re.ASCII,
)
_UNIQUE = re.compile(
    r"0x[0-9a-fA-F]+"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"  # address, port
    r"|[0-9a-fA-F]{8}(?:-\S{4}){3}-\S{12}(?:-\d+)?"  # UUID
    r"|\bi-[0-9a-f]{8,17}\b|\b(?:nodes|kind|minion-group|default-pool)-[-0-9a-z]{4,}"  # machines
    r"|\b[a-z][0-9a-z]*(?:-[0-9a-z]+)*-\d+-\d+\b"  # numbered names
    r"|[0-9a-f]{12,32}"
    r"|-(?=[a-z]*\d)[0-9a-z]{4,5}[\"\s/]"  # random suffixes
    r"|\.[a-zA-Z]\w{0,4}:\d+|(?<=\w):\d{2,5}\b"  # line of a file, port of a host
    r"|goroutine \d+|\b\d+\.\d+s\b",
    re.ASCII,
)
_MAP = re.compile(r"map\[([^][]*)\]")


def normalise(text: str) -> str:
    """Return the text without what differs between failures: times become TIME, addresses, ids, generated names,
    line numbers and the like UNIQ1, UNIQ2 ... (equal texts get equal numbers), Go's maps are sorted. Source: triage,
    summarize/text.go.
    """
    text = _TIME.sub("TIME", text)
    text = _MAP.sub(lambda found: f"map[{' '.join(sorted(found.group(1).split(' ')))}]", text)
    seen: dict[str, str] = {}
    text = _UNIQUE.sub(lambda found: seen.setdefault(found.group(), f"UNIQ{len(seen) + 1}"), text)
    if len(text) > LONGEST:
        text = "\n".join(line for line, _ in groupby(text.split("\n")))
    if len(text) > LONGEST:
        text = text[: LONGEST // 2] + _CUT + text[-LONGEST // 2 :]
    return text


@lru_cache(maxsize=16_384)
def ngram_counts(text: str) -> tuple[int, ...]:
    """Return how many of the text's 4-grams hash (CRC-32) into each of 64 buckets."""
    counts = [0] * BUCKETS
    for at in range(len(text) - 3):
        counts[crc32(text[at : at + 4].encode("utf-8", "surrogatepass")) % BUCKETS] += 1
    return tuple(counts)


def digest(text: str) -> str:
    """Return 20 hexadecimal digits, equal for texts with equal 4-gram counts."""
    return hashlib.sha1(str(list(ngram_counts(text))).encode(), usedforsecurity=False).hexdigest()[:20]


def edit_distance(a: str, b: str, limit: int) -> int:
    """Return the Levenshtein distance if it is at most `limit`, otherwise `limit` + 1."""
    return Levenshtein.distance(a, b, score_cutoff=limit)


def merge(patterns: Mapping[str, int], known: Iterable[str] = ()) -> dict[str, str]:
    """Map every pattern to the leader of its cluster; `patterns` maps each to its number of occurrences.

    The most frequent patterns lead, and those near them join; `known` patterns, the leaders so far, come before all, so
    that clusters keep their names. The result does not depend on the order of `patterns`.
    """
    leaders = _Leaders()
    for pattern in known:
        leaders.add(pattern)
    leader_of = {}
    for pattern in sorted(patterns, key=lambda text: (-patterns[text], text)):
        leader = leaders.near(pattern)
        leader_of[pattern] = leaders.add(pattern) if leader is None else leader
    return leader_of


class _Leaders:
    """The leaders of clusters, with their normalised texts and 4-gram counts."""

    def __init__(self) -> None:
        self.patterns: list[str] = []
        self.texts: list[str] = []
        self.by_text: dict[str, str] = {}
        self.counts = np.zeros((64, BUCKETS), dtype=np.int32)
        self.lengths = np.zeros(64, dtype=np.int64)

    def add(self, pattern: str) -> str:
        text = normalise(pattern)
        number = len(self.texts)
        if number == len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
            self.lengths = np.concatenate([self.lengths, np.zeros_like(self.lengths)])
        self.counts[number], self.lengths[number] = ngram_counts(text), len(text)
        self.patterns.append(pattern)
        self.texts.append(text)
        return self.by_text.setdefault(text, pattern)

    def near(self, pattern: str) -> str | None:
        text = normalise(pattern)
        if text in self.by_text:
            return self.by_text[text]
        size = len(self.texts)
        bounds = np.abs(self.counts[:size] - np.array(ngram_counts(text), dtype=np.int32)).sum(axis=1) // 4
        limits = (self.lengths[:size] + len(text)) // 20
        worth = np.flatnonzero((bounds <= limits) & (limits > 1))
        for number in map(int, worth[np.argsort(bounds[worth], kind="stable")][:MAX_MEASURED]):
            limit = int(limits[number])
            if edit_distance(text, self.texts[number], limit) < limit:
                return self.patterns[number]
        return None
