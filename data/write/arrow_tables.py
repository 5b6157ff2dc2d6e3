"""Build records as the Arrow tables that the inserts of `data/write/builds.py` read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

import numpy as np
import pyarrow as pa

from data.model.build_record import COUNTS, BuildKey, BuildRecord, TestIdentity

KEY_COLUMNS: dict[str, pa.DataType] = {"source": pa.string(), "job": pa.string(), "number": pa.int32()}
_KEYS = pa.schema(KEY_COLUMNS)

# Fields of a BuildRecord that have tables of their own.
_CHILDREN = ("cases", "tests", "commits", "warnings", "raw")
_COLUMN_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int32(),
    float: pa.float64(),
    datetime: pa.timestamp("us"),
}


def _column_type(hint: Any) -> pa.DataType:
    """The Arrow type of a field by its type, ignoring None; collections are stored as text."""
    kind = next((member for member in get_args(hint) if member in _COLUMN_TYPES), hint)
    return _COLUMN_TYPES.get(kind, pa.string())


_HINTS = get_type_hints(BuildRecord)
_BUILD_COLUMNS: dict[str, pa.DataType] = {
    "build": pa.int64(),
    **{one.name: _column_type(_HINTS[one.name]) for one in fields(BuildRecord) if one.name not in _CHILDREN},
    **dict.fromkeys(COUNTS, pa.int32()),
}
_COMMIT_COLUMNS: dict[str, pa.DataType] = {
    "build": pa.int64(),
    "position": pa.int32(),
    "revision": pa.string(),
    "author": pa.string(),
    "message": pa.string(),
    "committed_at": pa.timestamp("us"),
    "url": pa.string(),
}
_WARNING_COLUMNS: dict[str, pa.DataType] = {"build": pa.int64(), "path": pa.string(), "message": pa.string()}
_BUILDS, _COMMITS, _WARNINGS = (pa.schema(columns) for columns in (_BUILD_COLUMNS, _COMMIT_COLUMNS, _WARNING_COLUMNS))
# DuckDB sorts and groups repeating texts twice as fast when they are dictionary-encoded.
_REPEATING = ("release", "module", "topology", "status", "kind", "host")


def build_table(builds: Sequence[BuildRecord], now: datetime) -> pa.Table:
    """One row per build. A build without `ingested_at` gets `now`."""
    rows = []
    for build in builds:
        row = {name: getattr(build, name) for name in _BUILDS.names if name not in ("build", *COUNTS)}
        row |= {
            "build": build.id,
            **build.totals,
            "parameters": json.dumps(build.parameters),
            "causes": json.dumps(build.causes),
            "flags": " ".join(sorted(build.flags)),
            "ingested_at": build.ingested_at or now,
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, _BUILDS)


def count_table(builds: Sequence[BuildRecord]) -> pa.Table:
    """The counts of each build by owning module and topology, in the order of the table `build_counts`."""
    tables = []
    for build in sorted(builds, key=lambda build: (build.release, build.started_at)):
        facts = (("build", build.id, pa.int64()), ("release", build.release, pa.string()),
                 ("started_at", build.started_at, pa.timestamp("us")))  # fmt: skip
        table = build.counts
        for name, value, kind in facts:
            table = table.append_column(name, pa.array([value] * len(table), kind))
        tables.append(table)
    return pa.concat_tables(tables)


def case_table(builds: Sequence[BuildRecord]) -> pa.Table:
    """All cases of the batch with the columns of their build, in one chunk: DuckDB pays for every chunk that it scans.

    In the order of the table `results`: sorting sorted rows again takes a third of the time.
    """
    table = pa.concat_tables([build.cases for build in builds]).combine_chunks()
    build_index = np.repeat(np.arange(len(builds), dtype=np.int32), [len(build.cases) for build in builds])
    columns: tuple[tuple[str, list[Any], pa.DataType], ...] = (
        ("build", [build.id for build in builds], pa.int64()),
        ("release", [build.release for build in builds], pa.string()),
        ("started_at", [build.started_at for build in builds], pa.timestamp("us")),
    )
    for name, values, kind in columns:
        table = table.append_column(name, pa.array(values, kind).take(build_index))
    for name in _REPEATING:
        table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    if not len(table):
        return table
    modules = table["module"].chunks[0]
    assert isinstance(modules, pa.DictionaryArray)
    rank = np.argsort(np.argsort(modules.dictionary.to_numpy(zero_copy_only=False)))[modules.indices]
    return table.take(np.lexsort((table["started_at"], table["test"], rank)))


def test_table(builds: Sequence[BuildRecord]) -> pa.Table:
    """Each test of the batch once."""
    tests: dict[int, TestIdentity] = {}
    for build in builds:
        tests |= build.tests
    columns = list(zip(*tests.values(), strict=True)) or [()] * len(TestIdentity._fields)
    names = ["file", "class", "name", "base_name"]
    return pa.table([pa.array(list(tests), pa.int64()), *(pa.array(column, pa.string()) for column in columns)],
                    ["test", *names])  # fmt: skip


def commit_table(builds: Sequence[BuildRecord]) -> pa.Table:
    rows = [
        {"build": build.id, "position": position, **vars(commit)}
        for build in builds
        for position, commit in enumerate(build.commits)
    ]
    return pa.Table.from_pylist(rows, _COMMITS)


def warning_table(builds: Sequence[BuildRecord]) -> pa.Table:
    rows = [
        {"build": build.id, "path": path, "message": message} for build in builds for path, message in build.warnings
    ]
    return pa.Table.from_pylist(rows, _WARNINGS)


def key_table(keys: Collection[BuildKey]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(_KEYS.names, key, strict=True)) for key in sorted(keys)], _KEYS)
