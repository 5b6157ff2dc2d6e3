"""JUnit XML as the usual tools write it, for the benchmark of ingest: the same tests in each build, other durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from random import Random

TESTS = 500  # of each build
Reports = dict[str, bytes]  # by path
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_LOG = "2026-01-01 00:00:00 INFO  worker-{0}: step {0} of the test took {0} ms\n"


def _groups(tests: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (tests[first : first + size] for first in range(0, len(tests), size))


def _time(rng: Random) -> str:
    return f"{rng.lognormvariate(-2, 1):.3f}"


def _case(facts: str, rng: Random, inside: str = "") -> str:
    start = f'    <testcase {facts} time="{_time(rng)}"'
    return f"{start}>{inside}</testcase>\n" if inside else f"{start}/>\n"


def _failure(test: int, rng: Random, lines: int) -> str:
    text = f"AssertionError: route {test} has {rng.randrange(9)} hops"
    trace = "\n".join([*(f"    line {line} of the test, in a function" for line in range(lines)), f"E   {text}"])
    return f'<failure message="{text}">{trace}</failure>'


def _pytest(rng: Random, failing: float = 0.0, lines: int = 20) -> Reports:
    """All tests in one suite; those that fail have a message, a trace and 2 kB of output."""
    cases = []
    for test in range(TESTS):
        facts = f'classname="tests.part{test // 20}.test_part.TestPart" name="test_keeps_{test}"'
        failed = rng.random() < failing
        output = f"<system-out>{_LOG.format(rng.randrange(9999)) * 30}</system-out>"
        cases.append(_case(facts, rng, _failure(test, rng, lines) + output if failed else ""))
    suite = f'<testsuite name="pytest" tests="{TESTS}" timestamp="2025-01-01T00:00:00" hostname="agent-1">'
    return {"report.xml": f"{_HEAD}<testsuites>{suite}{''.join(cases)}</testsuite></testsuites>".encode()}


def _surefire(rng: Random) -> Reports:
    """A file for each class, with the properties of the JVM."""
    properties = "".join(
        f'    <property name="java.vm.part{n}" value="/opt/java/lib/part{n}.jar"/>\n' for n in range(40)
    )
    files = {}
    for tests in _groups(range(TESTS), 20):
        name = f"com.example.shop.part{tests[0]}.OrderServiceTest"
        cases = [_case(f'name="keepsTheOrder{test}" classname="{name}"', rng) for test in tests]
        totals = f'tests="{len(tests)}" errors="0" skipped="0" failures="0"'
        start = f'<testsuite name="{name}" time="{_time(rng)}" {totals}>\n<properties>\n{properties}</properties>\n'
        files[f"shop/target/surefire-reports/TEST-{name}.xml"] = f"{_HEAD}{start}{''.join(cases)}</testsuite>".encode()
    return files


def _eights(rng: Random) -> Reports:
    """Suites of eight tests in one file, some of which fail."""
    suites = []
    for tests in _groups(range(TESTS), 8):
        name = f"archive.part{tests[0]}.PartTest"
        failed = {test for test in tests if rng.random() < 0.02}
        cases = [
            _case(f'classname="{name}" name="test_keeps_{test}"', rng, _failure(test, rng, 3) if test in failed else "")
            for test in tests
        ]
        totals = f'tests="{len(tests)}" failures="{len(failed)}" errors="0" skipped="0"'
        suites.append(
            f'  <testsuite name="{name}" {totals} timestamp="2025-01-01T00:00:00">\n{"".join(cases)}  </testsuite>\n'
        )
    return {"junit.xml": f"{_HEAD}<testsuites>\n{''.join(suites)}</testsuites>".encode()}


def _googletest(rng: Random) -> Reports:
    """Properties below each test, which begins at a time of its own."""
    suites = []
    for tests in _groups(range(TESTS), 25):
        name = f"Part{tests[0]}Test"
        cases = []
        for test in tests:
            started = f"2025-01-01T00:{test // 60:02}:{test % 60:02}.{rng.randrange(1000):03}"
            facts = f'name="Keeps{test}" file="/src/part_test.cc" line="{test}" status="run" result="completed"'
            inside = f'<properties><property name="seed" value="{rng.randrange(9999)}"/></properties>'
            cases.append(_case(f'{facts} timestamp="{started}" classname="{name}"', rng, inside))
        totals = f'tests="{len(tests)}" failures="0" disabled="0" skipped="0" errors="0" time="{_time(rng)}"'
        start = f'  <testsuite name="{name}" {totals} timestamp="2025-01-01T00:00:00.000">\n'
        suites.append(f"{start}{''.join(cases)}  </testsuite>\n")
    head = f'<testsuites tests="{TESTS}" failures="0" disabled="0" errors="0" name="AllTests">'
    return {"gtest.xml": f"{_HEAD}{head}\n{''.join(suites)}</testsuites>".encode()}


def _jest(rng: Random) -> Reports:
    """Sentences as names, a suite for each file."""
    suites = []
    for tests in _groups(range(TESTS), 40):
        name = f"src/parts/part{tests[0]}.test.ts"
        cases = []
        for test in tests:
            text = escape(f"part {tests[0]} > when the cart has {test} items > keeps the order's lines")
            cases.append(_case(f'classname="{name}" name="{text}"', rng))
        totals = f'errors="0" failures="0" skipped="0" timestamp="2025-01-01T00:00:00" tests="{len(tests)}"'
        suites.append(f'  <testsuite name="{name}" {totals}>\n{"".join(cases)}  </testsuite>\n')
    head = f'<testsuites name="jest tests" tests="{TESTS}" failures="0" errors="0">'
    return {"junit.xml": f"{_HEAD}{head}\n{''.join(suites)}</testsuites>".encode()}


def _parameters(rng: Random) -> Reports:
    """Names with parameters, and the test's id as output, as the console launcher of JUnit 5 writes them."""
    cases = []
    for test in range(TESTS):
        name = escape(f'[{test % 50 + 1}] amount = "{test % 50}.5", currency = EUR')
        test_id = f"[engine:junit-jupiter]/[class:Part{test // 50}Test]/[method:keeps]/[#{test % 50}]"
        output = f"\n<system-out><![CDATA[\nunique-id: {test_id}\n]]></system-out>\n"
        cases.append(_case(f'name="{name}" classname="com.example.Part{test // 50}Test"', rng, output))
    head = f'<testsuite name="JUnit Jupiter" tests="{TESTS}" skipped="0" failures="0" errors="0">'
    return {"TEST-junit-jupiter.xml": f"{_HEAD}{head}\n{''.join(cases)}</testsuite>".encode()}


