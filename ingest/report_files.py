"""What was handed over without a Jenkins: the reports in files, folders, zips and uploads, and what of it is not read.

Nothing is passed over in silence: what is damaged, and what is left alone though it looks like results, is told.
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
from pathlib import Path
from typing import BinaryIO

from data.model.build_record import RawFile
from data.write import raw_files
from ingest.build_download import RAW_LIMIT
from ingest.parsers import HEAD_BYTES, packing
from ingest.parsers.zip_archive import BadArchiveError, members

SINGLES = 20  # raw files kept one by one; more of them are kept as one zip
_REPORTS = re.compile(r"\.(xml|tap|trx|json|order\.txt)$", re.IGNORECASE)
_ARCHIVES = re.compile(r"\.(tar|tar\.\w+|t[gbx]z|gz|bz2|xz|zst|7z|rar)$", re.IGNORECASE)
_LIKE_A_REPORT = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<(testsuites?|testng-results|robot|TestRun)\b|TAP version )"
)

ReportRemark = tuple[str, str]  # path, why


@dataclass(frozen=True)
class ReportFile:
    """One report. `modified` is a naive UTC time, None where it says nothing about the report."""

    path: str
    open: Callable[[], BinaryIO]
    modified: datetime | None = None


@dataclass
class ReportBundle:
    """`unreadable`: what is damaged, missing or refused. `skipped`: what is no report by its name, but looks like one
    or like an archive."""

    files: list[ReportFile] = field(default_factory=list)
    unreadable: list[ReportRemark] = field(default_factory=list)
    skipped: list[ReportRemark] = field(default_factory=list)

    def add_zip(self, stream: BinaryIO, name: str, below: str = "") -> None:
        """The members of a zip, each of which is read once: damage found later would take the other inputs along."""

        def refuse(why: str) -> None:
            self.unreadable.append((name, why))

        try:
            for member in members(stream, refuse):
                try:
                    with member.open() as content:
                        while content.read(1 << 20):
                            pass
                except BadArchiveError as error:
                    refuse(str(error))
                else:
                    self.files.append(ReportFile(below + member.path, member.open))
        except BadArchiveError as error:
            refuse(str(error))


@contextmanager
def reports(paths: Iterable[Path]) -> Iterator[ReportBundle]:
    """The reports at these paths, to be read within; folders and zips are searched, also zips in folders. A file that
    several paths lead to is one file."""
    handed, seen = ReportBundle(), set()
    with ExitStack() as opened:

        def add(file: Path, name: str, below: str, known: bool) -> None:
            if (real := file.resolve()) in seen:
                return
            seen.add(real)
            try:
                if is_zip(file, known):
                    handed.add_zip(opened.enter_context(file.open("rb")), str(file), below)
                elif known or _REPORTS.search(name):
                    file.open("rb").close()
                    handed.files.append(_on_disk(file, name))
                elif why := resemblance(file):
                    handed.skipped.append((str(file), why))
            except OSError as error:
                handed.unreadable.append((str(file), str(error)))

        for path in paths:
            if path.is_dir():
                for file in sorted(file for file in path.rglob("*") if file.is_file()):
                    name = file.relative_to(path).as_posix()
                    add(file, name, f"{name}/", known=False)
            elif path.is_file():
                add(path, path.name, "", known=True)
            else:
                handed.unreadable.append((str(path), "there is no such file or folder"))
        yield handed


def is_zip(file: Path, known: bool) -> bool:
    """By its name; of a file that was `known` by name to who handed it over, by its content too."""
    return file.suffix.lower() == ".zip" or (known and zipfile.is_zipfile(file))


def resemblance(file: Path) -> str | None:
    """Why somebody may take a file for results though its name says that it is no report. Raises OSError."""
    if _ARCHIVES.search(file.name):
        return "an archive of a kind that is not read: unpack it, or make a zip of it"
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if packed := packing(head):
        return f"a {packed} archive by its content: what is in it is not read; name it .zip, or on the command line"
    if _LIKE_A_REPORT.match(head):
        return "looks like a report, but is not named like one (.xml, .tap, .trx, .json, .order.txt): left out"
    return None


def looks_like_results(file: Path) -> bool:
    """Whether a file is a report or a zip by its name, or may be taken for one. Raises OSError."""
    return bool(_REPORTS.search(file.name)) or is_zip(file, known=False) or resemblance(file) is not None


def _on_disk(file: Path, name: str) -> ReportFile:
    modified = datetime.fromtimestamp(int(file.stat().st_mtime), UTC).replace(tzinfo=None)
    return ReportFile(name.replace("\\", "/"), lambda: file.open("rb"), modified)


def uploaded(files: Iterable[RawFile]) -> ReportBundle:
    """The reports of an upload."""
    handed = ReportBundle()
    for file in files:
        content = raw_files.unpack(file)
        if file.path.lower().endswith(".zip") or packing(content) == "zip" or zipfile.is_zipfile(io.BytesIO(content)):
            handed.add_zip(io.BytesIO(content), file.path)
        else:
            handed.files.append(ReportFile(file.path, lambda content=content: io.BytesIO(content)))
    return handed


def deduplicate_paths(files: Sequence[ReportFile]) -> list[ReportFile]:
    """The files; one whose path another has already goes below a numbered folder, so that each can be asked for."""
    seen: Counter[str] = Counter()
    distinct = []
    for file in files:
        seen[file.path] += 1
        distinct.append(file if seen[file.path] == 1 else replace(file, path=f"{seen[file.path]}/{file.path}"))
    return distinct


def pack(files: Sequence[ReportFile]) -> list[RawFile] | None:
    """The files as raw files; None where they are too large to be kept."""
    sizes = 0
    packed: list[RawFile] = []
    together = io.BytesIO()
    with zipfile.ZipFile(together, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            with file.open() as stream:
                content = stream.read(RAW_LIMIT + 1)
            if len(content) > RAW_LIMIT:
                return None
            if len(files) <= SINGLES:
                packed.append(raw_files.pack(file.path, "file", content))
                sizes += len(packed[-1].content)
            else:
                archive.writestr(zipfile.ZipInfo(file.path), content, zipfile.ZIP_DEFLATED)
                sizes = together.tell()
            if sizes > RAW_LIMIT:
                return None
    return packed or [raw_files.pack_zip("files.zip", "file", together.getvalue())]


def unpack(file: RawFile) -> Iterator[ReportFile]:
    """What `pack` has packed together; a zip among the files stays one, as it was when they came. Raises BadArchive."""
    content = raw_files.unpack(file)
    if file.encoding == "zip":
        yield from (ReportFile(member.path, member.open) for member in members(io.BytesIO(content)))
    else:
        yield ReportFile(file.path, lambda: io.BytesIO(content))
