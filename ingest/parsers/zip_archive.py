"""Read the zip of a build's files. Nothing is unpacked to disk, and the sizes it declares are not trusted."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, BinaryIO, NamedTuple

from ingest.parsers.cases import ReportStream

MAX_ENTRIES = 50_000
MAX_MEMBER_BYTES = 2 << 30
MAX_TOTAL_BYTES = 8 << 30
MAX_RATIO = 400  # of a member above RATIO_FROM_BYTES; logs of one repeated line reach 300
RATIO_FROM_BYTES = 100 << 20
UNPACKED_AT_ONCE = 1 << 20  # bytes of a member; a larger one is a stream, which is unpacked again after each `seek`

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may need gigabytes to unpack
_ENTRY = b"PK\x01\x02"  # how an entry of the directory begins
_BAD_NAME = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|^[A-Za-z]:|\0")


class BadArchiveError(ValueError):
    """The archive is damaged, cut short or hostile; the text says which, for the ledger."""


class OversizedArchiveError(BadArchiveError):
    """The archive holds more than it may; another download of it would too."""


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    path: str
    size: int
    open: Callable[[], ReportStream]  # this or reading raises BadArchiveError if the data is damaged


class ZipContent(NamedTuple):
    """The files of a zip in its own order. `refused`: a line for each that is left out, as its path leads out of the
    archive: the name may just be an odd one from a system with other rules, and the others are results."""

    members: list[ArchiveMember]
    refused: list[str]


def read_directory(stream: BinaryIO) -> ZipContent:
    """What a zip holds, its whole directory checked. Raises BadArchiveError."""
    entries = _count_entries(stream)
    if entries > MAX_ENTRIES:
        raise OversizedArchiveError(f"holds {entries} entries, more than {MAX_ENTRIES}")
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BadArchiveError(f"cut short or not a zip: {error}") from error
    infos = archive.infolist()
    total = 0
    found = ZipContent([], [])
    for info in infos:
        name = info.orig_filename.replace("\\", "/")
        _check(info, name)
        total += info.file_size
        if _BAD_NAME.search(name):
            found.refused.append(f"has a member whose path leads out of it: {name[:200]!r}; it is left out")
        elif not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            member = ArchiveMember(info.filename.replace("\\", "/"), info.file_size, _opener(archive, info))
            found.members.append(member)
    if total > MAX_TOTAL_BYTES:
        raise OversizedArchiveError(f"unpacks to {total} bytes, more than {MAX_TOTAL_BYTES}")
    return found


def _count_entries(stream: BinaryIO) -> int:
    """The most entries that the directory of an archive can have: `zipfile` holds half a kilobyte for each."""
    stream.seek(0)
    count, tail = 0, b""
    while chunk := stream.read(1 << 20):
        count += (tail + chunk).count(_ENTRY)
        tail = chunk[1 - len(_ENTRY) :]
    return count


def _check(info: zipfile.ZipInfo, name: str) -> None:
    if info.flag_bits & 0x1:
        raise BadArchiveError(f"{name[:200]!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise BadArchiveError(f"{name[:200]!r} uses an unsupported compression method ({info.compress_type})")
    if info.file_size > MAX_MEMBER_BYTES:
        raise OversizedArchiveError(f"{name[:200]!r} unpacks to {info.file_size} bytes, more than {MAX_MEMBER_BYTES}")
    if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise OversizedArchiveError(
            f"{name[:200]!r} unpacks to {info.file_size} bytes from {info.compress_size}: a zip bomb"
        )


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], ReportStream]:
    def open_member() -> ReportStream:
        try:
            member = _Checked(archive.open(info), info.filename)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError) as error:
            raise BadArchiveError(f"{info.filename[:200]!r}: {error}") from error
        if info.file_size > UNPACKED_AT_ONCE:
            return member
        with member:
            return io.BytesIO(member.read())

    return open_member


class _Checked:
    """A member that raises BadArchiveError for damaged data. zipfile never returns more than the declared size."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        self._raw, self._name = raw, name

    def _guarded(self, read: Callable[..., bytes], *args: int) -> bytes:
        try:
            return read(*args)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise BadArchiveError(f"{self._name[:200]!r}: {error}") from error

    def read(self, size: int = -1) -> bytes:
        return self._guarded(self._raw.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._guarded(self._raw.readline, size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def close(self) -> None:
        self._raw.close()

    def __enter__(self) -> _Checked:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
