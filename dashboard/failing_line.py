"""Which line of a failure's text says what went wrong, so that it is in view before anybody scrolls."""

from __future__ import annotations

import re

from markupsafe import Markup

from dashboard.ansi import ansi, plain

# The first of these that some line matches decides, and of its lines the last: a test fails where its text ends.
_TELLING = (
    re.compile(r"^E\s+\S"),  # pytest
    re.compile(r"^\s*(?:\w+\.)*\w*(?:Error|Exception|Failure|Timeout)\b\s*(?::|$)"),
    re.compile(r"\b(?:FATAL|ERROR|FAILED|FAIL|panic|assert(?:ion)?)\b", re.IGNORECASE),
)
CONTEXT = 3


def failing_line(lines: list[str]) -> int | None:
    """The index of the line that says what went wrong; None where no line looks like it."""
    for pattern in _TELLING:
        found = [index for index, line in enumerate(lines) if pattern.search(line)]
        if found:
            return found[0] if pattern is _TELLING[0] else found[-1]
    return None


def log(text: str | None) -> Markup:
    """A text with its colours, its telling line marked (assets/logs.js brings it into view)."""
    lines = (text or "").splitlines()
    index = failing_line([plain(line) for line in lines])
    if index is None or len(lines) < 2:
        return ansi(text)
    before, after = "\n".join(lines[:index]), "\n".join(lines[index + 1 :])
    return Markup('{}{}<mark class="failing-line">{}</mark>{}{}').format(
        ansi(before), "\n" if before else "", ansi(lines[index]), "\n" if after else "", ansi(after)
    )


def excerpts(text: str, limit: int = 12) -> list[tuple[int, str]]:
    """Of a long log the lines that look like failures, each stretch with its context: (number of its first line, text);
    at most `limit` stretches, the last ones."""
    lines = text.splitlines()
    found = [index for index, line in enumerate(lines) if any(rule.search(plain(line)) for rule in _TELLING)]
    stretches: list[list[int]] = []
    for index in found:
        start, end = max(index - CONTEXT, 0), min(index + CONTEXT + 1, len(lines))
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = end
        else:
            stretches.append([start, end])
    return [(start + 1, "\n".join(lines[start:end])) for start, end in stretches[-limit:]]
