"""Filters and partition bounds as SQL conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from data.model.filters import Filter
from data.model.sql_values import SqlParameters

# What a filter can name, by its field, with the columns that hold such names. A module may be an owning module or the
# module of a job.
NAMES = {
    "release": (("releases", "release"),),
    "version": (("runs", "version"), ("builds", "version")),
    "environment": (("runs", "environment"), ("builds", "environment")),
    "module": (("build_counts", "module"), ("builds", "module"), ("run_builds", "module")),
    "topology": (("build_counts", "topology"),),
    "priority": (("test_metadata", "priority"),),
}


def conditions(flt: Filter, alias: str) -> tuple[str, SqlParameters]:
    """A condition on the columns release, version and environment of `alias`, and its parameters."""
    values = set_fields(flt, "release", "version", "environment")
    return f"true{and_equal(values, alias)}", values


def set_fields(flt: Filter, *names: str) -> SqlParameters:
    """The values of those of these fields that the filter sets: the parameters of `and_equal`."""
    values: SqlParameters = {name: getattr(flt, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def and_equal(names: Iterable[str], alias: str) -> str:
    """Such as " AND a.x = $x AND a.y = $y": to append to a condition on the rows `alias`."""
    return "".join(f" AND {alias}.{name} = ${name}" for name in names)


def partitions(releases: Iterable[str], times: Sequence[datetime]) -> tuple[str, SqlParameters]:
    """A condition on rows `r`: one of these releases, started between the first and the last of these times; and its
    parameters."""
    if not times:
        return "false", {}
    named = {f"release_{index}": name for index, name in enumerate(sorted(releases))}
    # A list of values prunes partitions; list_contains() reads every release.
    where = f"r.release IN ({', '.join(f'${name}' for name in named)}) AND r.started_at BETWEEN $first AND $last"
    return where, {**named, "first": min(times), "last": max(times)}
