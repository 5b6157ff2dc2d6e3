"""Order logs: one line per test in the order in which they ran, from a main run and from a rerun of what had failed.

Files: `<epoch>_<suite>_<topology>.order.txt`, `re_run_<suite>_<topology>.order.txt`. Lines: `[host] STATUS test-id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report

SUFFIX = ".order.txt"
LINE_BYTES = 16 << 10

# Searched, not matched: lines may carry a number or a time in front.
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
    """What the file name says: the topology is all that follows the suite, and may hold underscores itself."""
    name = path.replace("\\", "/").rpartition("/")[2].removesuffix(SUFFIX)
    is_rerun = name.startswith("re_run_")
    rest = name.removeprefix("re_run_") if is_rerun else name.partition("_")[2]
    suite, _, topology = rest.partition("_")
    return LogName(suite, topology, is_rerun)


def looks_like(head: str) -> bool:
    """Whether one of the first lines is a result line."""
    return any(_LINE.search(line[:4096]) for line in head.splitlines()[:50])


def parse(stream: BinaryIO, path: str) -> Report:
    """Reads one log. Within one file the last line of a test counts, in the place of the first.

    The cases of a rerun log are attempt 2 and final: `ingest.build_results` lays them upon the main log.
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


def _lines(stream: BinaryIO) -> Iterator[str]:
    while line := stream.readline(LINE_BYTES):
        yield line.decode("utf-8", "ignore").rstrip()


def _split(test: str) -> tuple[str, str, str]:
    """(file, class, name): a function has no class, nested classes are joined as JUnit joins them, and "::" may also
    stand in a parameter."""
    path, bracket, parameters = test.partition("[")
    file, *classes, name = path.split("::")
    return file, ".".join(classes), name + bracket + parameters or "(?)"
