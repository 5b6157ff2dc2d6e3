"""Ids are hashes of natural keys: the lake has no sequences, and two writers must give the same thing the same id.

63 bits of MD5 (not for security), shown to users as 16 hex digits, because JavaScript has no 64-bit integers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache


def of(*key: object) -> int:
    """The id of a natural key: its parts joined by '::'."""
    digest = hashlib.md5("::".join(str(part) for part in key).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[8:], "little") >> 1


@lru_cache(maxsize=65_536)
def text(number: int) -> str:
    """An id as 16 hex digits."""
    return f"{number:016x}"


def number(text: str) -> int:
    """The inverse of `text`. Raises ValueError if the text is not an id."""
    if len(text) != 16:
        raise ValueError(f"{text!r} is not a valid id: an id has 16 hexadecimal digits")
    value = int(text, 16)
    if value >> 63:
        raise ValueError(f"{text!r} is not a valid id: it is too large")
    return value
