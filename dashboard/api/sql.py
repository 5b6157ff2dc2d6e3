"""The SQL console's routes: run one SELECT, describe the tables, and keep saved queries.

Queries run in the sandbox of data/sql_console/sandbox.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any

import orjson
import pyarrow as pa
from flask import Flask, Response, current_app, request
from pydantic import BaseModel, BeforeValidator, Field

from dashboard.api import client_connection, export, lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import valid_id
from dashboard.api.openapi import (
    FILE_CONTENT,
    OpenApiConfig,
    blueprint,
    list_responses,
    problem_responses,
    success_responses,
)
from dashboard.api.problems import ProblemError, not_found
from dashboard.api.responses import cached_route, check_acceptable, requested_format
from dashboard.app_state import Services, services, snapshot_of, store
from dashboard.media_types import FORMATS
from data.answers.operations import SavedQuery, SqlAnswer, TableMeaning
from data.lake.store import Store
from data.model.filters import Filter
from data.sql_console import dictionary, saved_queries
from data.sql_console.sandbox import (
    BusyError,
    Sandbox,
    SqlError,
    Table,
    TooEarlyError,
    TooSlowError,
    WorkerUnavailableError,
)

routes = blueprint("sql", "SQL for questions that no other route answers.")
MAX_SQL_LENGTH = 100_000
_EXAMPLE = {"sql": "SELECT module, sum(failed) AS failed FROM build_counts GROUP BY ALL ORDER BY 2 DESC", "limit": 10}


class SqlQuestion(BaseModel):
    """One SELECT in DuckDB's dialect."""

    model_config = OpenApiConfig(extra="forbid", openapi_extra={"example": _EXAMPLE})

    sql: str = Field(min_length=1, max_length=MAX_SQL_LENGTH)
    as_of: Annotated[str | None, BeforeValidator(lambda value: str(value) if type(value) is int else value)] = Field(
        None, min_length=1, max_length=40, description="snapshot number or ISO 8601 time", examples=["12"]
    )
    limit: int = Field(1000, ge=1, le=10_000, description="rows of a JSON answer; a file has up to a million")


def install(server: Flask) -> None:
    running: Services = server.extensions["regtracker"]
    server.extensions["regtracker_sandbox"] = Sandbox(running.settings)


@routes.post(
    "/sql",
    summary="Run one SELECT",
    responses=success_responses(200, SqlAnswer, FILE_CONTENT)
    | problem_responses(400, 403, 404, 406, 408, 413, 415, 429, 503),
)
def run_sql(body: SqlQuestion) -> Response:
    """Read-only; as of `as_of` (`AT (VERSION => n)` after a table reads an earlier snapshot of it alone). Limits: 10
    seconds, 512 MB of memory, 32 MB of answer. `Accept` selects CSV, Parquet or Arrow instead of JSON. Times end in Z;
    times without a zone are UTC. Numbers that JSON cannot hold exactly, dates after the year 9999 and intervals are
    strings; NaN and infinity are null; columns with the same name become a, a_1. Disconnecting cancels the query.
    `position` is the index of the character where an error is. A truncated file has the header
    `Regtracker-Truncated`."""
    form = requested_format(None, request.headers.get("Accept", "")) or "json"
    check_acceptable(FORMATS[form])
    sandbox: Sandbox = current_app.extensions["regtracker_sandbox"]
    store = services().store  # raises StoreError if it cannot be opened
    snapshot = None
    if body.as_of:
        snapshot = snapshot_of(body.as_of)
        snapshot = store.at(snapshot).snapshot().id if snapshot != store.snapshot().id else None
    rows = body.limit if form == "json" else 10**6
    try:
        table = sandbox.query(
            body.sql, rows, client_connection.disconnect_check(request.environ), snapshot, form in ("json", "csv")
        )
    except TooSlowError as error:
        raise ProblemError(408, str(error), "sql") from error
    except SqlError as error:
        raise ProblemError(
            400, _with_line_and_column(str(error), body.sql, error.position), "sql", error.position
        ) from error
    except BusyError as error:
        raise ProblemError(429, str(error)) from error
    except WorkerUnavailableError as error:
        raise ProblemError(503, str(error)) from error
    except TooEarlyError as error:
        raise ProblemError(404, str(error), "as_of") from error
    if form != "json":
        return _file_response(table, form)
    answer = {
        "columns": table.columns,
        "rows": list(islice(_json_rows(table), body.limit)),
        "truncated": table.truncated,
        "seconds": table.seconds,
    }
    response = Response(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE), mimetype=FORMATS["json"])
    response.headers["Cache-Control"] = "no-store"
    return response


def _with_line_and_column(text: str, sql: str, position: int | None) -> str:
    if position is None:
        return text
    before = sql[:position].split("\n")
    return f"line {len(before)}, column {len(before[-1]) + 1}: {text}"


