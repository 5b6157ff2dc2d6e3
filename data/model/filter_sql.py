"""A filter as SQL, and the partitions of the large tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from data.model.filters import Filter


def conditions(flt: Filter, alias: str) -> tuple[str, dict[str, Any]]:
    """SQL over columns release, version, environment of `alias`, and its parameters."""
    wanted = {name: getattr(flt, name) for name in ("release", "version", "environment")}
    used = {name: value for name, value in wanted.items() if value is not None}
    return " AND ".join(["true", *(f"{alias}.{name} = ${name}" for name in used)]), used


def partitions(releases: Iterable[str], times: Sequence[datetime]) -> tuple[str, dict[str, Any]]:
    """SQL over rows `r` with release and started_at: these releases, between the first and last of these times."""
    if not times:
        return "false", {}
    named = {f"release_{place}": name for place, name in enumerate(sorted(releases))}
    # A list of values prunes partitions; list_contains() reads every release.
    where = f"r.release IN ({', '.join(f'${name}' for name in named)}) AND r.started_at BETWEEN $first AND $last"
    return where, {**named, "first": min(times), "last": max(times)}
