"""Test metadata from CSV files: priorities, ids and other facts that reports do not have."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from data.lake.store import Store
from data.write.metadata import merge_metadata
from ingest.naming_rules import base_name

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
}
PRIORITIES = {"P0", "P1", "P2", "P3"}


def import_metadata(store: Store, file: Path, release: str | None = None) -> dict[str, Any]:
    """Merge a CSV with the column testcase_name into the metadata of all releases, or of one.

    Empty cells change nothing. A CSV of topologies (with the column test_state) sets a priority only if none is stored.
    Raises ValueError if the column is missing.
    """
    reader = csv.DictReader(io.StringIO(_text(file.read_bytes())))
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    if "testcase_name" not in columns:
        raise ValueError(f"has no column testcase_name; its columns are {', '.join(columns) or 'none'}")
    reader.fieldnames = columns
    rows: list[dict[str, Any]] = []
    unknown: set[str] = set()
    for line in reader:
        name = (line["testcase_name"] or "").strip()
        if not name:
            continue
        values = {_NAMES[column]: (line[column] or "").strip() or None for column in columns if column in _NAMES}
        priority = values.get("priority")
        if priority and priority not in PRIORITIES:
            unknown.add(priority)
            values["priority"] = None
        rows.append({"base_name": base_name(name), "release": release, **values})
    keep = ("priority",) if "test_state" in columns else ()
    added, changed = store.transact(
        "import", f"test metadata of {release or 'all releases'}", lambda cursor: merge_metadata(cursor, rows, keep)
    )
    warnings = [f"priority {text!r} is not one of P0 to P3: left out" for text in sorted(unknown)[:5]]
    return {"file": str(file), "rows": len(rows), "added": added, "changed": changed, "warnings": warnings}


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
