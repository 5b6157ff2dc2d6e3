"""Test metadata from CSV files: priorities, ids and other facts that reports do not have."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict, final

from data.answers.tests import UnmatchedMetadata
from data.lake.store import Store
from data.model.filters import EVERYTHING
from data.queries.lookups import ambiguous_metadata, exists, unmatched_metadata
from data.write.metadata import KEY, merge_metadata
from ingest.layouts.naming_rules import base_name

_NAMES = {
    "test_case_id": "case_id",
    "testcase_id": "case_id",
    "case_id": "case_id",
    "priority": "priority",
    "testrail_id": "testrail_id",
    "component": "component",
    "owner": "owner",
    "topology": "topology",
    "test_state": "state",
    "state": "state",
    "file": "file",
    "class": "class",
}
_NAME_COLUMNS = ("testcase_name", "name")
# What the first part of a name of two parts, file::name or class::name, is.
_FILE = re.compile(
    r".*/.*|.*\.(py|js|ts|jsx|tsx|mjs|cjs|rb|go|rs|c|cc|cpp|java|kt|php|cs|robot|feature|bats|t|sh)", re.I
)
# Columns that promise a scope which metadata do not have.
_NOT_READ = {
    "release": "column release is not read: give --release",
    "environment": "column environment is not read: metadata count in all environments",
}
SHOWN = 5  # names that match several tests or none, or have several values
PRIORITIES = {"P0", "P1", "P2", "P3"}


@final
class ImportedMetadata(TypedDict):
    file: str
    rows: int
    added: int
    changed: int
    warnings: list[str]


def import_metadata(store: Store, file: Path, release: str | None = None) -> ImportedMetadata:
    """Merge a CSV with the column testcase_name (or name) into the metadata of all releases, or of one.

    Columns file and class, or a name such as file::class::name, say which test of a name is meant. Empty cells change
    nothing. A CSV of topologies (with the column test_state) sets a priority only if none is stored. Raises ValueError
    if the column is missing.
    """
    reader = csv.DictReader(io.StringIO(_text(file.read_bytes())))
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    name_column = next((name for name in _NAME_COLUMNS if name in columns), None)
    if name_column is None:
        raise ValueError(f"has no column testcase_name; its columns are {', '.join(columns) or 'none'}")
    reader.fieldnames = columns
    rows: list[dict[str, str | None]] = []
    unknown: set[str] = set()
    for line in reader:
        name = (line[name_column] or "").strip()
        if not name:
            continue
        values = {_NAMES[column]: (line[column] or "").strip() or None for column in columns if column in _NAMES}
        priority = values.get("priority")
        if priority and priority not in PRIORITIES:
            unknown.add(priority)
            values["priority"] = None
        rows.append({"release": release, **values, **_parts(name)})
    keep = ("priority",) if "test_state" in columns else ()
    added, changed = store.transact(
        "import", f"test metadata of {release or 'all releases'}", lambda cursor: merge_metadata(cursor, rows, keep)
    )
    warnings = [f"priority {text!r} is not one of P0 to P3: left out" for text in sorted(unknown)[:5]]
    warnings += [why for column, why in _NOT_READ.items() if column in columns]
    warnings += _unread_columns(columns, name_column)
    warnings += _contradictions(rows)
    if release is not None and not exists(store, "release", release, EVERYTHING):
        warnings.append(f"no results of release {release!r} yet: the rows count once there are")
    warnings += _doubtful(store, rows)
    return {"file": str(file), "rows": len(rows), "added": added, "changed": changed, "warnings": warnings}


def _unread_columns(columns: Iterable[str], name_column: str) -> list[str]:
    """A line for the columns whose names are not known."""
    unread = [column for column in columns if column and column not in {*_NAMES, *_NOT_READ, name_column}]
    return [f"not read: column{'s' * (len(unread) > 1)} {', '.join(unread)}"] if unread else []


def _contradictions(rows: Iterable[Mapping[str, str | None]]) -> list[str]:
    """A line for each of the first names to which several rows give different values."""
    values: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        name = "::".join(part for part in (row.get("file"), row.get("class"), row["base_name"]) if part)
        for column in _NAMES.values():
            if column not in KEY and (value := row.get(column)):
                values.setdefault((name, column), {})[value] = None
    several = [(name, column, list(given)) for (name, column), given in values.items() if len(given) > 1]
    lines = [f"{name} has {column} {' and '.join(given)}: the last counts" for name, column, given in several[:SHOWN]]
    return lines + [f"{len(several) - SHOWN} more values contradict each other"] * (len(several) > SHOWN)


def _parts(name: str) -> dict[str, str]:
    """base_name and, if the name gives them, file and class: file::class::name (the class may be empty), file::name or
    class::name."""
    *before, last = name.partition("[")[0].split("::")
    if not before or not last:
        return {"base_name": base_name(name)}
    if len(before) == 1:
        return {"base_name": last, "file" if _FILE.fullmatch(before[0]) else "class": before[0]}
    return {"base_name": last, "file": before[0], "class": "::".join(before[1:])}


def _doubtful(store: Store, rows: Iterable[Mapping[str, str | None]]) -> list[str]:
    """A line for each of the first of these rows that several tests fit, which therefore count for none, and one for
    those that no test fits."""
    keys = {tuple(row.get(name) for name in KEY) for row in rows}
    several = [row for row in ambiguous_metadata(store) if tuple(row.get(name) for name in KEY) in keys]
    none = [row for row in unmatched_metadata(store) if tuple(row.get(name) for name in KEY) in keys]
    lines = [f"{_name(row)} matches {row['tests']} tests: give file and class" for row in several[:SHOWN]]
    lines += [f"{len(several) - SHOWN} more names match several tests"] * (len(several) > SHOWN)
    if none:
        names = ", ".join(map(_name, none[:SHOWN])) + f" and {len(none) - SHOWN} more" * (len(none) > SHOWN)
        lines.append(f"no test so far: {names}")
    return lines


def _name(row: UnmatchedMetadata) -> str:
    return "::".join(part for part in (row["file"], row["class"], row["base_name"]) if part)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
