"""No function is so branched that it cannot be read at once: at most grade D of cyclomatic complexity."""

from __future__ import annotations

from radon.complexity import cc_visit
from support.paths import ROOT

MAX_COMPLEXITY = 30  # the upper end of grade D


def test_no_function_is_above_grade_d() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{block.lineno} {block.name} {block.complexity}"
        for package in ("data", "ingest", "dashboard", "regtracker", "tools")
        for file in sorted((ROOT / package).rglob("*.py"))
        for block in cc_visit(file.read_text(encoding="utf-8"))
        if block.complexity > MAX_COMPLEXITY
    ]
    assert not found, "\n".join(found)
