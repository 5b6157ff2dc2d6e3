"""The files of one build, as downloaded from Jenkins or as kept in the store: its results, and its description."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from data.model.build_record import RawFile
from data.write import raw_files
from ingest.jenkins.build_details import JenkinsBuildDetail, read_build_detail

RAW_LIMIT = 32 << 20  # bytes of one raw file that are kept; a larger one is read, but not kept


@dataclass
class DownloadedFiles:
    """One downloaded file, or one zip of several, whose path is the pattern that was requested. A file of an axis build
    has the axis before its path: `os=debian12//reports/junit.xml`."""

    path: str
    kind: str
    is_zip: bool
    stream: BinaryIO

    def keep(self) -> RawFile | None:
        """The raw file for the store; None if it is too large."""
        size = self.stream.seek(0, 2)
        if size > RAW_LIMIT:
            return None
        self.stream.seek(0)
        return (raw_files.pack_zip if self.is_zip else raw_files.pack)(self.path, self.kind, self.stream.read())


@dataclass
class ResultFiles:
    """The result files of one build. `remarks` are (path, what is wrong); `flags` are flags of the build."""

    downloads: list[DownloadedFiles] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)

    def remark(self, remarks: Iterable[Sequence[str]]) -> None:
        """Record what could not be downloaded."""
        self.flags.add("unreadable")
        self.remarks += [(path, text) for path, text in remarks]

    def keep(self) -> list[RawFile] | None:
        """All of it as raw files; None if one is too large."""
        kept: list[RawFile] = []
        for file in self.downloads:
            raw = file.keep()
            if raw is None:
                return None
            kept.append(raw)
        if self.remarks:
            kept.append(raw_files.pack("remarks.json", "remarks", json.dumps(self.remarks).encode()))
        return kept

    def __enter__(self) -> ResultFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for file in self.downloads:
            file.stream.close()


def kept_files(kept: Iterable[RawFile]) -> ResultFiles:
    """The result files of a build as they were downloaded, from its raw files."""
    files = ResultFiles()
    for file in kept:
        if file.kind == "remarks":
            files.remark(json.loads(raw_files.unpack(file)))
        elif file.kind not in ("build", "upstream"):
            stream = io.BytesIO(raw_files.unpack(file))
            files.downloads.append(DownloadedFiles(file.path, file.kind, file.encoding == "zip", stream))
    return files


def kept_detail(file: RawFile, job: str, number: int) -> JenkinsBuildDetail:
    """A build's description from the raw file of it."""
    return read_build_detail(job, number, json.loads(raw_files.unpack(file)))
