"""How the answer of any SELECT leaves DuckDB, so that every type of DuckDB travels in every format.

Arrow, Python and the formats each lack something: dates beyond the year 9999 or infinite, intervals, structs without
names, unions. What does not travel is made text by DuckDB itself, before Arrow sees it.

in texts (JSON, CSV): booleans, numbers of 64 bits or less, texts, and lists and structs of them travel. Maps, unions,
lists and structs of anything else become JSON, bytes hexadecimal, times ISO 8601 with Z (without a zone they are
taken for UTC, as all in the tables are), all else, as DECIMAL, DATE and INTERVAL, what DuckDB writes.

in columns (Parquet, Arrow): whatever both have travels. Lists, structs and maps of anything else become JSON, all else,
as INTERVAL, BIT and TIMETZ, what DuckDB writes.

Whatever can travels, as to_json takes a hundred times the memory of what it writes.
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


def leaving(relation: duckdb.DuckDBPyRelation, texts: bool) -> duckdb.DuckDBPyRelation:
    """The relation with what does not travel made text, for a format of texts, or of typed columns; columns of one
    name are told apart."""
    numbered = [(f"#{at}", kind) for at, kind in enumerate(relation.types, 1)]
    columns = [_texts(kind, column) if texts else _columns(kind, column) for column, kind in numbered]
    names = told_apart(relation.columns)
    if columns == [column for column, _ in numbered] and names == relation.columns:
        return relation
    quoted = [name.replace('"', '""') for name in names]
    return relation.project(", ".join(f'{column} AS "{name}"' for column, name in zip(columns, quoted, strict=True)))


def told_apart(names: list[str]) -> list[str]:
    """Column names with a number behind those that were there already, as DuckDB itself does: a, a_1."""
    taken = {name.lower() for name in names}
    seen: set[str] = set()
    answer = []
    for name in names:
        number, given = 0, name
        while given.lower() in seen or (number and given.lower() in taken):
            number += 1
            given = f"{name}_{number}"
        seen.add(given.lower())
        answer.append(given)
    return answer


def _texts(kind: Any, column: str) -> str:
    if _travels(kind, _TEXTS, ("list", "array", "struct")):
        return column
    if kind.id in NESTED:
        return f"CAST(to_json({column}) AS VARCHAR)"
    if kind.id == "blob":
        return f"lower(hex({column}))"
    if kind.id.startswith("timestamp"):
        return _ISO.format(column)
    return f"CAST({column} AS VARCHAR)"


def _columns(kind: Any, column: str) -> str:
    if _travels(kind, _COLUMNS, ("list", "array", "struct", "map")):
        return column
    if kind.id in NESTED:
        return f"CAST(to_json({column}) AS VARCHAR)"
    # Parquet has no timestamps of seconds, and Arrow's writer fails where they do not fit into milliseconds.
    return f"CAST({column} AS {'TIMESTAMP' if kind.id == 'timestamp_s' else 'VARCHAR'})"


def _travels(kind: Any, plain: frozenset[str], nested: tuple[str, ...]) -> bool:
    """Whether a type is one of `plain`, or made of them by `nested` ones."""
    if kind.id not in nested:
        return kind.id in plain
    children = kind.children[:1] if kind.id == "array" else kind.children  # its second one is its size
    names = [name for name, _ in children]
    return all(names) and len(set(names)) == len(names) and all(_travels(child, plain, nested) for _, child in children)
