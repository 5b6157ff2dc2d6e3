"""Counts the requests of clients, so that tests can distinguish a polite poller from a rude one."""

from __future__ import annotations

import re
import threading
from collections import Counter

_KINDS = (
    ("zip", r"/artifact/.*\*zip\*"),
    ("artifact", r"/artifact/"),
    ("test_report", r"/testReport/"),
    ("console", r"/(logText/progressiveText|consoleText)$"),
    ("build", r"/(\d+|last[A-Z]\w*)/api/json$"),
    ("root", r"^/api/json$"),
    ("view", r"^/view/[^/]+/api/json$"),
    ("job", r"/job/[^/]+/api/json$|/[^/]+=[^/]+/api/json$"),
)


class RequestCounter:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._counts: Counter[str] = Counter()
            self._most = self._in_flight

    def begin(self, path: str) -> None:
        kind = next((kind for kind, pattern in _KINDS if re.search(pattern, path)), "other")
        with self._lock:
            self._counts[kind] += 1
            self._in_flight += 1
            self._most = max(self._most, self._in_flight)

    def end(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def as_dict(self) -> dict[str, int]:
        """Requests by kind and in total, and the maximum number in flight."""
        with self._lock:
            return {**self._counts, "total": self._counts.total(), "max_in_flight": self._most}
