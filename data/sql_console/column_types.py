"""Converts the columns of a SELECT so that every DuckDB type fits every output format.

Arrow, Python and the formats each lack something: dates beyond the year 9999 or infinite, intervals, structs without
names, unions. DuckDB itself turns unsupported types into text, before Arrow sees them.

Text formats (JSON, CSV): booleans, numbers of at most 64 bits, texts, and lists and structs of those are kept. Maps,
unions, and lists and structs of anything else become JSON; bytes become hexadecimal; times become ISO 8601 with Z
(times without a zone are UTC, as in all tables); the rest (DECIMAL, DATE, INTERVAL) becomes DuckDB's own text.

Column formats (Parquet, Arrow): types that both have are kept. Lists, structs and maps of anything else become JSON;
the rest (INTERVAL, BIT, TIMETZ) becomes DuckDB's own text.

As much as possible is kept, as to_json takes a hundred times the memory of what it writes.
"""

from __future__ import annotations

from typing import Any

import duckdb

_WHOLE = ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint")
_TEXTS = frozenset(("boolean", "varchar", "float", "double", *_WHOLE))
_TIMES = ("timestamp", "timestamp_ms", "timestamp_ns")
_COLUMNS = _TEXTS | {"hugeint", "decimal", "blob", "date", "time", "timestamp with time zone", "uuid", "enum", *_TIMES}
NESTED = ("list", "array", "struct", "map", "union")
_ISO = (
    "CASE WHEN isfinite({0}) AND year({0}) BETWEEN 1 AND 9999 "
    "THEN replace(replace(CAST({0} AS VARCHAR), ' ', 'T'), '+00', '') || 'Z' ELSE CAST({0} AS VARCHAR) END"
)


def for_format(relation: duckdb.DuckDBPyRelation, texts: bool) -> duckdb.DuckDBPyRelation:
    """The relation with unsupported types turned into text, for a text format (`texts`) or a column format, and with
    unique column names."""
    numbered = [(f"#{at}", kind) for at, kind in enumerate(relation.types, 1)]
    columns = [_as_text(kind, column) if texts else _columns(kind, column) for column, kind in numbered]
    names = unique_names(relation.columns)
    if columns == [column for column, _ in numbered] and names == relation.columns:
        return relation
    quoted = [name.replace('"', '""') for name in names]
    return relation.project(", ".join(f'{column} AS "{name}"' for column, name in zip(columns, quoted, strict=True)))


def unique_names(names: list[str]) -> list[str]:
    """Column names with a number after each duplicate, as DuckDB itself does: a, a_1."""
    originals = {name.lower() for name in names}
    used: set[str] = set()
    answer = []
    for name in names:
        number, unique = 0, name
        while unique.lower() in used or (number and unique.lower() in originals):
            number += 1
            unique = f"{name}_{number}"
        used.add(unique.lower())
        answer.append(unique)
    return answer


def _as_text(kind: Any, column: str) -> str:
    if _is_supported(kind, _TEXTS, ("list", "array", "struct")):
        return column
    if kind.id in NESTED:
        return f"CAST(to_json({column}) AS VARCHAR)"
    if kind.id == "blob":
        return f"lower(hex({column}))"
    if kind.id.startswith("timestamp"):
        return _ISO.format(column)
    return f"CAST({column} AS VARCHAR)"


def _columns(kind: Any, column: str) -> str:
    if _is_supported(kind, _COLUMNS, ("list", "array", "struct", "map")):
        return column
    if kind.id in NESTED:
        return f"CAST(to_json({column}) AS VARCHAR)"
    # Parquet has no timestamps of seconds, and Arrow's writer fails where they do not fit into milliseconds.
    return f"CAST({column} AS {'TIMESTAMP' if kind.id == 'timestamp_s' else 'VARCHAR'})"


def _is_supported(kind: Any, plain: frozenset[str], nested: tuple[str, ...]) -> bool:
    """Whether a type is one of `plain`, or built of them by `nested` types."""
    if kind.id not in nested:
        return kind.id in plain
    children = kind.children[:1] if kind.id == "array" else kind.children  # its second one is its size
    names = [name for name, _ in children]
    return (
        all(names)
        and len(set(names)) == len(names)
        and all(_is_supported(child, plain, nested) for _, child in children)
    )
