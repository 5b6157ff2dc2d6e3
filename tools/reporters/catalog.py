"""The reporters and what is expected of them, read from the TOML files of this folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
FIXTURES = FOLDER.parents[1] / "tests" / "fixtures" / "reporters"
VERSIONS = FIXTURES / "versions.toml"

SITUATIONS = {
    "pass": "pass",
    "fail": "fail",
    "error": "error",
    "skip": "skip",
    "retry": "retry that passes",
    "twins": "parameterized twins",
    "setup": "failed set-up",
    "teardown": "failed tear-down",
    "timeout": "timeout",
    "hostile": "hostile text",
}


class StoredTest(NamedTuple):
    """One test of a build on one topology. `outcomes`: of each attempt, passed, failed, error or skipped."""

    file: str
    class_name: str
    name: str
    outcomes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' | '.join(filter(None, self[:3]))}: {' > '.join(self.outcomes)}"


@dataclass(frozen=True)
class Reporter:
    name: str
    title: str
    suite: str
    uses: tuple[str, ...]  # registry:package
    run: tuple[str, ...]
    keep: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What the store has in a situation instead of the expected tests, and why."""

    stored: tuple[StoredTest, ...]
    cause: str


def reporters() -> dict[str, Reporter]:
    return {
        name: Reporter(
            name,
            entry["title"],
            entry.get("suite", name),
            tuple(entry["uses"]),
            tuple(entry["run"]),
            tuple(entry["keep"]),
        )
        for name, entry in _read("reporters.toml").items()
    }


def expected() -> dict[str, dict[str, list[StoredTest]]]:
    """Reporter -> situation -> tests, as they were written down before the reporters ran."""
    return {
        name: {situation: _tests(entry[situation], entry) for situation in SITUATIONS if situation in entry}
        for name, entry in _read("expected.toml").items()
    }


def differences() -> dict[str, dict[str, Difference]]:
    """Reporter -> situation -> what is stored instead."""
    defaults = _read("expected.toml")
    return {
        name: {
            situation: Difference(tuple(_tests(entry["stored"], defaults[name])), entry["cause"])
            for situation, entry in situations.items()
        }
        for name, situations in _read("differences.toml").items()
        if name != "guesses"
    }


def guesses() -> dict[str, str]:
    """Reporter -> how it names tests, where the expected table first said something else."""
    return _read("differences.toml")["guesses"]


def to_be_stored() -> dict[str, dict[str, list[StoredTest]]]:
    """Reporter -> situation -> tests: the expected ones, or those of the explained difference."""
    explained = differences()
    return {
        name: {
            situation: list(explained[name][situation].stored) if situation in explained.get(name, {}) else tests
            for situation, tests in situations.items()
        }
        for name, situations in expected().items()
    }


def versions() -> dict[str, dict[str, str]]:
    """Reporter -> package -> the version that wrote the fixture; without those that never ran."""
    return tomllib.loads(VERSIONS.read_text(encoding="utf-8")) if VERSIONS.exists() else {}


def _read(name: str) -> dict[str, dict]:
    with (FOLDER / name).open("rb") as file:
        return tomllib.load(file)


def _tests(rows: Iterable[str], defaults: dict[str, str]) -> list[StoredTest]:
    return [_test(row, defaults.get("file", ""), defaults.get("class", "")) for row in rows]


def _test(row: str, file: str, class_name: str) -> StoredTest:
    """`[[FILE | ]CLASS | ]NAME: OUTCOMES`"""
    identity, _, outcomes = row.rpartition(": ")
    *before, name = identity.split(" | ")
    if before:
        class_name = before[-1]
    if len(before) > 1:
        file = before[0]
    return StoredTest(file, class_name, name, tuple(outcomes.split(" > ")))
