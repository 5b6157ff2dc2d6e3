"""`regtracker import` of many builds: read one by one, stored in batches as polls are (ingest/batch.py).

A build that cannot be read or stored is named, and the others are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NotRequired, TypedDict, final

from data.lake.store import Store
from data.tasks.build_lookups import builds_of_job
from ingest.batch import Batch
from ingest.import_plan import ImportKey
from ingest.importer import SOURCE, ImportedBuild, ReadImport, read_reports, store_imports
from ingest.parsers.allowance import Allowance, LimitError
from ingest.report_files import reports


@final
class NotImported(TypedDict):
    """Paths that could not be read, or that were skipped."""

    paths: list[str]
    error: NotRequired[str]
    skipped_because: NotRequired[str]


@dataclass
class ImportOutcome:
    """What became of the paths of one build: its unreadable paths, and the build."""

    paths: list[Path]
    answers: list[NotImported | ImportedBuild] = field(default_factory=list)
    complete: bool = True

    def fail(self, error: Exception) -> None:
        self.answers.append({"paths": [str(path) for path in self.paths], "error": str(error)})
        self.complete = False


def import_builds(
    store: Store, planned: Sequence[tuple[ImportKey, list[Path]]], progress: Callable[[int, int], None]
) -> list[ImportOutcome]:
    """Read and store the planned builds. Returns the outcome of each; all of it is committed by then. `progress` gets
    (builds read, builds planned)."""
    importing = _Import(store)
    outcomes = []
    for done, (key, paths) in enumerate(planned, 1):
        outcomes.append(importing.read(key, paths))
        progress(done, len(planned))
    importing.commit()
    return outcomes


class _Import:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = Batch[tuple[ReadImport, ImportOutcome]]()

    def read(self, key: ImportKey, paths: list[Path]) -> ImportOutcome:
        """Read one build, and commit the batch if it is due."""
        outcome = ImportOutcome(paths)
        settings = self._store.settings
        try:
            with reports(paths, Allowance(**settings.limits.model_dump())) as bundle:
                outcome.answers += [NotImported(paths=[path], error=why) for path, why in bundle.unreadable]
                outcome.complete = not bundle.unreadable
                if bundle.files or bundle.damaged or not bundle.unreadable:
                    read = read_reports(key, bundle, settings.identity.roots)
                    found = read.build(SOURCE, () if read.is_identified else self._stored(key.job))
                    outcome.complete &= "unreadable" not in found.build.flags
                    self._batch.add((found, outcome), found.build)
        except (LimitError, ValueError, OSError) as error:
            outcome.fail(error)
        if self._batch.is_due:
            self.commit()
        return outcome

    def _stored(self, job: str) -> list[tuple[int, datetime]]:
        self.commit()  # an earlier build of the batch may have the number
        return builds_of_job(self._store, SOURCE, job)

    def commit(self) -> None:
        """Store what was read. If that fails, each build is stored alone, so that only the one at fault is not."""
        items, self._batch = self._batch.items, Batch()
        try:
            self._commit(items)
        except (ValueError, OSError) as error:
            if len(items) == 1:
                items[0][1].fail(error)
                return
            for item in items:
                try:
                    self._commit([item])
                except (ValueError, OSError) as problem:
                    item[1].fail(problem)

    def _commit(self, items: Sequence[tuple[ReadImport, ImportOutcome]]) -> None:
        if items:
            store_imports(self._store, [read for read, _ in items])
        for read, outcome in items:
            outcome.answers.append(read.summary())
