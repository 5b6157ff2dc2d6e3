"""Order logs: one line per test in the order in which they ran, from a main run and from a rerun of what had failed.

Files: `<epoch>_<suite>_<topology>.order.txt`, `re_run_<suite>_<topology>.order.txt`. Lines: `[host] STATUS test-id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream

SUFFIX = ".order.txt"
LINE_BYTES = 16 << 10

# Searched, not matched: a line may begin with a number or a time.
_LINE = re.compile(r"\[([^][]{1,255})\]\s+(PASSED|FAILED|SKIPPED|ERROR)\s+([^\s[][^[]*::.*)$")
_STATUS = {
    "PASSED": (PASSED, None),
    "FAILED": (FAILED, "failure"),
    "ERROR": (FAILED, "error"),
    "SKIPPED": (SKIPPED, None),
}


class LogName(NamedTuple):
    suite: str
    topology: str
    is_rerun: bool


def log_name(path: str) -> LogName:
    """The parts of the file name. The topology is all that follows the suite, and may contain underscores."""
    name = path.replace("\\", "/").rpartition("/")[2].removesuffix(SUFFIX)
    is_rerun = name.startswith("re_run_")
    rest = name.removeprefix("re_run_") if is_rerun else name.partition("_")[2]
    suite, _, topology = rest.partition("_")
    return LogName(suite, topology, is_rerun)


def looks_like(head: str) -> bool:
    """Whether one of the first lines is a result line."""
    return any(_LINE.search(line[:4096]) for line in head.splitlines()[:50])


def parse(stream: ReportStream, path: str) -> Report:
    """Parse one log. If a file has several lines of a test, the last one counts, in the position of the first.

    The cases of a rerun log are attempt 2 and final: ingest/merge_reports.py merges them into the main log.
    """
    name = log_name(path)
    found: dict[tuple[str, str, str], Case] = {}
    repeated = 0
    for text in _lines(stream):
        line = _LINE.search(text)
        if line is None:
            continue
        host, word, test = line.groups()
        key = _split(test)
        status, kind = _STATUS[word]
        repeated += key in found
        count_case()
        found[key] = Case(
            *key, status, kind, topology=name.topology, host=host, attempt=2 if name.is_rerun else 1, suite=name.suite
        )
    report = Report(cases=list(found.values()), suites=1 if found else 0)
    if not found:
        report.status = "error"
        report.warnings.append("no result line in this order log")
    if repeated:
        report.warnings.append(f"{repeated} lines repeat a test: the last one counts")
    return report


def _lines(stream: ReportStream) -> Iterator[str]:
    while line := stream.readline(LINE_BYTES):
        yield line.decode("utf-8", "ignore").rstrip()


def _split(test: str) -> tuple[str, str, str]:
    """(file, class, name): a function has no class, nested classes are joined as JUnit joins them, and "::" may also
    occur in a parameter."""
    path, bracket, parameters = test.partition("[")
    file, *classes, name = path.split("::")
    return file, ".".join(classes), name + bracket + parameters or "(?)"
