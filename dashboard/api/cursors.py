"""Cursors: where a list continues, and in which snapshot, so that pages fit together while data arrives.

A cursor is opaque to clients and valid for one list and filter. It holds the snapshot of the first page and either the
sort key of the last row or, for lists without one, the number of rows before.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from dashboard.api.problems import ProblemError
from data.model import ids

Position = int | list[str]
_PAGE_PARAMETERS = {"cursor", "limit", "fields"}  # parameters that may change from page to page
_MAX_OFFSET = 10**9


class Cursor(NamedTuple):
    snapshot: int
    question: int
    position: Position


def encode(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(cursor))).rstrip(b"=").decode()


def decode(text: str) -> Cursor:
    """Raises ProblemError 400 for text that this server never issued."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        snapshot, question, position = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
        _validate(snapshot, position)
        return Cursor(snapshot, question, position)
    except (ValueError, TypeError, binascii.Error, orjson.JSONDecodeError):
        raise ProblemError(400, "invalid cursor; use `next` of the previous page", "cursor") from None


def question_key(path: str, query: Iterable[tuple[str, str]]) -> int:
    """A checksum of the list and its filters, the same for all pages."""
    return zlib.crc32(
        repr((path, [pair for pair in query if pair[0] not in _PAGE_PARAMETERS])).encode("utf-8", "surrogatepass")
    )


def _validate(snapshot: object, position: object) -> None:
    if type(snapshot) is not int or not 0 <= snapshot < 2**62:
        raise ValueError("no snapshot")
    if isinstance(position, list):
        if not position or not all(isinstance(part, str) for part in position):
            raise ValueError("no sort key")
        ids.number(position[0])
    elif type(position) is not int or not 0 <= position <= _MAX_OFFSET:
        raise ValueError("no offset")
