"""Faults on demand: which requests fail, how, and how often, by a plan that tests send to /_sim/faults.

A rule matches the path with its query. Of the matching requests it lets the first `after` pass, then strikes with
`probability` (drawn from `seed`, so that a plan repeats itself), at most `times` times and for at most `for_s` seconds.
The first rule that strikes wins.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from random import Random
from typing import Required, TypedDict

KINDS = ("slow", "reset", "truncate", "html", "login", "status")
STATUSES = (401, 403, 404, 429, 500, 502, 503, 504)


class FaultRule(TypedDict, total=False):
    """A fault as its JSON; see HttpFault."""

    kind: Required[str]
    path: str
    status: int
    times: int | None
    after: int
    for_s: float | None
    probability: float
    seed: int
    delay_s: float
    keep: float
    retry_after: int | None
    matched: int
    hits: int


@dataclass(slots=True, kw_only=True)
class HttpFault:
    """One rule. Raises ValueError for a rule that cannot work.

    `kind`: slow (responds after `delay_s`), reset (the connection breaks after `keep` of the body), truncate (the body
    ends after `keep` of it, with status 200), html (a page with status 200), login (a redirect to the login page) or
    status (an error page with `status`, and a Retry-After header of `retry_after` seconds).
    """

    kind: str
    path: str = ""
    status: int = 500
    times: int | None = None
    after: int = 0
    for_s: float | None = None
    probability: float = 1.0
    seed: int = 1
    delay_s: float = 0.2
    keep: float = 0.5
    retry_after: int | None = None
    matched: int = 0
    hits: int = 0
    _rng: Random = field(init=False, repr=False)
    _begun: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}, known are {', '.join(KINDS)}")
        if self.kind == "status" and self.status not in STATUSES:
            raise ValueError(f"no page for status {self.status}, there are pages for {STATUSES}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path {self.path!r} is not a regular expression: {error}") from error
        self._rng, self._begun = Random(self.seed), time.monotonic()

    def strikes(self, path: str) -> bool:
        if not re.search(self.path, path):
            return False
        self.matched += 1
        drawn = self._rng.random()
        over = self.times is not None and self.hits >= self.times
        late = self.for_s is not None and time.monotonic() - self._begun > self.for_s
        if self.matched <= self.after or drawn >= self.probability or over or late:
            return False
        self.hits += 1
        return True

    def as_dict(self) -> FaultRule:
        return {
            "kind": self.kind,
            "path": self.path,
            "status": self.status,
            "times": self.times,
            "after": self.after,
            "for_s": self.for_s,
            "probability": self.probability,
            "seed": self.seed,
            "delay_s": self.delay_s,
            "keep": self.keep,
            "retry_after": self.retry_after,
            "matched": self.matched,
            "hits": self.hits,
        }


class HttpFaultPlan:
    def __init__(self, rules: list[FaultRule] | None = None) -> None:
        self._lock = threading.Lock()
        self.set(rules or [])

    def set(self, rules: list[FaultRule]) -> None:
        """Replace the plan. Raises ValueError or TypeError for a wrong rule; the old plan stays then."""
        faults = [HttpFault(**rule) for rule in rules]
        with self._lock:
            self._faults = faults

    def strike(self, path: str) -> HttpFault | None:
        with self._lock:
            return next((fault for fault in self._faults if fault.strikes(path)), None)

    def as_list(self) -> list[FaultRule]:
        with self._lock:
            return [fault.as_dict() for fault in self._faults]
