"""Which run of a name a build forms or joins: the builds of one name are one run, except those of a recreated job.

An import or a parameter names a run: "2" for build 2 of each module. Where a job was deleted and created again, its
number 2 comes a second time, with another start. A run has one build of each job and number, so the builds of the name
are then several runs: the longest pause between the two separates them. Nor does any other number of such a job join
builds that started days away.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import duckdb

from data.lake.cursors import registered
from data.model.build_record import BuildKey
from data.model.order import GENERATION
from data.model.run_record import RUN_FACTS, RunBuildRecord, RunRecord
from data.write.arrow_tables import key_table

Joined = tuple[int, RunRecord, RunBuildRecord]  # a build (id), and the run that it forms or joins
_Job = tuple[str, str]
_Name = tuple[str, str, str, str, str]

_APART = timedelta(days=2)  # between builds of one run no pause is as long, once numbers have started again
_GENERATION = re.compile(GENERATION)


@dataclass(frozen=True)
class _Member:
    """A build of a name, with the run that it is in, or, if it was just read, would form or join alone."""

    build: int
    started_at: datetime
    run_id: int | None
    run: RunRecord
    row: RunBuildRecord

    @property
    def key(self) -> BuildKey:
        return self.row.source, self.row.job, self.row.number


def separate_generations(cursor: duckdb.DuckDBPyConnection, joined: Sequence[Joined]) -> list[Joined]:
    """`joined` with the runs that named builds are in, and further stored builds that change their run because of them.
    The builds themselves are stored. A run keeps its id while it keeps a build."""
    named = {build: (run, row) for build, run, row in joined if run.key}
    if not named:
        return list(joined)
    recreated = _recreated_jobs(cursor, {(row.source, row.job) for _, row in named.values()})
    names = {_name(run) for run, _ in named.values()}
    lanes = {_name(run)[:4] for run, row in named.values() if (row.source, row.job) in recreated}
    members = _members(cursor, named, names, lanes)
    if lanes:
        recreated |= _recreated_jobs(cursor, {member.key[:2] for found in members.values() for member in found})
    answer = [one for one in joined if one[0] not in named]
    for found in members.values():
        for member, run in _runs_of(_generations(found, recreated)):
            if member.build in named or member.run_id != run.id:
                answer.append((member.build, run, replace(member.row, run=run.id)))
    return answer


def _name(run: RunRecord) -> _Name:
    return run.source, run.job, run.release, run.environment, _GENERATION.sub("", run.key)


def _recreated_jobs(cursor: duckdb.DuckDBPyConnection, jobs: Iterable[_Job]) -> set[_Job]:
    """Those of `jobs` that have two builds of one number."""
    with registered(cursor, wanted_jobs=key_table({(*job, 0) for job in jobs})):
        found = cursor.execute(
            """SELECT DISTINCT source, job FROM builds SEMI JOIN wanted_jobs USING (source, job)
            GROUP BY source, job, number HAVING count(*) > 1"""
        ).fetchall()
    return {(source, job) for source, job in found}


def _members(
    cursor: duckdb.DuckDBPyConnection,
    named: dict[int, tuple[RunRecord, RunBuildRecord]],
    names: set[_Name],
    lanes: set[tuple[str, str, str, str]],
) -> dict[_Name, list[_Member]]:
    """By name: the builds that were just read, and the stored ones of these names and lanes."""
    members: dict[_Name, list[_Member]] = defaultdict(list)
    now_in: dict[int, tuple[int, RunRecord]] = {}
    facts = ", ".join(f"o.{name}" for name in RUN_FACTS)
    wanted = {(name[0], name[1], 0) for name in names}
    with registered(cursor, wanted_runs=key_table(wanted)):
        rows = cursor.execute(
            f"""SELECT l.build, b.started_at, o.run, l.source, l.job, l.number, l.module, {facts}
            FROM runs o SEMI JOIN wanted_runs w ON w.source = o.source AND w.job = o.job
            JOIN run_builds l USING (run) JOIN builds b USING (build) WHERE o.key <> ''"""
        ).fetchall()
    for build, started_at, run_id, source, job, number, module, *values in rows:
        run = RunRecord(**dict(zip(RUN_FACTS, values, strict=True)))
        name = _name(run)
        if build in named:
            if _name(named[build][0]) == name:
                now_in[build] = run_id, run
        elif name in names or name[:4] in lanes:
            row = RunBuildRecord(run_id, source, job, number, module)
            members[name].append(_Member(build, started_at, run_id, run, row))
    for build, (run, row) in named.items():
        stored_id, stored = now_in.get(build, (None, run))
        member = _Member(build, run.started_at, stored_id, replace(run, key=stored.key), row)
        members[_name(run)].append(member)
    return members


def _generations(members: Iterable[_Member], recreated: set[_Job]) -> list[list[_Member]]:
    """The builds of a name, oldest first, divided into those of one run each."""
    ordered = sorted(members, key=lambda member: (member.started_at, member.build))
    apart = any(member.key[:2] in recreated for member in ordered)
    cuts = {at for at, (one, other) in enumerate(pairwise(ordered), 1)
            if apart and other.started_at - one.started_at >= _APART}  # fmt: skip
    first = 0  # of the generation
    last: dict[BuildKey, int] = {}
    for at, member in enumerate(ordered):
        first = at if at in cuts else first
        if (before := last.get(member.key, -1)) >= first:
            first = max(
                range(before + 1, at + 1), key=lambda cut: ordered[cut].started_at - ordered[cut - 1].started_at
            )
            cuts.add(first)
        last[member.key] = at
    edges = [0, *sorted(cuts), len(ordered)]
    return [ordered[start:end] for start, end in pairwise(edges)]


def _runs_of(generations: Sequence[Sequence[_Member]]) -> list[tuple[_Member, RunRecord]]:
    """Each build with its run: the stored one that has most builds of the generation, else a new one."""
    held = Counter(
        (at, member.run.key) for at, found in enumerate(generations) for member in found if member.run_id is not None
    )
    keys: dict[int, str] = {}
    for (at, key), _ in held.most_common():
        if at not in keys and key not in keys.values():
            keys[at] = key
    answer = []
    for at, found in enumerate(generations):
        if at not in keys:
            plain = _GENERATION.sub("", found[0].run.key)
            is_free = plain not in keys.values()
            keys[at] = plain if is_free else f"{plain}@{found[0].started_at.isoformat()}"
        answer += [(member, replace(member.run, key=keys[at])) for member in found]
    return answer
