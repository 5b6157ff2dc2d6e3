"""The failure texts of the results on a page, read separately: planning a join takes longer than reading them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from data.answers.base import Status
from data.lake.store import Store
from data.model.filter_sql import partitions

AttemptKey = tuple[int, int, str, int]  # build, test, topology, attempt


class Attempted(TypedDict):
    """What names an attempt."""

    build: int
    test: int
    topology: str
    attempt: int


class AttemptRow(Attempted):
    """A row of `results`, as far as its message is searched by it."""

    release: str
    started_at: datetime
    status: Status


def messages(store: Store, rows: Iterable[AttemptRow]) -> dict[AttemptKey, str]:
    """By attempt: the message of each failed row among these rows of `results`."""
    failed = [row for row in rows if row["status"] == "failed"]
    if not failed:
        return {}
    bounds = {row["release"] for row in failed}, [row["started_at"] for row in failed]
    where = partitions(*bounds)
    for name, values in (("build", {row["build"] for row in failed}), ("test", {row["test"] for row in failed})):
        if len(values) == 1:  # of one test or build, which leaves out row groups; a list does not
            where.equal("r", **{name: next(iter(values))})
        else:
            where.add(f"r.{name} IN (SELECT unnest(${name}::BIGINT[]))", **{name: list(values)})
    found = store.cursor().execute(
        f"""SELECT r.build, r.test, r.topology, r.attempt, r.message FROM {store.table_source("failures", *bounds)} r
        WHERE {where}""",
        where.parameters,
    )
    return {(build, test, topology, attempt): text for build, test, topology, attempt, text in found.fetchall()}


def attempt_key(row: Attempted) -> AttemptKey:
    return row["build"], row["test"], row["topology"], row["attempt"]
