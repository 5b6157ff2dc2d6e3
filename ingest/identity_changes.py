"""How a rebuild changes the identities of tests: which get another name, which become one, which are taken apart.

Today's tests are compared with the stored ones build by build: both are from the same raw files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pyarrow.compute as pc

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, TestIdentity
from data.tasks.build_lookups import BuildRow
from ingest.parsers.identity import identify

MAX_EXAMPLES = 20


class StoredTests:
    """The stored tests of some builds."""

    def __init__(self, store: Store, rows: Sequence[BuildRow]) -> None:
        self._of_build: dict[int, dict[int, int]] = defaultdict(dict)  # test -> its first position
        self._names: dict[int, TestIdentity] = {}
        self._store = store
        if not rows:
            return
        times = [row["started_at"] for row in rows]
        found = store.cursor().execute(
            """SELECT build, test, min(position) FROM results WHERE list_contains($builds::BIGINT[], build)
            AND list_contains($releases::VARCHAR[], release) AND started_at BETWEEN $first AND $last GROUP BY ALL""",
            {
                "builds": [row["build"] for row in rows],
                "releases": sorted({row["release"] for row in rows}),
                "first": min(times),
                "last": max(times),
            },
        )
        for build, test, position in found.fetchall():
            self._of_build[build][test] = position

    def of(self, build: int) -> dict[int, int]:
        return self._of_build[build]

    def names(self, tests: Iterable[int]) -> dict[int, TestIdentity]:
        """The names of tests, by id."""
        unknown = sorted(set(tests) - self._names.keys())
        if unknown:
            found = self._store.cursor().execute(
                "SELECT test, file, class, name, base_name FROM tests WHERE list_contains(?::BIGINT[], test)", [unknown]
            )
            self._names |= {test: TestIdentity(*names) for test, *names in found.fetchall()}
        return self._names


class IdentityChanges:
    """What happened to the stored tests of the builds noted so far."""

    def __init__(self) -> None:
        self._moves: dict[int, Counter[int]] = defaultdict(Counter)  # old id -> builds by new id
        self._kept: set[int] = set()  # ids that a test had before and has now
        self._names: dict[int, TestIdentity] = {}
        self._taken: dict[int, int] = {}

    def note(self, stored: StoredTests, build: int, rebuilt: BuildRecord) -> None:
        """Compare the stored tests of a build with those that it has now."""
        before = stored.of(build)
        self._kept |= before.keys() & rebuilt.tests.keys()
        lost = before.keys() - rebuilt.tests.keys()
        if not lost:
            return
        candidates = _Candidates(rebuilt, before.keys())
        names = stored.names(lost)
        for old in lost & names.keys():
            for new in candidates.of(names[old], before[old]):
                self._moves[old][new] += 1
                self._names[old], self._names[new] = names[old], rebuilt.tests[new]

    def take_moved(self) -> dict[int, int]:
        """The new id of each test that has another one now; of a test that was split, that of most builds. Only those
        that have changed since they were taken last."""
        moved = {old: max(found, key=lambda new: (found[new], new)) for old, found in self._moves.items()}
        changed = {old: new for old, new in moved.items() if self._taken.get(old) != new}
        self._taken = moved
        return changed

    def counts(self) -> dict[str, int]:
        """renamed, merged (tests that became one with another), into (how many these are now), split."""
        sources = self._sources()
        merged = {old for found in sources.values() if len(found) > 1 for old in found}
        split = self._split()
        return {
            "renamed": len(self._moves.keys() - merged - split),
            "merged": len(merged),
            "into": sum(len(found) > 1 for found in sources.values()),
            "split": len(split),
        }

    def examples(self) -> list[str]:
        """A line for each of some changes: tests that were split or merged come first."""
        sources, split = self._sources(), self._split()
        lines = [f"split: {_key(self._names[old])} -> {self._targets(old)}" for old in sorted(split)]
        for new, found in sorted(sources.items()):
            before = ", ".join(sorted(_key(self._names[old]) for old in found if old in self._names)[:3])
            if len(found) > 1:
                lines.append(f"{len(found)} merged: {before} -> {_key(self._names[new])}")
        lines += [
            f"renamed: {_key(self._names[old])} -> {self._targets(old)}"
            for old in sorted(self._moves.keys() - split)
            if all(len(sources[new]) == 1 for new in self._moves[old])
        ]
        return lines[:MAX_EXAMPLES]

    def _sources(self) -> dict[int, set[int]]:
        """By new id, the tests that have it now."""
        sources: dict[int, set[int]] = defaultdict(set)
        for old, found in self._moves.items():
            for new in found:
                sources[new].add(old)
                if new in self._kept:
                    sources[new].add(new)
        return sources

    def _split(self) -> set[int]:
        return {old for old, found in self._moves.items() if len(found) + (old in self._kept) > 1}

    def _targets(self, old: int) -> str:
        return ", ".join(sorted(_key(self._names[new]) for new in self._moves[old])[:3])


class _Candidates:
    """Finds the tests that a build has now for a stored one that it has no longer."""

    def __init__(self, rebuilt: BuildRecord, stored: Iterable[int]) -> None:
        self._tests = rebuilt.tests
        self._stored = set(stored)
        self._at = rebuilt.cases["test"]
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for test, names in rebuilt.tests.items():
            self._by_name[names.name].append(test)

    def of(self, names: TestIdentity, position: int) -> list[int]:
        """Several if the test was split."""
        normalized = identify(names.file, names.class_name, names.name)
        for name in dict.fromkeys((normalized.name, normalized.measured.name if normalized.measured else names.name)):
            exact = ids.of(normalized.file, normalized.class_name, name)
            if exact in self._tests:
                return [exact]
            same = self._by_name.get(name, [])
            alike = [test for test in same if _ends_alike(self._tests[test].class_name, normalized.class_name)]
            for found in (alike, same):
                if new := [test for test in found if test not in self._stored]:
                    return new if found is alike else new if len(new) == 1 else []
        within = [test for test, now in self._tests.items() if now.class_name.rpartition(" > ")[2] == normalized.name]
        if within:
            return within  # the subtests of what was one test
        # The name itself has changed: the same result is still at its position.
        if position < len(self._at):
            test = self._at[position].as_py()
            if test not in self._stored and pc.count_distinct(self._at).as_py() >= len(self._stored):
                return [test]
        return []


def _ends_alike(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _key(names: TestIdentity) -> str:
    return "::".join(filter(None, (names.file, names.class_name, names.name)))
