"""The raw inputs of builds, as they are kept: packed on the way in, found and unpacked on the way out."""

from __future__ import annotations

import io
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime

from data.lake.store import Store
from data.write.builds import RawFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
AXIS_END = "//"  # between the axis of a matrix build and the path among that axis' artifacts
_OWN = threading.local()


def pack(path: str, kind: str, content: bytes) -> RawFile:
    """One file, compressed."""
    if not hasattr(_OWN, "compressor"):
        _OWN.compressor = zstd.ZstdCompressor(LEVEL)  # made once a thread: it costs more than what it packs
    packed = _OWN.compressor.compress(content, zstd.ZstdCompressor.FLUSH_FRAME)
    return RawFile(path, kind, "zstd", len(content), packed)


def pack_zip(path: str, kind: str, content: bytes) -> RawFile:
    """A zip of several files of one kind: it is compressed already."""
    return RawFile(path, kind, "zip", len(content), content)


def unpack(file: RawFile) -> bytes:
    """The bytes as they came."""
    return zstd.decompress(file.content) if file.encoding == "zstd" else file.content


def files_of(store: Store, owner: int, started_at: datetime, kind: str | None = None) -> list[RawFile]:
    """What is kept under a build's (or run's, or request's) id; the start time keeps other months' files closed."""
    rows = store.rows(
        """SELECT path, kind, encoding, size, content FROM raw_files
        WHERE started_at = $started_at AND build = $owner AND ($kind IS NULL OR kind = $kind) ORDER BY path""",
        {"owner": owner, "started_at": started_at, "kind": kind},
    )
    return [RawFile(**row) for row in rows]


def files_of_many(store: Store, owners: Sequence[tuple[int, datetime]]) -> dict[int, list[RawFile]]:
    """The same for several (id, start time), best such as lie near each other in time."""
    answer: dict[int, list[RawFile]] = {owner: [] for owner, _ in owners}
    if not owners:
        return answer
    starts = [start for _, start in owners]
    marks = ", ".join("?" for _ in owners)
    rows = store.cursor().execute(
        f"""SELECT build, path, kind, encoding, size, content FROM raw_files
        WHERE started_at BETWEEN ? AND ? AND build IN ({marks}) ORDER BY build, path""",
        [min(starts), max(starts), *answer],
    )
    for owner, *facts in rows.fetchall():
        answer[owner].append(RawFile(*facts))
    return answer


def members(store: Store, owner: int, started_at: datetime) -> Iterator[tuple[str, str, int]]:
    """(path, kind, size) of every raw file of a build, those inside of zips too."""
    for file in files_of(store, owner, started_at):
        if file.encoding != "zip":
            yield file.path, file.kind, file.size
        else:
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                yield from ((info.filename, file.kind, info.file_size) for info in archive.infolist())


def read(store: Store, owner: int, started_at: datetime, path: str, limit: int = 8 << 20) -> bytes | None:
    """The first `limit` bytes of one raw file by its path, also where it stands in a zip; None where there is none."""
    for file in files_of(store, owner, started_at):
        if file.encoding != "zip" and file.path == path:
            return unpack(file)[:limit]
        if file.encoding == "zip":
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                for info in archive.infolist():
                    if _is_meant(file.path, info.filename, path):
                        with archive.open(info) as member:
                            return member.read(limit)
    return None


def _is_meant(pattern: str, name: str, path: str) -> bool:
    """Whether a path means this name in a zip: Jenkins leaves out the folders before the pattern's first wildcard."""
    axis, _, wanted = path.rpartition(AXIS_END)
    return pattern.rpartition(AXIS_END)[0] == axis and (wanted == name or wanted.endswith(f"/{name}"))
