"""Filters and partition bounds as SQL conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from data.model.filters import RunScope, TestScope
from data.model.sql_values import SqlParameters, SqlValue

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


class Where:
    """Conditions joined by AND, written into SQL as text, and their parameters."""

    def __init__(self, condition: str = "true", **parameters: SqlValue) -> None:
        self._conditions = [condition]
        self.parameters: SqlParameters = parameters

    def __str__(self) -> str:
        return " AND ".join(self._conditions)

    def add(self, condition: str, **parameters: SqlValue) -> Where:
        """Another condition, with the parameters that it names."""
        self._conditions.append(condition)
        self.parameters |= parameters
        return self

    def equal(self, alias: str, **values: SqlValue) -> Where:
        """Columns of the rows `alias` have these values; None restricts nothing."""
        for name, value in values.items():
            if value is not None:
                self.add(f"{alias}.{name} = ${name}", **{name: value})
        return self


def of_lane(flt: RunScope, alias: str) -> Where:
    """The columns release, version and environment of `alias` are those of the filter."""
    return Where().equal(alias, release=flt.release, version=flt.version, environment=flt.environment)


def of_part(flt: TestScope, alias: str) -> Where:
    """The columns module and topology of `alias` are those of the filter."""
    return Where().equal(alias, module=flt.module, topology=flt.topology)


def partitions(releases: Iterable[str], times: Sequence[datetime]) -> Where:
    """Rows `r` of one of these releases, started between the first and the last of these times."""
    if not times:
        return Where("false")
    named = {f"release_{index}": name for index, name in enumerate(sorted(releases))}
    # A list of values prunes partitions; list_contains() reads every release.
    return Where(f"r.release IN ({', '.join(f'${name}' for name in named)})", **named).add(
        "r.started_at BETWEEN $first AND $last", first=min(times), last=max(times)
    )
