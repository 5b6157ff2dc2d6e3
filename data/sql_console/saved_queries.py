"""The saved queries of the SQL console. Saving under a name that exists replaces the query."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

import duckdb

from data.answers.operations import SavedQuery
from data.lake.cached_query import cached_query, of_tables
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso


class _SavedRow(TypedDict):
    query: int
    name: str
    sql: str
    author: str | None
    saved_at: datetime


@cached_query(of_tables("saved_queries"))
def saved(store: Store, flt: Filter = EVERYTHING) -> list[SavedQuery]:
    """All saved queries by name: id, name, sql, author (or None), saved_at."""
    rows = store.rows("SELECT * FROM saved_queries ORDER BY lower(name), name", {}, _SavedRow)
    return [
        {
            "id": ids.text(row["query"]),
            "name": row["name"],
            "sql": row["sql"],
            "author": row["author"],
            "saved_at": iso(row["saved_at"]),
        }
        for row in rows
    ]


def save(store: Store, name: str, sql: str, author: str | None = None) -> SavedQuery:
    """Save a query, replacing one of the same name, and return its row."""
    number, now = ids.of("saved query", name), datetime.now(UTC).replace(tzinfo=None, microsecond=0)

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute("DELETE FROM saved_queries WHERE query = ?", [number])
        cursor.execute("INSERT INTO saved_queries VALUES (?, ?, ?, ?, ?)", [number, name, sql, author, now])

    store.transact(author or "anyone", f"query saved: {name}", write)
    return {"id": ids.text(number), "name": name, "sql": sql, "author": author, "saved_at": iso(now)}


def delete(store: Store, query: str) -> bool:
    """Delete a query by id; False if it does not exist. Raises ValueError for an invalid id."""
    number = ids.number(query)

    def write(cursor: duckdb.DuckDBPyConnection) -> bool:
        ((deleted,),) = cursor.execute("DELETE FROM saved_queries WHERE query = ?", [number]).fetchall()
        return bool(deleted)

    if not store.value("SELECT count(*) FROM saved_queries WHERE query = ?", [number]):
        return False
    return store.transact("anyone", f"saved query {query} deleted", write)
