"""Reports that come without a Jenkins: in files, folders, zips and uploads.

Nothing is ignored silently: damaged files, and skipped files that look like results, are listed with the reason.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data.model.build_record import RawFile
from data.write import raw_files
from ingest.build_files import RAW_LIMIT
from ingest.parsers import HEAD_BYTES, packing
from ingest.parsers.allowance import Allowance
from ingest.parsers.cases import ReportStream
from ingest.parsers.zip_archive import BadArchiveError, read_directory
from ingest.repeats import rerun_file
from ingest.report_folders import module_of

MAX_SINGLE_RAW_FILES = 20  # kept one by one; more are kept as one zip
_REPORTS = re.compile(r"\.(xml|tap|trx|json|jsonl|ndjson|order\.txt)$", re.IGNORECASE)
_ARCHIVES = re.compile(r"\.(tar|tar\.\w+|t[gbx]z|gz|bz2|xz|zst|7z|rar)$", re.IGNORECASE)
_LIKE_A_REPORT = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<(testsuites?|testng-results|robot|TestRun|test-run"
    rb"|test-results|assemblies)\b|K?TAP version |\{\"(Time|Action|ImportPath)\":)",
    re.DOTALL,
)

ReportRemark = tuple[str, str]  # path, why


@dataclass(frozen=True)
class ReportFile:
    """One report. `modified` is naive UTC; None if the time is not that of the report, as in a zip or an upload."""

    path: str
    open: Callable[[], ReportStream]
    modified: datetime | None = None


@dataclass
class ReportBundle:
    """`unreadable`: damaged, missing or refused; `damaged`: a zip is among them, which may have held results.
    `skipped`: not named like a report, but looks like one or like an archive."""

    files: list[ReportFile] = field(default_factory=list)
    allowance: Allowance | None = None
    unreadable: list[ReportRemark] = field(default_factory=list)
    skipped: list[ReportRemark] = field(default_factory=list)
    damaged: bool = False

    def add_zip(self, stream: BinaryIO, name: str, below: str = "") -> None:
        """Add the members of a zip. Each is read once now: damage found later would make the other inputs fail.

        Raises LimitError.
        """
        try:
            content = read_directory(stream)
            self.unreadable += [(name, why) for why in content.refused]
            if self.allowance:
                self.allowance.check_declared(sum(member.size for member in content.members))
            for member in content.members:
                try:
                    with member.open() as opened:
                        while opened.read(1 << 20):
                            if self.allowance:
                                self.allowance.check_time()
                except BadArchiveError as error:
                    self._add_damaged(name, error)
                else:
                    self.files.append(ReportFile(below + member.path, member.open))
        except BadArchiveError as error:
            self._add_damaged(name, error)

    def _add_damaged(self, name: str, error: BadArchiveError) -> None:
        self.unreadable.append((name, str(error)))
        self.damaged = True

    def check_size(self, received: int) -> None:
        """Count the files, which came in so many bytes, against the allowance. Raises LimitError."""
        if self.allowance:
            self.allowance.received = received
            self.allowance.add_files(len(self.files))


@contextmanager
def reports(paths: Iterable[Path], allowance: Allowance | None = None) -> Iterator[ReportBundle]:
    """The reports at these paths, open within the context. Folders and zips are searched, also zips in folders. A file
    that several paths lead to counts once. Raises LimitError."""
    bundle = ReportBundle(allowance=allowance)
    seen: set[Path] = set()
    with ExitStack() as opened:

        def add(file: Path, name: str, below: str, named: bool) -> None:
            if (real := file.resolve()) in seen:
                return
            seen.add(real)
            try:
                if is_zip(file, named):
                    bundle.add_zip(opened.enter_context(file.open("rb")), str(file), below)
                elif named or _REPORTS.search(name):
                    file.open("rb").close()
                    bundle.files.append(_on_disk(file, name))
                elif why := resemblance(file):
                    bundle.skipped.append((str(file), why))
            except OSError as error:
                bundle.unreadable.append((str(file), str(error)))

        for path in paths:
            if path.is_dir():
                for file in sorted(file for file in path.rglob("*") if file.is_file()):
                    inside = file.relative_to(path).as_posix()
                    given = given_path(path / inside)
                    name = inside if module_of(inside) or not module_of(given_path(path) + "/") else given
                    add(file, name, f"{name}/", named=False)
            elif path.is_file():
                given = given_path(path)
                add(path, given if module_of(given) or rerun_file(given) else path.name, "", named=True)
            else:
                bundle.unreadable.append((str(path), "no such file or folder"))
        bundle.check_size(sum(file.stat().st_size for file in seen))
        yield bundle


def given_path(path: Path) -> str:
    """A relative path as it was given, from its last number on: a folder for each build is no module. Of an absolute
    path only the name: where its checkout begins is not known."""
    if path.is_absolute() or ".." in path.parts:
        return path.name
    within_rerun = ("retries", "retry", "reruns")
    numbers = [
        at
        for at, name in enumerate(path.parts[:-1])
        if name.isdigit() and not any(part.lower() in within_rerun for part in path.parts[max(at - 2, 0) : at])
    ]
    first = numbers[-1] + 1 if numbers else 0
    return "/".join(path.parts[first:])


def is_zip(file: Path, named: bool) -> bool:
    """By its name; for a file that the user `named`, by its content too."""
    return file.suffix.lower() == ".zip" or (named and zipfile.is_zipfile(file))


def resemblance(file: Path) -> str | None:
    """Why a file that is not named like a report may contain results; None if it does not look so. Raises OSError."""
    if _ARCHIVES.search(file.name):
        return "an archive of an unsupported kind: unpack it, or make it a zip"
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if packed := packing(head):
        return f"not read, because it is a {packed} archive by its content: rename it to .zip, or name it as a path"
    if _LIKE_A_REPORT.match(head):
        return "left out: looks like a report, but is not named like one (.xml, .tap, .trx, .json, .jsonl, .order.txt)"
    return None


def looks_like_results(file: Path) -> bool:
    """Whether a file is a report or a zip by its name, or may be taken for one. Raises OSError."""
    return bool(_REPORTS.search(file.name)) or is_zip(file, named=False) or resemblance(file) is not None


def _on_disk(file: Path, name: str) -> ReportFile:
    modified = datetime.fromtimestamp(int(file.stat().st_mtime), UTC).replace(tzinfo=None)
    return ReportFile(name.replace("\\", "/"), lambda: file.open("rb"), modified)


def uploaded(files: Sequence[RawFile], allowance: Allowance | None = None) -> ReportBundle:
    """The reports of an upload. Raises LimitError."""
    bundle = ReportBundle(allowance=allowance)
    for file in files:
        content = raw_files.unpack(file)
        if file.path.lower().endswith(".zip") or packing(content) == "zip" or zipfile.is_zipfile(io.BytesIO(content)):
            bundle.add_zip(io.BytesIO(content), file.path)
        else:
            bundle.files.append(ReportFile(file.path, partial(io.BytesIO, content)))
    bundle.check_size(sum(file.size for file in files))
    return bundle


def deduplicate_paths(files: Sequence[ReportFile]) -> list[ReportFile]:
    """The files with distinct paths: a path that occurs again is put below a numbered folder."""
    seen: Counter[str] = Counter()
    distinct = []
    for file in files:
        seen[file.path] += 1
        distinct.append(file if seen[file.path] == 1 else replace(file, path=f"{seen[file.path]}/{file.path}"))
    return distinct


def pack(files: Sequence[ReportFile]) -> list[RawFile] | None:
    """The files as raw files; None if they are too large to be kept."""
    sizes = 0
    packed: list[RawFile] = []
    together = io.BytesIO()
    with zipfile.ZipFile(together, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            with file.open() as stream:
                content = stream.read(RAW_LIMIT + 1)
            if len(content) > RAW_LIMIT:
                return None
            if len(files) <= MAX_SINGLE_RAW_FILES:
                packed.append(raw_files.pack(file.path, "file", content))
                sizes += len(packed[-1].content)
            else:
                archive.writestr(zipfile.ZipInfo(file.path), content, zipfile.ZIP_DEFLATED)
                sizes = together.tell()
            if sizes > RAW_LIMIT:
                return None
    return packed or [raw_files.pack_zip("files.zip", "file", together.getvalue())]


def unpack(file: RawFile) -> Iterator[ReportFile]:
    """The files that `pack` packed; a zip among them stays a zip, as imported. Raises BadArchiveError."""
    content = raw_files.unpack(file)
    if file.encoding == "zip":
        yield from (ReportFile(member.path, member.open) for member in read_directory(io.BytesIO(content)).members)
    else:
        yield ReportFile(file.path, partial(io.BytesIO, content))
