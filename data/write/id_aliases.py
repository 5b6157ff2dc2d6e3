"""Writes the aliases of ids of tests that have changed: addresses, saved queries and the like go on working.

An alias counts only while no test has its old id (`data.queries.lookups.current_id`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from data.lake.cursors import registered
from data.model import ids

_IDS = re.compile(r"\b(?:\d{12,19}|[0-9a-f]{16})\b")


def insert_test_aliases(cursor: duckdb.DuckDBPyConnection, moved: Mapping[int, int]) -> None:
    """Let old ids of tests lead to new ones. Older aliases of the old ids lead to the new ones too."""
    if not moved:
        return
    columns = [pa.array(list(numbers), pa.int64()) for numbers in (moved.keys(), moved.values())]
    with registered(cursor, moved_tests=pa.table(columns, names=["old", "new"])):
        cursor.execute("DELETE FROM id_aliases WHERE kind = 'test' AND old IN (SELECT old FROM moved_tests)")
        cursor.execute(
            """UPDATE id_aliases SET new = m.new FROM moved_tests m
            WHERE id_aliases.kind = 'test' AND id_aliases.new = m.old"""
        )
        cursor.execute("INSERT INTO id_aliases SELECT 'test', old, new FROM moved_tests ORDER BY old")


def apply_test_aliases(cursor: duckdb.DuckDBPyConnection) -> None:
    """Remove the aliases of ids that tests have again, and write today's ids into saved queries."""
    cursor.execute("DELETE FROM id_aliases WHERE kind = 'test' AND old IN (SELECT test FROM tests)")
    saved = cursor.execute("SELECT query, sql FROM saved_queries").fetchall()
    if not any(_IDS.search(sql) for _, sql in saved):
        return
    texts: dict[str, str] = {}
    for old, new in cursor.execute("SELECT old, new FROM id_aliases WHERE kind = 'test'").fetchall():
        texts |= {str(old): str(new), ids.text(old): ids.text(new)}
    for query, sql in saved:
        updated = _IDS.sub(lambda found: texts.get(found[0], found[0]), sql)
        if updated != sql:
            cursor.execute("UPDATE saved_queries SET sql = ? WHERE query = ?", [updated, query])
