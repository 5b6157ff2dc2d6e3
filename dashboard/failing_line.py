"""The line of a failure's text that shows what went wrong, so that it can be scrolled into view."""

from __future__ import annotations

import re

from markupsafe import Markup

from dashboard.ansi import ansi, plain

# The first pattern with a match wins. Its last match is taken, as a log ends at the failure; for pytest the first.
_PATTERNS = (
    re.compile(r"^E\s+\S"),  # pytest
    re.compile(r"^\s*(?:\w+\.)*\w*(?:Error|Exception|Failure|Timeout)\b\s*(?::|$)"),
    re.compile(r"\b(?:FATAL|ERROR|FAILED|FAIL|panic|assert(?:ion)?)\b", re.IGNORECASE),
)
CONTEXT = 3


def failing_line(lines: list[str]) -> int | None:
    """The index of the line that shows what went wrong; None if no line looks like it."""
    for pattern in _PATTERNS:
        found = [index for index, line in enumerate(lines) if pattern.search(line)]
        if found:
            return found[0] if pattern is _PATTERNS[0] else found[-1]
    return None


def marked_log(text: str | None) -> Markup:
    """The text with its colours and the failing line marked (assets/log-scroll.js scrolls it into view)."""
    lines = (text or "").splitlines()
    index = failing_line([plain(line) for line in lines])
    if index is None or len(lines) < 2:
        return ansi(text)
    before, after = "\n".join(lines[:index]), "\n".join(lines[index + 1 :])
    return Markup('{}{}<mark class="failing-line">{}</mark>{}{}').format(
        ansi(before), "\n" if before else "", ansi(lines[index]), "\n" if after else "", ansi(after)
    )


def excerpts(text: str, limit: int = 12) -> list[tuple[int, str]]:
    """The lines of a long log that look like failures, with context: (number of the first line, text); the last `limit`
    stretches."""
    lines = text.splitlines()
    found = [index for index, line in enumerate(lines) if any(rule.search(plain(line)) for rule in _PATTERNS)]
    stretches: list[list[int]] = []
    for index in found:
        start, end = max(index - CONTEXT, 0), min(index + CONTEXT + 1, len(lines))
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = end
        else:
            stretches.append([start, end])
    return [(start + 1, "\n".join(lines[start:end])) for start, end in stretches[-limit:]]