def _outputs(rng: Random) -> Reports:
    """A kilobyte of output of each test, which passes."""
    cases = [
        _case(
            f'classname="parts.Part{test // 50}" name="keeps_{test}"',
            rng,
            f"<system-out>{''.join(_LOG.format(rng.randrange(9999)) for _ in range(15))}</system-out>",
        )
        for test in range(TESTS)
    ]
    return {"report.xml": f'{_HEAD}<testsuite name="parts" tests="{TESTS}">\n{"".join(cases)}</testsuite>'.encode()}


def _nested(rng: Random) -> Reports:
    """Suites within suites, ten deep, with five tests each."""
    files = {}
    for tests in _groups(range(TESTS), 50):
        text = ""
        for depth, own in reversed([*enumerate(_groups(tests, 5))]):
            cases = "".join(_case(f'name="keeps {test}" classname="part{tests[0]}"', rng) for test in own)
            text = (
                f'<testsuite name="level {depth}" tests="{50 - 5 * depth}" failures="0">\n{cases}{text}</testsuite>\n'
            )
        files[f"part{tests[0]}.xml"] = f"{_HEAD}{text}".encode()
    return files


def _long_traces(rng: Random) -> Reports:
    return _pytest(rng, failing=0.2, lines=200)


def _some_failures(rng: Random) -> Reports:
    return _pytest(rng, failing=0.05)


_DIALECTS: dict[str, Callable[[Random], Reports]] = {
    "one suite, all pass": _pytest,
    "one suite, 5 % fail with output": _some_failures,
    "20 % fail with long traces": _long_traces,
    "suites of eight": _eights,
    "surefire: a file per class": _surefire,
    "googletest: properties, times": _googletest,
    "jest: sentences": _jest,
    "JUnit 5: parameters": _parameters,
    "1 kB of output per test": _outputs,
    "nested suites": _nested,
}
NAMES = tuple(_DIALECTS)


def builds(dialect: str, count: int) -> Iterator[Reports]:
    """The reports of so many builds."""
    rng = Random(dialect)
    return (_DIALECTS[dialect](rng) for _ in range(count))
