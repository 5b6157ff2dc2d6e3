"""What the store has of discovered builds: which are known, what lists them, and what is stored under their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

import pyarrow as pa

from data.answers.operations import LedgerState
from data.lake.cursors import registered
from data.lake.store import Store
from data.model.build_record import BuildKey, ResultCounts
from data.model.run_record import RUN_FACTS, RunRecord
from data.tasks.ledger import GONE_FOR, RUN, LedgerEntry

# Builds of one job and number whose starts differ by less are the same build; else the job was recreated.
SAME_START = timedelta(seconds=1)

_STORED_RUNS = "SELECT job, number, started_at FROM runs"
_HAS_NO_START = "contains(flags, 'no_start_time')"
_STORED_BUILDS = f"""SELECT job, number, CASE WHEN {_HAS_NO_START} THEN NULL ELSE started_at END
        FROM builds"""


def known_builds(
    store: Store, source: str, kind: str, names: Sequence[str], now: datetime
) -> dict[str, dict[int, set[datetime | None]]]:
    """Per job, the known build numbers with the start times of the builds known under each.

    None among the times marks a build whose start is unknown; it matches any build of its number.
    """
    answer: dict[str, dict[int, set[datetime | None]]] = {name: {} for name in names}
    done = _STORED_RUNS if kind == RUN else _STORED_BUILDS
    rows = store.cursor().execute(
        f"""WITH wanted AS (SELECT unnest($1::VARCHAR[]) AS job)
        {done} JOIN wanted USING (job) WHERE source = $2
        UNION ALL SELECT job, number, NULL FROM ledger JOIN wanted USING (job)
            WHERE source = $2 AND NOT (state = 'gone' AND updated_at < $3)""",
        [list(names), source, now - GONE_FOR],
    )
    for job, number, started_at in rows.fetchall():
        answer[job].setdefault(number, set()).add(started_at)
    return answer


@dataclass
class EntryContext:
    """What the store has about a ledger entry.

    `parents`: the runs that list it. `stored`: (start, state) of the builds under its number. `discovered`: the time of
    discovery that is used as the start of one of them. For an orchestrating build, `runs`: its runs, and
    `read_builds`: (run's start, job, number) of the listed builds that have been read.
    """

    parents: list[RunRecord] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    stored: list[tuple[datetime, str]] = field(default_factory=list)
    discovered: datetime | None = None
    read_builds: set[tuple[datetime, str, int]] = field(default_factory=set)


def entry_contexts(store: Store, entries: Sequence[LedgerEntry]) -> dict[BuildKey, EntryContext]:
    """The contexts of ledger entries by their key."""
    answer = {entry.key: EntryContext() for entry in entries}
    if not answer:
        return answer
    cursor = store.cursor()
    sources, jobs, numbers = zip(*answer, strict=True)
    wanted = pa.table({"source": pa.array(sources), "job": pa.array(jobs), "number": pa.array(numbers, pa.int32())})
    with registered(cursor, wanted_keys=wanted):
        facts = ", ".join(f"o.{name}" for name in RUN_FACTS)
        for source, job, number, *values in cursor.execute(
            f"""SELECT r.source, r.job, r.number, {facts} FROM run_builds r
            JOIN wanted_keys USING (source, job, number) JOIN runs o USING (run)"""
        ).fetchall():
            answer[source, job, number].parents.append(RunRecord(**dict(zip(RUN_FACTS, values, strict=True))))
        for row in cursor.execute(
            f"SELECT {facts} FROM runs o JOIN wanted_keys USING (source, job, number) ORDER BY started_at DESC"
        ).fetchall():
            run = RunRecord(**dict(zip(RUN_FACTS, row, strict=True)))
            answer[run.parent_key].runs.append(run)
        for source, job, number, started_at, state, is_guess in cursor.execute(
            f"""SELECT source, job, number, started_at, state, {_HAS_NO_START} FROM builds
            JOIN wanted_keys USING (source, job, number)"""
        ).fetchall():
            answer[source, job, number].stored.append((started_at, state))
            if is_guess:
                answer[source, job, number].discovered = started_at
        for source, job, number, started_at, listed_job, listed_number in cursor.execute(
            """SELECT o.source, o.job, o.number, o.started_at, r.job, r.number FROM runs o
            JOIN wanted_keys USING (source, job, number) JOIN run_builds r USING (run) WHERE r.build IS NOT NULL"""
        ).fetchall():
            answer[source, job, number].read_builds.add((started_at, listed_job, listed_number))
    return answer


@dataclass(frozen=True)
class BuildStatus:
    """What the store has of a build: its id as a run or as a build, and the state of its ledger entry."""

    run: int | None = None
    build: int | None = None
    open: LedgerState | None = None

    @property
    def is_stored(self) -> bool:
        return self.run is not None or self.build is not None


def build_statuses(
    store: Store, source: str, builds: Iterable[tuple[str, int, datetime | None]]
) -> dict[tuple[str, int], BuildStatus]:
    """The status of builds, given as (job, number, start), by job and number.

    A stored build of the same number but another start is a different build: its job was recreated.
    """
    columns = [list(column) for column in zip(*builds, strict=True)] or [[], [], []]
    rows = store.cursor().execute(
        f"""WITH wanted AS (SELECT unnest($1::VARCHAR[]) AS job, unnest($2::BIGINT[]) AS number,
                unnest($3::TIMESTAMP[]) AS begun),
        held AS (
            SELECT job, number, started_at, run, NULL::BIGINT AS build FROM runs WHERE source = $4
            UNION ALL SELECT job, number, started_at, NULL, build FROM builds WHERE source = $4)
        SELECT w.job, w.number, max(run), max(build), any_value(l.state) FROM wanted w
        LEFT JOIN held h ON (h.job, h.number) = (w.job, w.number)
            AND (begun IS NULL OR abs(epoch(h.started_at) - epoch(begun)) < {SAME_START.total_seconds()})
        LEFT JOIN ledger l ON (l.source, l.job, l.number) = ($4, w.job, w.number)
        GROUP BY w.job, w.number""",
        [*columns, source],
    )
    return {(job, number): BuildStatus(run, build, state) for job, number, run, build, state in rows.fetchall()}


def builds_of_job(store: Store, source: str, job: str) -> list[tuple[int, datetime]]:
    """(number, start) of the stored builds of a job."""
    sql = "SELECT number, started_at FROM builds WHERE source = ? AND job = ? ORDER BY started_at"
    return store.cursor().execute(sql, [source, job]).fetchall()


class BuildFacts(ResultCounts):
    """What the rules and parsers make of a build."""

    release: str
    version: str | None
    environment: str
    module: str
    flags: str


class BuildRow(BuildFacts):
    """A stored build, without what only screens show."""

    build: int
    source: str
    job: str
    number: int
    started_at: datetime
    artifacts: int
    ingested_at: datetime


class ParentRow(TypedDict):
    """A stored orchestrating build, with the release of one of its runs."""

    source: str
    job: str
    number: int
    started_at: datetime
    release: str


def stored_builds(store: Store, since: datetime | None = None) -> list[BuildRow]:
    """All stored builds, oldest first."""
    return store.rows(
        f"""SELECT {", ".join(BuildRow.__annotations__)} FROM builds WHERE $since IS NULL OR started_at >= $since
        ORDER BY started_at, build""",
        {"since": since},
        BuildRow,
    )


def stored_runs(store: Store, source: str, since: datetime | None = None) -> list[ParentRow]:
    """The orchestrating builds of a source, oldest first."""
    return store.rows(
        """SELECT source, job, number, started_at, min(release) AS release FROM runs
        WHERE source = $source AND ($since IS NULL OR started_at >= $since) GROUP BY ALL ORDER BY started_at, number""",
        {"source": source, "since": since},
        ParentRow,
    )
