"""What single tools write into JUnit XML in their own way."""

from __future__ import annotations

from ingest.parsers.cases import FAILED, PASSED, Case

NODE_CLASS = "test"  # the class of every test of node:test


def path_of_node(attrs: dict[str, str], name: str | None, outer: str) -> str:
    """The names of the nested suites of node:test, which it writes instead of a class; empty for other tools."""
    if not name or not {"disabled", "errors", "hostname"} <= attrs.keys() or "id" in attrs or "package" in attrs:
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
    for attempts in tests.values():
        if any(case.status != PASSED or not case.is_final for case in attempts[:-1]):
            continue
        for number, case in enumerate(attempts, 1):
            case.attempt, case.is_final = number, number == len(attempts)
            if not case.is_final:
                case.status, case.kind = FAILED, "failure"
                case.message = "pytest ran the test again; the report does not have the failure."
                earlier += 1
    cases[:] = [case for attempts in tests.values() for case in attempts]
    return earlier
