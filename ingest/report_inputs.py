"""Open the downloaded files of a build as reports: the members of zips, each path once, with the kind to read it as."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

from data.settings import SourceSettings
from data.write.raw_files import AXIS_END
from ingest.artifacts import full_path, kind_of
from ingest.build_files import DownloadedFiles, ResultFiles
from ingest.parsers.cases import ReportStream
from ingest.parsers.zip_archive import members

JENKINS_REPORTS = ("test_report", "testng_json")


class ReportInput(NamedTuple):
    """One report to read. `kind` is None if the parser has to detect it."""

    path: str
    kind: str | None
    open: Callable[[], ReportStream]


def open_reports(source: SourceSettings, files: ResultFiles, refuse: Callable[[str], object]) -> list[ReportInput]:
    """Each report once, even if several zips contain it, as the kind that the source's `results` give it today.

    `refuse` is called with a line for each zip member that is left out. Raises BadArchiveError.
    """
    inputs: dict[str, ReportInput] = {}
    for file in files.downloads:
        axis, end, name = file.path.rpartition(AXIS_END)
        for inside, open_file in _opened(file, name, refuse):
            path = axis + end + inside
            fixed = file.kind in JENKINS_REPORTS or file.kind == "console"
            kind = file.kind if fixed else kind_of(source.results, inside)
            if kind and path not in inputs:
                # A pattern for JUnit files often matches other kinds, which the parser recognizes.
                inputs[path] = ReportInput(path, None if kind == "junit" else kind, open_file)
    return list(inputs.values())


def _opened(
    file: DownloadedFiles, name: str, refuse: Callable[[str], object]
) -> Iterable[tuple[str, Callable[[], ReportStream]]]:
    if file.is_zip:
        return ((full_path(name, member.path), member.open) for member in members(file.stream, refuse))
    return [(name, lambda: _SharedStream(file.stream))]


class _SharedStream:
    """A stream that stays open when its reader closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self.read, self.readline, self.seek = stream.read, stream.readline, stream.seek

    def __enter__(self) -> _SharedStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass
