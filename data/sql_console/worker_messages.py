"""What the web process and the SQL worker send each other: one JSON object a line."""

from __future__ import annotations

from typing import Literal, TypedDict

from data.answers.operations import SqlColumn


class WorkerLimits(TypedDict):
    """The first line to the worker: its store, the fields of LakeAddress, and its limits."""

    lake: tuple[str, str, str, int, str]
    address_space_mb: int


class WorkerStart(WorkerLimits):
    snapshot: int | None


class QueryRequest(TypedDict):
    """`texts`: types without a form in JSON are text."""

    sql: str
    rows: int
    bytes: int
    texts: bool


class QueryFailure(TypedDict):
    """`position`: index of the character at fault; `unreadable`: files could not be read; `spent`: the worker is of no
    more use."""

    error: str
    position: int | None
    unreadable: bool
    spent: bool


class WorkerMessage(TypedDict, total=False):
    """A line from the worker. First: it is `ready`, or `young` (its snapshot has no tables yet). An answer: `columns`,
    or a failure; after the rows, whether they were `truncated`, and a late failure (or `error` None)."""

    ready: Literal[True]
    young: Literal[True]
    columns: list[SqlColumn]
    truncated: bool
    error: str | None
    position: int | None
    unreadable: bool
    spent: bool
