"""Checks of what imports and uploads name: releases, modules and start times."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# A clock that was never set begins at 1970, 1980 or 2000.
EARLIEST_S = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
# A clock may be ahead by this much. A local time without a zone may be ahead by more, and is then not believed.
AHEAD_S = 3600.0


def believed(moment_s: float) -> bool:
    """Whether something can have run at a moment (seconds since 1970, UTC): not near the epoch, nor in the future."""
    return EARLIEST_S <= moment_s <= time.time() + AHEAD_S


def check_start(moment: datetime) -> datetime:
    """Check a start time (naive UTC). Raises ValueError if nothing can have started then."""
    seconds = moment.replace(tzinfo=UTC).timestamp()
    if not believed(seconds):
        why = "before 2001" if seconds < EARLIEST_S else "in the future (a time without a zone is UTC)"
        raise ValueError(f"{moment.isoformat()}Z is {why}")
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
