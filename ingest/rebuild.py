"""`regtracker rebuild`: every table derived anew from the raw files, by today's parsers and today's rules.

Unchanged input and unchanged code give equal tables. Nothing is asked of any Jenkins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, RawFile
from data.model.run_record import RunBuildRecord, RunRecord
from data.work.build_lookups import entry_contexts, stored_builds, stored_runs
from data.work.ledger import BUILD, LedgerEntry
from data.write import raw_files
from data.write.builds import upsert_builds
from data.write.first_seen import refresh_first_seen
from ingest import importer
from ingest.build_download import detail_of, kept_files
from ingest.build_reader import utc_now
from ingest.build_rows import build_record
from ingest.layouts import layout_of
from ingest.layouts.job import JobLayout
from ingest.layouts.orchestrator import OrchestratorLayout
from ingest.parsers.zip_archive import BadArchiveError
from ingest.pipeline import BATCH_RESULTS

CHUNK = 100  # builds whose raw files are read at once
COMPARED = ("release", "version", "environment", "module", "total", "passed", "failed", "errors", "skipped", "flags")


@dataclass
class Changes:
    """What a rebuild changes (or would). `fields`: how many builds differ in what; `examples`: the first of them."""

    builds: int = 0
    results: int = 0
    changed: int = 0
    skipped: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {**vars(self), "fields": dict(self.fields)}

    def note(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        differ = [name for name in COMPARED if before[name] != after[name]]
        self.changed += bool(differ)
        self.fields.update(differ)
        if differ and len(self.examples) < 20:
            parts = ", ".join(f"{name} {before[name]!r} -> {after[name]!r}" for name in differ)
            self.examples.append(f"{before['job']} #{before['number']}: {parts}")


def rebuild(
    store: Store,
    name: str | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Changes:
    """Derive builds anew: those of one source (import and upload are such, too), or all."""
    changes = Changes()
    layouts = {source.name: layout_of(source) for source in store.settings.source if name in (None, source.name)}
    rows = [row for row in stored_builds(store, since) if name in (None, row["source"])]
    if not dry_run:
        for layout in layouts.values():
            if isinstance(layout, OrchestratorLayout):
                _rebuild_runs(store, layout, since)
    batch: list[tuple[BuildRecord, RunRecord | None]] = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        progress(start, len(rows))
        for row, again in zip(chunk, _derive(store, chunk, layouts), strict=True):
            if again is None:
                changes.skipped += 1
                continue
            build = replace(again[0], ingested_at=row["ingested_at"], raw=None)
            changes.builds += 1
            changes.results += len(build.cases)
            changes.note(row, _facts(build))
            batch.append((build, again[1]))
        if sum(len(build.cases) for build, _ in batch) >= BATCH_RESULTS:
            _commit(store, batch, dry_run)
            batch = []
    _commit(store, batch, dry_run)
    if not dry_run:
        store.transact("rebuild", "tests and signatures brought up to date", refresh_first_seen)
    progress(len(rows), len(rows))
    return changes


def _derive(
    store: Store, rows: list[dict[str, Any]], layouts: dict[str, JobLayout]
) -> Iterator[tuple[BuildRecord, RunRecord | None] | None]:
    """What today's code makes of each build; None where too little was kept, or its source is configured no more."""
    entries = [LedgerEntry(row["source"], row["job"], row["number"], BUILD) for row in rows]
    contexts = entry_contexts(store, entries)
    files = raw_files.files_of_many(store, [(row["build"], row["started_at"]) for row in rows])
    for row, entry in zip(rows, entries, strict=True):
        kept = files[row["build"]]
        try:
            if "no_raw" in row["flags"].split():
                yield None
            elif any(file.kind == "import" for file in kept):
                yield importer.derive_again(row, kept)
            else:
                yield _derive_one(row, layouts.get(row["source"]), kept, contexts[entry.key].parents)
        except BadArchiveError:
            yield None


def _derive_one(
    row: dict[str, Any], layout: JobLayout | None, kept: list[RawFile], parents: list[RunRecord]
) -> tuple[BuildRecord, RunRecord | None] | None:
    by_kind = {file.kind: file for file in kept}
    if layout is None or "build" not in by_kind or "no_raw" in row["flags"].split():
        return None
    detail = detail_of(by_kind["build"], row["job"], row["number"])
    upstream = None
    if "upstream" in by_kind and detail.upstream:
        upstream = detail_of(by_kind["upstream"], *detail.upstream)
    with kept_files(kept) as files:
        build, run = build_record(layout, detail, by_kind["build"], files, row["started_at"], parents, upstream)
    if "gone" in row["flags"].split():
        build = replace(build, state="final", flags=build.flags | {"gone"})
    return build, run


def _facts(build: BuildRecord) -> dict[str, Any]:
    finals = build.cases.filter(build.cases["is_final"])
    statuses = Counter(finals["status"].to_pylist())
    return {name: getattr(build, name) for name in ("release", "version", "environment", "module")} | {
        "total": len(finals),
        "passed": statuses["passed"],
        "failed": statuses["failed"],
        "errors": finals["kind"].to_pylist().count("error"),
        "skipped": statuses["skipped"],
        "flags": " ".join(sorted(build.flags)),
    }


def _commit(store: Store, batch: list[tuple[BuildRecord, RunRecord | None]], dry_run: bool) -> None:
    if dry_run or not batch:
        return
    builds = [build for build, _ in batch]
    made = [(build, run) for build, run in batch if run]
    now = utc_now()

    def write(cursor) -> None:
        upsert_builds(cursor, builds, now, standalone_runs=made)

    store.transact("rebuild", f"{len(builds)} builds derived anew", write)


def _rebuild_runs(store: Store, layout: OrchestratorLayout, since: datetime | None) -> None:
    """The runs of orchestrating builds, as today's rules name them."""
    rows = stored_runs(store, layout.source.name, since)
    for start in range(0, len(rows), CHUNK):
        runs: list[RunRecord] = []
        listed: list[RunBuildRecord] = []
        for row in rows[start : start + CHUNK]:
            owner = ids.of(row["source"], row["job"], row["number"], row["started_at"].isoformat())
            kept = {file.kind: file for file in raw_files.files_of(store, owner, row["started_at"])}
            if "build" in kept:
                detail = detail_of(kept["build"], row["job"], row["number"])
                build_map = json.loads(raw_files.unpack(kept["build_map"])) if "build_map" in kept else None
                run = layout.parent(detail, row["started_at"], row["release"])
                runs.append(run)
                listed += [RunBuildRecord(run.id, run.source, *build) for build in layout.listed(detail, build_map)]
        store.transact(
            "rebuild",
            f"{len(runs)} runs derived anew",
            lambda cursor, runs=runs, listed=listed: upsert_builds(cursor, [], utc_now(), runs=runs, run_builds=listed),
        )
