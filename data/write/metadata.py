"""Writes test metadata, which no report contains: priority, ids, owner, component, topology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from data.lake.cursors import one_row, registered

COLUMNS = ("priority", "case_id", "testrail_id", "component", "owner", "topology", "state", "removed")
KEY = ("base_name", "release", "file", "class")
_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in KEY]
    + [pa.field(name, pa.bool_() if name == "removed" else pa.string()) for name in COLUMNS]
)


def merge_metadata(
    cursor: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, str | bool | None]], keep: Sequence[str] = ()
) -> tuple[int, int]:
    """Merge rows (base_name, any of COLUMNS and, where they are given, release, file and class) into the table. Returns
    (added, changed).

    A value that is missing or None keeps the stored one; so does every stored value of the columns in `keep`. Of
    several values in rows with one key the last counts.
    """
    by_key: dict[tuple[str | bool | None, ...], dict[str, str | bool | None]] = {}
    for row in rows:
        values = by_key.setdefault(tuple(row.get(name) for name in KEY), dict.fromkeys(_SCHEMA.names))
        values |= {name: row[name] for name in _SCHEMA.names if row.get(name) is not None}
    if not by_key:
        return 0, 0
    merged = ", ".join(
        f"coalesce({'o' if name in keep else 'i'}.{name}, {'i' if name in keep else 'o'}.{name}) AS {name}"
        for name in COLUMNS
    )
    old = ", ".join(f"o.{name}" for name in COLUMNS)
    new = ", ".join(f"n.{name}" for name in COLUMNS)
    same_key = " AND ".join(f"o.{name} IS NOT DISTINCT FROM {{0}}.{name}" for name in KEY)
    with registered(cursor, incoming_metadata=pa.Table.from_pylist(list(by_key.values()), _SCHEMA)):
        cursor.execute(
            f"""CREATE OR REPLACE TEMP TABLE merged AS
            WITH n AS (SELECT {", ".join(f"i.{name}" for name in KEY)}, {merged} FROM incoming_metadata i
                       LEFT JOIN test_metadata o ON {same_key.format("i")})
            SELECT n.*, o.base_name IS NULL AS is_new FROM n LEFT JOIN test_metadata o ON {same_key.format("n")}
            WHERE o.base_name IS NULL OR ({old}) IS DISTINCT FROM ({new})"""
        )
    added, changed = one_row(
        cursor.execute("SELECT count(*) FILTER (is_new), count(*) FILTER (NOT is_new) FROM merged")
    )
    cursor.execute(f"DELETE FROM test_metadata o WHERE EXISTS (SELECT 1 FROM merged n WHERE {same_key.format('n')})")
    cursor.execute("INSERT INTO test_metadata BY NAME SELECT * EXCLUDE (is_new) FROM merged ORDER BY base_name")
    cursor.execute("DROP TABLE merged")
    return added, changed
