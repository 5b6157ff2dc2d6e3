"""Filters and partition bounds as SQL conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from data.model.filters import Filter


def conditions(flt: Filter, alias: str) -> tuple[str, dict[str, Any]]:
    """A condition on the columns release, version and environment of `alias`, and its parameters."""
    wanted = {name: getattr(flt, name) for name in ("release", "version", "environment")}
    used = {name: value for name, value in wanted.items() if value is not None}
    return " AND ".join(["true", *(f"{alias}.{name} = ${name}" for name in used)]), used


def partitions(releases: Iterable[str], times: Sequence[datetime]) -> tuple[str, dict[str, Any]]:
    """A condition on rows `r`: one of these releases, started between the first and the last of these times; and its
    parameters."""
    if not times:
        return "false", {}
    named = {f"release_{index}": name for index, name in enumerate(sorted(releases))}
    # A list of values prunes partitions; list_contains() reads every release.
    where = f"r.release IN ({', '.join(f'${name}' for name in named)}) AND r.started_at BETWEEN $first AND $last"
    return where, {**named, "first": min(times), "last": max(times)}
