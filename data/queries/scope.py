"""A filter as SQL: the part that runs and builds share."""

from __future__ import annotations

from typing import Any

from data.filters import Filter


def conditions(flt: Filter, alias: str) -> tuple[str, dict[str, Any]]:
    """SQL over columns release, version, environment of `alias`, and its parameters."""
    wanted = {name: getattr(flt, name) for name in ("release", "version", "environment")}
    used = {name: value for name, value in wanted.items() if value is not None}
    return " AND ".join(["true", *(f"{alias}.{name} = ${name}" for name in used)]), used
