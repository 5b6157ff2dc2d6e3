"""Limits of every HTTP answer that ingestion reads, from Jenkins or from the bug tracker: timeouts, a deadline for the
whole body, and a check that the body is complete."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests

CONNECT_S = 10.0
# A read timeout starts again with each chunk that arrives; a whole answer may take this many of them.
DEADLINE_READS = 10
CHUNK = 1 << 16


class SlowBodyError(Exception):
    """The body did not arrive within the deadline."""


class CutBodyError(Exception):
    """The body is shorter than its Content-Length."""


def timeouts(timeout_s: float) -> tuple[float, float]:
    """(connect, read) timeouts in seconds."""
    return min(CONNECT_S, timeout_s), timeout_s


def deadline(timeout_s: float) -> float:
    """When an answer that starts now must be complete, on the monotonic clock."""
    return time.monotonic() + DEADLINE_READS * timeout_s


def content_length(response: requests.Response) -> int | None:
    """The declared length of the body in bytes."""
    declared = response.headers.get("Content-Length", "")
    return int(declared) if declared.isdigit() else None


def read_chunks(response: requests.Response, timeout_s: float) -> Iterator[bytes]:
    """The body in chunks. Raises SlowBodyError, CutBodyError, or an exception of `requests`."""
    end = deadline(timeout_s)
    for chunk in response.iter_content(CHUNK):
        yield chunk
        if time.monotonic() > end:
            raise SlowBodyError
    declared = content_length(response)
    # Older urllib3 does not compare the two.
    if declared is not None and response.raw.tell() < declared:
        raise CutBodyError
