"""The zip of a build's files, read without ever writing a path that it names, or believing a size that it states."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_ENTRIES = 50_000
MAX_MEMBER_BYTES = 2 << 30
MAX_TOTAL_BYTES = 8 << 30
MAX_RATIO = 400  # of a member above RATIO_FROM_BYTES; logs of one repeated line reach 300
RATIO_FROM_BYTES = 100 << 20

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes to unpack
_BAD_NAME = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|^[A-Za-z]:|\0")


class BadArchiveError(ValueError):
    """The archive is damaged, cut short or hostile; the text says which, for the ledger."""


@dataclass(frozen=True, slots=True)
class Member:
    path: str
    size: int
    open: Callable[[], BinaryIO]  # seekable; reading raises BadArchive where the data is damaged


def members(stream: BinaryIO, refuse: Callable[[str], object] = lambda why: None) -> Iterator[Member]:
    """The files of a seekable zip in its own order. All its directory is checked before the first is given out.

    A member whose name leads out of the archive is left out, and `refuse` called with one line about it: the name may
    be no more than an odd one of a system with other rules, and its neighbours are results. Raises BadArchive.
    """
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BadArchiveError(f"cut short or no zip: {error}") from error
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise BadArchiveError(f"holds {len(infos)} entries, more than {MAX_ENTRIES}")
    total = 0
    inside = []
    for info in infos:
        name = info.orig_filename.replace("\\", "/")
        _check(info, name)
        total += info.file_size
        if _BAD_NAME.search(name):
            refuse(f"names a path outside of it: {name[:200]!r}, which is left out")
        else:
            inside.append(info)
    if total > MAX_TOTAL_BYTES:
        raise BadArchiveError(f"unpacks to {total} bytes, more than {MAX_TOTAL_BYTES}")
    for info in inside:
        if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            yield Member(info.filename.replace("\\", "/"), info.file_size, _opener(archive, info))


def _check(info: zipfile.ZipInfo, name: str) -> None:
    if info.flag_bits & 0x1:
        raise BadArchiveError(f"{name[:200]!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise BadArchiveError(f"{name[:200]!r} is packed by an unusual method ({info.compress_type})")
    if info.file_size > MAX_MEMBER_BYTES:
        raise BadArchiveError(f"{name[:200]!r} unpacks to {info.file_size} bytes, more than {MAX_MEMBER_BYTES}")
    if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise BadArchiveError(f"{name[:200]!r} unpacks to {info.file_size} bytes from {info.compress_size}: a zip bomb")


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    def open_member() -> BinaryIO:
        try:
            return _Checked(archive.open(info), info.filename)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError) as error:
            raise BadArchiveError(f"{info.filename[:200]!r}: {error}") from error

    return open_member


class _Checked:
    """A member whose damage shows as BadArchive. zipfile itself never gives out more than the stated size."""

    def __init__(self, raw: BinaryIO, name: str) -> None:
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