@routes.get("/sql/tables", summary="Tables and columns, with their meaning", responses=list_responses(TableMeaning))
@cached_route()
def list_tables(query: parameters.ListQuery) -> Any:
    def fetch(_: Store, flt: Filter) -> list[TableMeaning]:
        return dictionary.tables()

    return lists.list_response(RowSource(TableMeaning, sliced(fetch)), query, query.filter())


@routes.get("/sql/saved", summary="Saved queries", responses=list_responses(SavedQuery))
@cached_route()
def list_saved(query: parameters.ListQuery) -> Any:
    return lists.list_response(RowSource(SavedQuery, sliced(saved_queries.saved)), query, query.filter())


class QueryToSave(BaseModel):
    """A query to save; it replaces the one with the same name."""

    model_config = OpenApiConfig(
        extra="forbid",
        str_strip_whitespace=True,
        openapi_extra={"example": {"name": "Broken modules", "sql": _EXAMPLE["sql"], "author": "dana"}},
    )

    name: str = Field(min_length=1, max_length=200)
    sql: str = Field(min_length=1, max_length=MAX_SQL_LENGTH)
    author: str | None = Field(None, min_length=1, max_length=200)


@routes.post(
    "/sql/saved",
    summary="Save a query",
    responses=success_responses(201, SavedQuery) | problem_responses(400, 403, 413, 415, 503),
)
def save_query(body: QueryToSave) -> Response:
    """Saving does not run it."""
    kept = saved_queries.save(store(), body.name, body.sql, body.author)
    response = Response(orjson.dumps(kept, option=orjson.OPT_APPEND_NEWLINE), 201, mimetype=FORMATS["json"])
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.delete(
    "/sql/saved/<query>",
    summary="Delete a saved query",
    responses={204: {"description": "deleted"}, **problem_responses(403, 404, 503)},
)
def delete_query(path: parameters.SavedQueryPath) -> Response:
    if not saved_queries.delete(store(), valid_id("saved query", path.query)):
        raise not_found("saved query", path.query)
    return Response(status=204)


def _json_rows(table: Table) -> Iterator[list[Any]]:
    readers = [_json_reader(column["type"], field) for column, field in zip(table.columns, table.schema, strict=True)]
    for batch in table.batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield [None if value is None else read(value) for value, read in zip(row, readers, strict=True)]


def _json_reader(kind: str, field: pa.Field) -> Callable[[Any], Any]:
    """The conversion of a column's values to JSON, by DuckDB type."""
    if kind.endswith("]") or kind.startswith(("STRUCT(", "MAP(", "UNION(")):
        return _nested if pa.types.is_string(field.type) else lambda value: value
    return _number if kind.startswith("DECIMAL") or kind in ("HUGEINT", "UHUGEINT", "BIGNUM") else lambda value: value


def _nested(text: str) -> Any:
    return json.loads(
        text,
        parse_int=_number,
        parse_float=_number,
        parse_constant=lambda _: None,  # as orjson writes NaN and infinity
        object_pairs_hook=_struct_or_list,
    )


def _number(text: str) -> int | float | str:
    """A number if a double or a 64-bit integer holds it exactly, else the text."""
    exact = Decimal(text)
    if exact == exact.to_integral_value() and abs(exact) < 2**63:
        return int(exact)
    double = float(exact)
    return double if Decimal(repr(double)) == exact else text


def _struct_or_list(pairs: list[tuple[str, Any]]) -> Any:
    """A list for ROW(1, 2), whose fields have the same empty name twice."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else [value for _, value in pairs]


def _file_response(table: Table, form: str) -> Response:
    batches, schema = _without_nested(table) if form == "csv" else (table.batches, table.schema)
    # Encoded as a whole, so that an error can still be answered.
    content = b"".join(export.encode(form, batches, schema))
    response = Response(content, mimetype=FORMATS[form])
    response.headers["Cache-Control"] = "no-store"
    if table.truncated:
        response.headers["Regtracker-Truncated"] = "1"
    return response


def _without_nested(table: Table) -> tuple[list[pa.RecordBatch], pa.Schema]:
    """Lists and structs as JSON, for CSV."""
    schema = pa.schema([f.with_type(pa.string()) if pa.types.is_nested(f.type) else f for f in table.schema])
    return [
        pa.RecordBatch.from_arrays([_nested_as_json(column) for column in batch.columns], schema=schema)
        for batch in table.batches
    ], schema


def _nested_as_json(column: pa.Array) -> pa.Array:
    if not pa.types.is_nested(column.type):
        return column
    texts = [None if value is None else orjson.dumps(value).decode() for value in column.to_pylist()]
    return pa.array(texts, pa.string())
