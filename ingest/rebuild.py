"""`regtracker rebuild`: write all tables again from the raw files, with today's parsers and rules.

Unchanged input and unchanged code give equal tables. No Jenkins is contacted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, RawFile
from data.model.json_values import JsonObject
from data.model.measures import REBUILT
from data.model.run_record import RunBuildRecord, RunRecord
from data.tasks.build_lookups import BuildFacts, BuildRow, entry_contexts, stored_builds, stored_runs
from data.tasks.ledger import BUILD, LedgerEntry
from data.write import raw_files
from data.write.builds import upsert_builds
from data.write.first_seen import refresh_first_seen
from data.write.id_aliases import apply_test_aliases, insert_test_aliases
from ingest import importer
from ingest.batch import BATCH_RESULTS
from ingest.build_files import kept_detail, kept_files
from ingest.build_rows import build_record
from ingest.clock import utc_now
from ingest.identity_changes import IdentityChanges, StoredTests
from ingest.layouts import layout_of
from ingest.layouts.job import JobLayout
from ingest.layouts.orchestrator import OrchestratorLayout
from ingest.parsers.zip_archive import BadArchiveError

Parent = tuple[str, str, int, datetime]  # RunRecord.parent

CHUNK = 100  # builds whose raw files are read at once


@dataclass
class Changes:
    """What a rebuild changes, or would change. `fields`: number of builds that differ, by field. `tests`: numbers of
    tests, as `IdentityChanges.counts` has them, with examples."""

    builds: int = 0
    results: int = 0
    changed: int = 0
    skipped: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    tests: IdentityChanges = field(default_factory=IdentityChanges)

    def document(self) -> JsonObject:
        tests: JsonObject = {**self.tests.counts(), "examples": [*self.tests.examples()]}
        return {**vars(self), "fields": dict(self.fields), "tests": tests}

    def note(self, before: BuildRow, after: BuildFacts) -> None:
        differ = [name for name in BuildFacts.__annotations__ if before.get(name) != after.get(name)]
        self.changed += bool(differ)
        self.fields.update(differ)
        if differ and len(self.examples) < 20:
            parts = ", ".join(f"{name} {before.get(name)!r} -> {after.get(name)!r}" for name in differ)
            self.examples.append(f"{before['job']} #{before['number']}: {parts}")


def rebuild(
    store: Store,
    name: str | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Changes:
    """Rebuild all builds, or those of one source (`import` and `upload` are sources too)."""
    changes = Changes()
    layouts = {source.name: layout_of(source) for source in store.settings.source if name in (None, source.name)}
    rows = [row for row in stored_builds(store, since) if name in (None, row["source"])]
    environments: dict[Parent, str] = {}
    for layout in layouts.values():
        if isinstance(layout, OrchestratorLayout):
            environments |= _rebuild_runs(store, layout, since, dry_run)
    batch: list[tuple[BuildRecord, RunRecord | None]] = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        progress(start, len(rows))
        stored = StoredTests(store, chunk)
        for row, rebuilt in zip(chunk, _rebuild_builds(store, chunk, layouts, environments), strict=True):
            if rebuilt is None:
                changes.skipped += 1
                continue
            build = replace(rebuilt[0], ingested_at=row["ingested_at"], raw=None)
            changes.builds += 1
            changes.results += len(build.cases)
            changes.note(row, _comparable_facts(build))
            changes.tests.note(stored, row["build"], build)
            batch.append((build, rebuilt[1]))
        if sum(len(build.cases) for build, _ in batch) >= BATCH_RESULTS:
            _commit(store, batch, changes.tests, dry_run)
            batch = []
    _commit(store, batch, changes.tests, dry_run)
    if not dry_run:
        store.transact("rebuild", "first occurrences of tests and signatures updated", _refresh)
    progress(len(rows), len(rows))
    return changes


def _refresh(cursor: duckdb.DuckDBPyConnection) -> None:
    refresh_first_seen(cursor)
    apply_test_aliases(cursor)


def _rebuild_builds(
    store: Store, rows: Sequence[BuildRow], layouts: dict[str, JobLayout], environments: dict[Parent, str]
) -> Iterator[tuple[BuildRecord, RunRecord | None] | None]:
    """Each build by today's code; None if its raw files are missing or its source is no longer configured.
    `environments`: those of the orchestrating builds."""
    entries = [LedgerEntry(row["source"], row["job"], row["number"], BUILD) for row in rows]
    contexts = entry_contexts(store, entries)
    files = raw_files.files_of_many(store, [(row["build"], row["started_at"]) for row in rows])
    roots = store.settings.identity.roots
    for row, entry in zip(rows, entries, strict=True):
        kept = files[row["build"]]
        try:
            if "no_raw" in row["flags"].split():
                yield None
            elif any(file.kind == "import" for file in kept):
                yield importer.rebuild_import(row, kept, roots)
            else:
                parents = [
                    replace(run, environment=environments.get(run.parent, run.environment))
                    for run in contexts[entry.key].parents
                ]
                yield _rebuild_build(row, layouts.get(row["source"]), kept, parents, roots)
        except BadArchiveError:
            yield None


def _rebuild_build(
    row: BuildRow, layout: JobLayout | None, kept: list[RawFile], parents: list[RunRecord], roots: Sequence[str]
) -> tuple[BuildRecord, RunRecord | None] | None:
    by_kind = {file.kind: file for file in kept}
    if layout is None or "build" not in by_kind or "no_raw" in row["flags"].split():
        return None
    detail = kept_detail(by_kind["build"], row["job"], row["number"])
    upstream = None
    if "upstream" in by_kind and detail.upstream:
        upstream = kept_detail(by_kind["upstream"], *detail.upstream)
    with kept_files(kept) as files:
        build, run = build_record(layout, detail, by_kind["build"], files, row["started_at"], parents, upstream, roots)
    if "gone" in row["flags"].split():
        build = replace(build, state="final", flags=build.flags | {"gone"})
    return build, run


def _comparable_facts(build: BuildRecord) -> BuildFacts:
    return {
        "release": build.release,
        "version": build.version,
        "environment": build.environment,
        "module": build.module,
        **build.totals,
        "flags": " ".join(sorted(build.flags)),
    }


def _commit(
    store: Store, batch: list[tuple[BuildRecord, RunRecord | None]], tests: IdentityChanges, dry_run: bool
) -> None:
    if dry_run or not batch:
        return
    moved = tests.take_moved()
    builds = [build for build, _ in batch]
    runs = [(build, run) for build, run in batch if run]

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        upsert_builds(cursor, builds, utc_now(), standalone_runs=runs)
        insert_test_aliases(cursor, moved)

    store.transact("rebuild", f"{len(builds)} builds{REBUILT}", write)


def _rebuild_runs(store: Store, layout: OrchestratorLayout, since: datetime | None, dry_run: bool) -> dict[Parent, str]:
    """Rebuild the runs of orchestrating builds by today's rules. Returns the environments of these builds."""
    environments: dict[Parent, str] = {}
    rows = stored_runs(store, layout.source.name, since)
    for start in range(0, len(rows), CHUNK):
        runs: list[RunRecord] = []
        run_builds: list[RunBuildRecord] = []
        for row in rows[start : start + CHUNK]:
            owner = ids.of(row["source"], row["job"], row["number"], row["started_at"].isoformat())
            kept = {file.kind: file for file in raw_files.files_of(store, owner, row["started_at"])}
            if "build" in kept:
                detail = kept_detail(kept["build"], row["job"], row["number"])
                build_map = json.loads(raw_files.unpack(kept["build_map"])) if "build_map" in kept else None
                run = layout.parent(detail, row["started_at"], row["release"])
                runs.append(run)
                environments[run.parent] = run.environment
                module_builds = layout.listed_builds(detail, build_map)
                run_builds += [RunBuildRecord(run.id, run.source, *build) for build in module_builds]
        if not dry_run:
            _commit_runs(store, runs, run_builds)
    return environments


def _commit_runs(store: Store, runs: list[RunRecord], run_builds: list[RunBuildRecord]) -> None:
    store.transact(
        "rebuild",
        f"{len(runs)} runs{REBUILT}",
        lambda cursor: upsert_builds(cursor, [], utc_now(), runs=runs, run_builds=run_builds),
    )
