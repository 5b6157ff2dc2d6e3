"""What single tools write into JUnit XML in their own way."""

from __future__ import annotations

import re

from ingest.parsers.cases import FAILED, INIT, PASSED, Case

NODE_CLASS = "test"  # the class of every test of node:test

_NUMBERED = re.compile(r"(?P<number>\d{1,9})(?: - (?P<name>.+))?", re.DOTALL)
# Only extensions that are no domains, as in `host.com:80`.
_LINE = re.compile(r"(?P<file>[^:]+\.(?:lua|moon|rb|[cm]?[jt]sx?|go|cpp|exs?|php)):\d+")


def path_of_node(attrs: dict[str, str], name: str | None, outer: str) -> str:
    """The names of the nested suites of node:test, which it writes instead of a class; empty for other tools."""
    if not name or "disabled" not in attrs or "errors" not in attrs or "hostname" not in attrs:
        return ""
    if "id" in attrs or "package" in attrs:
        return ""
    return f"{outer} > {name}" if outer else name


def mark_reruns_of_pytest(cases: list[Case], declared: int) -> int:
    """Make attempts of the tests that pytest-rerunfailures ran again; returns how many earlier attempts there are.

    It writes a <testcase> without an outcome for each attempt before the last, and repeats only what failed. pytest
    declares the number of different tests (before 9.2 with some errors counted again); if it is another one, the cases
    stay as they are.
    """
    tests: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        tests.setdefault((case.file, case.class_name, case.name), []).append(case)
    again = sum(case.kind == "error" for case in cases)
    if not len(tests) <= declared <= len(tests) + again or len(tests) == len(cases):
        return 0
    earlier = 0
    for results in tests.values():
        # A test that fails and breaks in its tear-down too has two <testcase>s for its last attempt.
        last = next((at for at, case in enumerate(results) if case.status != PASSED), len(results) - 1)
        for number, case in enumerate(results[: last + 1], 1):
            case.attempt, case.is_final = number, number == last + 1
            if not case.is_final:
                case.status, case.kind = FAILED, "failure"
                case.message = "pytest ran the test again; the report does not have the failure."
        earlier += last
    cases[:] = [case for results in tests.values() for case in results]
    return earlier


def remove_positions(cases: list[Case], first: int) -> None:
    """Remove from the cases of a suite, cases[first:], where they are: a test that is inserted must not rename others.

    prove's formatter numbers the names of a file, `3 - connects`; a class of busted ends with a line, `a_spec.lua:12`.
    """
    if cases[first].name[:1] == "1":
        for case, name in _numbered(cases[first:]):
            case.name = name or case.name
    if ":" in cases[first].class_name and _LINE.fullmatch(cases[first].class_name):
        for case in cases[first:]:
            if found := _LINE.fullmatch(case.class_name):
                case.class_name = found["file"]


def _numbered(cases: list[Case]) -> list[tuple[Case, str | None]]:
    """The cases with their names behind the numbers, if all are numbered in order and some have a name; else none."""
    numbered: list[tuple[Case, str | None]] = []
    for case in cases:
        if case.name == INIT:
            continue
        found = _NUMBERED.fullmatch(case.name)
        if found is None or int(found["number"]) != len(numbered) + 1:
            return []
        numbered.append((case, found["name"]))
    return numbered if any(name for _, name in numbered) else []
