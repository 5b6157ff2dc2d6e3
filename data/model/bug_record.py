"""The record that ingest writes for one bug of the bug feed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# The columns of the table `bugs` that come from a feed.
BUG_FIELDS = (
    "type",
    "url",
    "status",
    "open",
    "summary",
    "priority",
    "assignee",
    "component",
    "resolution",
    "versions",
    "labels",
    "active",
)


@dataclass(frozen=True)
class BugRecord:
    """One bug of a feed. `cases` are ids of the test plan; None marks a value that the feed does not give."""

    bug: str
    type: str
    url: str
    open: bool
    status: str | None = None
    summary: str | None = None
    priority: str | None = None
    assignee: str | None = None
    component: str | None = None
    resolution: str | None = None
    versions: str | None = None
    labels: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def values(self) -> tuple[Any, ...]:
        """The values of BUG_FIELDS, in their order."""
        facts = {name: getattr(self, name) for name in BUG_FIELDS if name not in ("labels", "active")}
        facts |= {"labels": json.dumps(self.labels, ensure_ascii=False), "active": True}
        return tuple(facts[name] for name in BUG_FIELDS)
