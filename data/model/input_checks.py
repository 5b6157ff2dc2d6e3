"""Checks of what imports and uploads name: releases, modules and start times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def check_not_future(moment: datetime) -> datetime:
    """Check that a naive UTC time is not in the future; a day is allowed for wrong clocks. Raises ValueError."""
    if moment > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        raise ValueError(f"{moment.isoformat()}Z is in the future")
    return moment


def check_name(text: str) -> str:
    """Check the name of a release or module, which becomes part of job names and URLs. Raises ValueError."""
    if len(text) > 200 or not text.isprintable() or "/" in text or "\\" in text or not text.strip(" ."):
        raise ValueError(
            f"{text[:80]!r} is not a valid name: at most 200 characters, no slash, no control character, not only dots"
        )
    return text


def check_text(field: str, value: object) -> str:
    """Check the value of a field: printable text. Raises ValueError that names the field."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise ValueError(f"{field} = {value!r}: must be text of 1 to 200 printable characters")
    return value
