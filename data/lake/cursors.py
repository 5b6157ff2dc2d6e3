"""Helpers for DuckDB cursors: Arrow tables as SQL views, and results of exactly one row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa


@contextmanager
def registered(cursor: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    """Make each table available to SQL under its keyword, for the duration of the block."""
    for name, table in tables.items():
        cursor.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            cursor.unregister(name)


def one_row(result: duckdb.DuckDBPyConnection) -> tuple[Any, ...]:
    """The row of a result that always has one, such as a count."""
    row = result.fetchone()
    assert row is not None, "a statement that returns one row returned none"
    return row
