"""One snapshot as a process knows it: the data files, what changed when, and the version of everything in it.

A state never changes. A commit makes a new one (data/cache/memory_tables.py); readers keep the one that they began
with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from data.cache.dependencies import Dependency
from data.cache.parquet_files import TableFiles


class ContentVersion(NamedTuple):
    """The version of something that answers depend on. Equal versions mean equal content, in every process."""

    changed_at: int  # the newest snapshot known to have changed it
    content: int  # a checksum of its content, or the snapshot


@dataclass(frozen=True)
class SnapshotState:
    """A committed state of the lake. `versions_of`: of each thing that can change alone; of all else, the version is
    the snapshot."""

    snapshot: int
    committed_at: datetime  # UTC, naive
    files: Mapping[str, TableFiles] = field(default_factory=dict)
    versions_of: Mapping[Dependency, ContentVersion] = field(default_factory=dict)
    release_of_run: Mapping[int, str] = field(default_factory=dict)
    oldest: int = 0  # the oldest snapshot that had not expired
    last_rebuild: int = 0  # the newest snapshot of a `rebuild`; 0 for none
    is_rebuilding: bool = False  # whether that rebuild has not finished

    def version(self, dependency: Dependency) -> ContentVersion:
        return self.versions_of.get(dependency) or ContentVersion(self.snapshot, self.snapshot)

    def versions(self, dependencies: Iterable[Dependency]) -> tuple[ContentVersion, ...]:
        return tuple(map(self.version, dependencies))
