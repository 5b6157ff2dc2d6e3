"""The folders into which build tools write reports, and the module of a build that wrote them."""

from __future__ import annotations

import re

from ingest.parsers.agent_paths import without_root

# The module is what is before one of these: `core` of core/target/surefire-reports, of core/build/test-results/test
_REPORTS = re.compile(
    r"(?:^|/)(?:(?:target|build|out|dist)/)?(?:[\w.]*-reports|junitreports|nextest|test-results|test-output|TestResults"
    r"|(?<=build/)(?:reports|outputs))(?=/)"
)


def module_of(path: str) -> str:
    """The folder of the module that wrote a report; empty if its path shows none."""
    path = without_root(path)
    found = _REPORTS.search(path)
    return path[: found.start()] if found else ""
