"""Open the downloaded files of a build as reports: the members of zips, each path once, with the kind to read it as."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from data.settings import SourceSettings
from data.write.raw_files import AXIS_END
from ingest.artifacts import full_path, kind_of
from ingest.build_files import DownloadedFiles, ResultFiles
from ingest.parsers.cases import ReportStream
from ingest.parsers.zip_archive import read_directory

JENKINS_REPORTS = ("test_report", "testng_json")


class ReportInput(NamedTuple):
    """One report to read. `kind` is None if the parser has to detect it."""

    path: str
    kind: str | None
    open: Callable[[], ReportStream]


def open_reports(source: SourceSettings, files: ResultFiles) -> tuple[list[ReportInput], list[str]]:
    """(each report once, even if several zips contain it, as the kind that the source's `results` give it today; a line
    for each zip member that is left out). Raises BadArchiveError."""
    inputs: dict[str, ReportInput] = {}
    refused: list[str] = []
    for file in files.downloads:
        axis, end, name = file.path.rpartition(AXIS_END)
        opened, left_out = _opened(file, name)
        refused += left_out
        for inside, open_file in opened:
            path = axis + end + inside
            fixed = file.kind in JENKINS_REPORTS or file.kind == "console"
            kind = file.kind if fixed else kind_of(source.results, inside)
            if kind and path not in inputs:
                # A pattern for JUnit files often matches other kinds, which the parser recognizes.
                inputs[path] = ReportInput(path, None if kind == "junit" else kind, open_file)
    return list(inputs.values()), refused


def _opened(file: DownloadedFiles, name: str) -> tuple[list[tuple[str, Callable[[], ReportStream]]], list[str]]:
    if file.is_zip:
        content = read_directory(file.stream)
        return [(full_path(name, member.path), member.open) for member in content.members], content.refused
    return [(name, lambda: _SharedStream(file.stream))], []


class _SharedStream:
    """A stream that stays open when its reader closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self.read, self.readline, self.seek = stream.read, stream.readline, stream.seek

    def __enter__(self) -> _SharedStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass
