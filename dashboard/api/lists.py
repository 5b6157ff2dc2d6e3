"""Lists: a page of JSON, or all rows as CSV, Parquet or an Arrow stream."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, NotRequired, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
from flask import Response, request

from dashboard.api import client_connection, cursors, export
from dashboard.api.cursors import Cursor, Position
from dashboard.api.lookups import check_exists, valid_id
from dashboard.api.parameters import ListQuery, PageQuery
from dashboard.api.problems import ProblemError
from dashboard.api.responses import request_context
from dashboard.app_state import store
from dashboard.media_types import FORMATS
from data.lake.store import Store
from data.model.filters import Filter

R = TypeVar("R", bound=Mapping[str, object])  # an item of a list, an answer of data/answers/
Fetch = Callable[[Store, Filter, Any, int], list[R]]
FetchBatches = Callable[[Store, Filter, int], Iterator[list[R]]]
READ_TIMEOUT_S = 60  # a download that stalls this long is aborted: it holds one of few threads
_SCALARS: dict[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@dataclass(frozen=True)
class RowSource(Generic[R]):
    """The rows of a list.

    `fetch(store, filter, position, limit)` returns at most `limit` rows after a position: None (the start), a row's
    sort key (`key`), or, without `key`, the number of rows before.

    `parent`: the object that the list belongs to, such as ("run", id). It is looked up only when the list is empty, to
    answer 404 if it does not exist: looking it up first would cost every list a query.

    `batches(store, filter, size)` yields all rows, `size` at a time: for files, where each `fetch` would sort again.
    """

    answer: type[R]
    fetch: Fetch[R]
    key: Callable[[R], list[str]] | None = None
    parent: tuple[str, str] | None = None
    batches: FetchBatches[R] | None = None

    def after(self, position: Position | None, rows: list[R]) -> Position:
        if self.key is not None:
            return self.key(rows[-1])
        return (position if isinstance(position, int) else 0) + len(rows)


def sliced(query: Callable[[Store, Filter], list[R]]) -> Fetch[R]:
    """A `fetch` over a query that always returns all rows."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[R]:
        start = position or 0
        return query(store, flt)[start : start + limit]

    return fetch


def list_response(rows: RowSource[R], query: PageQuery, flt: Filter) -> Any:
    """`{"items", "next", "snapshot"}`, or the file that the request asks for."""
    fields = _fields(query.fields if isinstance(query, ListQuery) else None, rows.answer)
    flt = request_context().at(flt)
    if rows.parent is not None and rows.parent[0] != "release":
        valid_id(*rows.parent)
    if request_context().format != "json":
        return export_file(rows, flt, fields, query.limit)
    limit = query.limit or PageQuery.PAGE_ROWS
    position = _position(query.cursor, rows)
    found = rows.fetch(store(), flt, position, limit + 1)
    if rows.parent is not None and not found:
        check_exists(*rows.parent)
    page_rows = found[:limit]
    next_cursor = None
    if len(found) > limit:
        question = cursors.question_key(request_context().path, request_context().query)
        next_cursor = cursors.encode(Cursor(request_context().snapshot, question, rows.after(position, page_rows)))
    items = [{name: row[name] for name in fields} for row in page_rows] if fields else page_rows
    return {"items": items, "next": next_cursor, "snapshot": request_context().changed_at}


def _position(cursor: str | None, rows: RowSource[R]) -> Position | None:
    if not cursor:
        return None
    found = cursors.decode(cursor)
    if found.question != cursors.question_key(request_context().path, request_context().query):
        raise ProblemError(
            400, "this cursor belongs to another list or filter; use `next` of the previous page", "cursor"
        )
    if isinstance(found.position, list) != (rows.key is not None):
        raise ProblemError(400, "invalid cursor; use `next` of the previous page", "cursor")
    return found.position


def _fields(names: str | None, answer: type) -> list[str]:
    chosen = [name.strip() for name in (names or "").split(",") if name.strip()]
    allowed = list(get_type_hints(answer))
    for name in chosen:
        if name not in allowed:
            raise ProblemError(400, f"no such field: {name!r}; the fields are {', '.join(allowed)}", "fields")
    return chosen


def export_file(rows: RowSource[R], flt: Filter, fields: list[str], limit: int | None = None) -> Response:
    """The rows as a file in the requested format, streamed."""
    form = request_context().format
    if rows.batches is not None:
        chunks = _first_rows(rows.batches(store(), flt, export.BATCH_ROWS), limit)
    else:
        chunks = _fetch_pages(rows, store(), flt, request_context().snapshot, limit)
    first = next(chunks, [])  # an invalid request fails here, before the headers are sent
    if rows.parent is not None and not first:
        check_exists(*rows.parent)
    schema = arrow_schema(rows.answer, fields, list(first[0]) if first else [], form)

    def all_chunks() -> Iterator[list[R]]:
        yield first
        yield from chunks

    body = export.encode(form, export.batches(all_chunks(), schema), schema)
    client_connection.set_send_timeout(request.environ, READ_TIMEOUT_S)
    response = Response(body, mimetype=FORMATS[form])
    name = request_context().path.rsplit("/", 1)[-1]
    suffix = {"arrow": "arrows"}.get(form, form)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{request_context().snapshot}.{suffix}"'
    return response


def _first_rows(chunks: Iterator[list[R]], limit: int | None) -> Iterator[list[R]]:
    left = limit
    for chunk in chunks:
        yield chunk[:left]
        left = None if left is None else left - len(chunk)
        if left is not None and left <= 0:
            return


def _fetch_pages(rows: RowSource[R], store: Store, flt: Filter, snapshot: int, limit: int | None) -> Iterator[list[R]]:
    # Runs on after the request context has ended.
    position: Position | None = None
    left = limit
    while left is None or left > 0:
        size = export.BATCH_ROWS if left is None else min(left, export.BATCH_ROWS)
        found = rows.fetch(store, flt, position, size)
        if found:
            yield found
        if len(found) < size:
            return
        position = rows.after(position, found)
        flt = replace(flt, as_of=snapshot)  # commits during the download change nothing
        left = None if left is None else left - len(found)


def arrow_schema(answer: type, fields: list[str], order: list[str], form: str) -> pa.Schema:
    """The columns of a file: `fields`, or those of the JSON items in their `order`.

    Nested values are JSON text; times are text in CSV.
    """
    columns = {name: _arrow_type(hint, form) for name, hint in get_type_hints(answer, include_extras=True).items()}
    names = fields or [*(name for name in order if name in columns), *(name for name in columns if name not in order)]
    return pa.schema([(name, columns[name]) for name in names])


def _arrow_type(hint: Any, form: str) -> pa.DataType:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (option,) = [option for option in arguments if option is not type(None)]
        return _arrow_type(option, form)
    if (
        origin is Annotated
        and form != "csv"
        and any(getattr(fact, "format", None) == "date-time" for fact in arguments)
    ):
        return pa.timestamp("s", "UTC")
    if origin in (Annotated, NotRequired):
        return _arrow_type(arguments[0], form)
    return _SCALARS.get(hint, pa.string())
