"""Texts, durations and times in reports: texts are clipped while streaming, times are read in any usual format."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from data.model.input_checks import believed

YEAR_S = 365 * 86400.0
LONGEST = 100  # characters of a number or a time; a longer text is neither, and could keep a pattern busy for hours


class Clip:
    """Collects streamed text but keeps only about `limit` characters: head, tail and the number left out between."""

    __slots__ = ("_head", "_room", "_tail", "_tail_size", "half", "size")

    def __init__(self, limit: int) -> None:
        self.half = max(limit // 2, 1)
        self.size = 0
        self._head: list[str] = []
        self._room = self.half
        self._tail: list[str] = []
        self._tail_size = 0

    def add(self, text: str) -> None:
        self.size += len(text)
        if self._room:
            head = text[: self._room]
            self._head.append(head)
            self._room -= len(head)
            text = text[len(head) :]
        if text:
            self._tail.append(text)
            self._tail_size += len(text)
            if self._tail_size > 4 * self.half:
                kept = "".join(self._tail)[-self.half :]
                self._tail, self._tail_size = [kept], len(kept)

    def __str__(self) -> str:
        head, tail = "".join(self._head), "".join(self._tail)
        dropped = self.size - 2 * self.half
        if dropped <= 0:
            return head + tail
        return f"{head}\n...[{dropped} characters left out]...\n{tail[-self.half :]}"


def clip(text: str, limit: int) -> str:
    """The whole text if it fits into `limit` characters, else its head and tail."""
    if len(text) <= limit:
        return text
    clipped = Clip(limit)
    clipped.add(text)
    return str(clipped)


_COMMA_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_DOT_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+,\d+")
_UNIT = re.compile(r"\s*(s|sec|secs|seconds?)$", re.IGNORECASE)


def seconds(text: str) -> float | None:
    """A duration in seconds; None if it is not a number, below zero or above a year.

    A comma is a thousands separator if it can be one ("1,234.5"), else a decimal comma ("0,008").
    """
    try:
        value = float(text)
        if 0.0 <= value <= YEAR_S:
            return value
    except ValueError:
        if len(text) > LONGEST:
            return None
        text = _UNIT.sub("", text.strip())
        if _COMMA_THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        elif _DOT_THOUSANDS.fullmatch(text):
            text = text.replace(".", "").replace(",", ".")
        elif "." not in text:
            text = text.replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            return None
    return value if 0 <= value <= YEAR_S else None


_LOOSE_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T\s]\s*(\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_JAVA_DATES = ("%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p")


def epoch(text: str) -> float | None:
    """Seconds since 1970, UTC; None if the text is not a valid time, or not a believed one. Without a zone it is UTC,
    as in Jenkins."""
    when = _moment(text)
    if when is None:
        return None
    try:
        value = (when - (_EPOCH if when.tzinfo is None else _EPOCH_UTC)).total_seconds()
    except (OverflowError, ValueError):
        return None
    return value if believed(value) else None


def epoch_ms(value: object) -> float | None:
    """As `epoch`, of a number of milliseconds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not believed(value / 1000):
        return None
    return value / 1000


def _moment(text: str) -> datetime | None:
    if len(text) > LONGEST:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        text = " ".join(text.split())
    try:
        if text.isascii() and text.isdigit() and len(text) in (10, 13):
            return datetime.fromtimestamp(int(text) / (1 if len(text) == 10 else 1000), UTC)
        if found := _LOOSE_ISO.fullmatch(text):
            day, clock, zone = found.groups()
            if zone and zone.upper() in ("Z", "UTC", "GMT"):
                zone = "+00:00"
            return datetime.fromisoformat(f"{day}T{clock.replace(',', '.')}{zone or ''}")
    except ValueError:
        return None
    for form in _JAVA_DATES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
