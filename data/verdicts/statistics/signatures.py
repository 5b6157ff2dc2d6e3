r"""Failure messages to signatures: what changes from run to run becomes %, so that one cause has one pattern.

A pattern is a LIKE pattern (escape character \): it can be shown, edited and used as a rule, and it groups without any
state. Source: LUCI Analysis, failure reason clustering v6, with two differences that keep ordinary words: nothing
without a digit is ever replaced ("defaced", "feedface", "responsecode=" stay), and hexadecimal begins and ends where a
word does ("failed 2024-01-02" does not lose its "ed"). A terminal's colours are hidden too.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

LONGEST = 1000  # characters of a message that count

# Possessive, so that a match is never cut back until it has no digit left.
_TOKEN = re.compile(
    r"(?:\x1b|#x1[bB])\[[0-9;?]*[a-zA-Z]"  # colours of a terminal, also as pytest writes them into XML
    r"|(?=[/+a-zA-Z]*[0-9])[/+0-9a-zA-Z]{10,}+=+"  # base64
    r"|(?<![a-zA-Z])(?=[-a-fA-F]*[0-9])[-0-9a-fA-F]{16,}+(?![a-zA-Z0-9])"  # UUIDs, long hashes
    r"|(?<![a-zA-Z])(?=(?:[a-fA-F]{2}[ \t])*(?:[a-fA-F][0-9]|[0-9][0-9a-fA-F])\b)"
    r"[0-9a-fA-F]{2}(?:[ \t][0-9a-fA-F]{2}\b){5,}+"  # dumps of bytes
    r"|(?<![a-zA-Z])(?=[a-fA-Fx]*[0-9])[0-9a-fA-Fx]{8,}+(?![a-zA-Z0-9])"  # addresses, short hashes
    r"|[0-9]+"
)
_ESCAPES = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})
_ESCAPED = re.compile(r"\\([\\%_])")

_LINE = re.compile(r"[^\r\n]+")
_PYTEST = re.compile(r"^E {2,}(\S.*)", re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last):"
# Lines that do not state what went wrong.
_EMPTY = re.compile(
    r"\s*(?:fail(?:ed|ure)?|error|exception|[\W_]+"  # headings, rules
    r"|[\w./\\+-]+\.\w+:[\d*][\d:*]*|[\w\\]+::\w+(?: with data set .*\))?"  # places: file and line, PHPUnit's test
    r"|at [\w$.<>]+\(.*\)|File \".*\", line \d+.*)[:.!]?\s*",  # frames
    re.IGNORECASE,
)
# Lines that complete the one above them.
_CONTINUES = re.compile(
    r"\s*(?:expected|actual|received|but|was|got|found|left|right|value of|which is)\b", re.IGNORECASE
)
_MAX_LINES = 3


def reason(message: str) -> str:
    """Return the part of a message that states what went wrong: at most three lines and LONGEST characters of it.

    The first line that pytest marks with E, else the first that is not a heading ("FAILED:", "Traceback ..." with its
    frames), a code location, a stack frame or a rule; plus the lines after it that begin with expected, actual,
    received, but, got and the like, or follow a line that ends in a colon or a dash. If no line qualifies, the first
    that is not blank.
    """
    if marked := _PYTEST.search(message):
        return marked.group(1)[:LONGEST].strip()
    lines = (line for line in _LINE.finditer(message) if not line.group().isspace())
    first = start = next(lines, None)
    framed = False
    while start is not None:
        text = start.group()
        headed = text.strip() == _TRACEBACK
        if not headed and not (framed and text[0] in " \t") and not _EMPTY.fullmatch(text, 0, LONGEST):
            break
        framed = (framed and text[0] in " \t") or headed
        start = next(lines, None)
    if first is None:
        return ""
    if start is None:
        return first.group().strip()[:LONGEST].strip()
    end = start
    for _ in range(_MAX_LINES - 1):
        line = next(lines, None)
        if line is None or not (end.group().rstrip()[-1] in ":-" or _CONTINUES.match(line.group())):
            break
        end = line
    return message[start.start() : end.end()].strip()[:LONGEST].strip()


def pattern(message: str) -> str:
    r"""Return the LIKE pattern of a message's reason; empty for a blank message.

    `message LIKE '%' || pattern || '%' ESCAPE '\'` holds for every message with this pattern.
    """
    return _short_pattern(message) if len(message) <= LONGEST else _pattern(reason(message))


@lru_cache(maxsize=16_384)
def _short_pattern(message: str) -> str:
    return _pattern(reason(message))  # most failures come again with the next build


@lru_cache(maxsize=16_384)
def _pattern(text: str) -> str:
    parts: list[str] = []
    shown_from = 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if start > shown_from or not parts:
            parts.append(text[shown_from:start].translate(_ESCAPES) + "%")
        shown_from = end
    parts.append(text[shown_from:].translate(_ESCAPES))
    return "".join(parts)


def key(pattern: str) -> int:
    """Return the signature's id: 63 bits of the pattern's SHA-256, which fit a BIGINT and are never negative."""
    return int.from_bytes(hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).digest()[:8]) >> 1


def title(pattern: str) -> str:
    """Return a pattern for display, without the escapes. A % of the message and a replaced part then look alike."""
    return _ESCAPED.sub(r"\1", pattern)
