"""A log's ANSI colours as markup: text is escaped, colour and bold are kept, all other sequences are removed."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

LIMIT = 64 * 1024  # characters shown; the API has the full text
# ECMA-48 lets a parameter begin with '<' too; in a log that is markup after a stray escape, so it stays.
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9:;=>?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def ansi(text: str | None) -> Markup:
    """Classes `a-b` (bold) and `a-0` .. `a-7` (the eight colours, bright ones alike)."""
    text = unescaped(text or "")
    cut = len(text) > LIMIT
    pieces, state, start = [], frozenset[str](), 0
    text = text[:LIMIT]
    for found in _SEQUENCE.finditer(text):
        pieces.append(_span(text[start : found.start()], state))
        start = found.end()
        if found.group(2) == "m":
            state = _next_state(state, found.group(1) or "")
    pieces.append(_span(text[start:], state))
    if cut:
        pieces.append(Markup('\n<em class="cut">cut at 64 KB; the API has the full text</em>'))
    return Markup("").join(pieces)


def unescaped(text: str) -> str:
    """pytest writes the escape character, which XML cannot hold, as #x1B."""
    return text.replace("#x1B[", "\x1b[")


def plain(text: str) -> str:
    """The text without colours and other control sequences."""
    return _CONTROL.sub("", _SEQUENCE.sub("", unescaped(text)))


def _span(text: str, state: frozenset[str]) -> Markup:
    clean = escape(_CONTROL.sub("", text.replace("\r\n", "\n")))
    return Markup('<span class="{}">{}</span>').format(" ".join(sorted(state)), clean) if state and clean else clean


def _next_state(state: frozenset[str], codes: str) -> frozenset[str]:
    numbers = [int(code) if code.isdigit() else 0 for code in codes.split(";")]
    while numbers:
        code = numbers.pop(0)
        colourless = {name for name in state if name == "a-b"}
        if code == 0:
            state = frozenset()
        elif code == 1:
            state = state | {"a-b"}
        elif code == 22:
            state = state - {"a-b"}
        elif 30 <= code <= 37 or 90 <= code <= 97:
            state = frozenset(colourless | {f"a-{code % 10}"})
        elif code == 39:
            state = frozenset(colourless)
        elif code in (38, 48):  # a colour of the large palettes: skip its parameters
            del numbers[: 2 if numbers[:1] == [5] else 4]
    return state
