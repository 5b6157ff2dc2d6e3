"""The time as the store keeps it, and which times of others are believed."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# A clock that was never set begins at 1970, 1980 or 2000.
EARLIEST_S = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
# A clock may be ahead by this much. A local time without a zone may be ahead by more, and is then not believed.
AHEAD_S = 3600.0


def utc_now() -> datetime:
    """The current time as a naive UTC datetime."""
    return datetime.now(UTC).replace(tzinfo=None)


def believed(moment_s: float) -> bool:
    """Whether something can have run at a moment (seconds since 1970, UTC): not near the epoch, nor in the future."""
    return EARLIEST_S <= moment_s <= time.time() + AHEAD_S
