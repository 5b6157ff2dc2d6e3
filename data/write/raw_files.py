"""The raw files of builds: packed and written, found and unpacked."""

from __future__ import annotations

import io
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from data.lake.cursors import registered
from data.lake.store import Store
from data.model.build_record import RawFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
AXIS_END = "//"  # between the axis of a matrix build and the path among the artifacts of that axis
_thread = threading.local()
_RAW_FILES = pa.schema(
    [pa.field("build", pa.int64()), pa.field("started_at", pa.timestamp("us"))]
    + [pa.field(name, pa.string()) for name in ("path", "kind", "encoding")]
    + [pa.field("size", pa.int64()), pa.field("content", pa.binary())]
)


def pack(path: str, kind: str, content: bytes) -> RawFile:
    """Compress one file."""
    if not hasattr(_thread, "compressor"):
        _thread.compressor = zstd.ZstdCompressor(LEVEL)  # once per thread: creating it costs more than a compression
    packed = _thread.compressor.compress(content, zstd.ZstdCompressor.FLUSH_FRAME)
    return RawFile(path, kind, "zstd", len(content), packed)


def pack_zip(path: str, kind: str, content: bytes) -> RawFile:
    """A zip of several files of one kind, kept as it is: it is already compressed."""
    return RawFile(path, kind, "zip", len(content), content)


def unpack(file: RawFile) -> bytes:
    """The bytes as received."""
    return zstd.decompress(file.content) if file.encoding == "zstd" else file.content


def insert_raw_files(cursor: duckdb.DuckDBPyConnection, files: Sequence[tuple[int, datetime, RawFile]]) -> None:
    """Insert files, each with the id and start time of its owner."""
    if files:
        rows = [{"build": owner, "started_at": started_at, **vars(file)} for owner, started_at, file in files]
        with registered(cursor, incoming_raw=pa.Table.from_pylist(rows, _RAW_FILES)):
            cursor.execute("INSERT INTO raw_files BY NAME SELECT * FROM incoming_raw ORDER BY started_at, build")


def replace_raw_files(
    cursor: duckdb.DuckDBPyConnection, files_by_owner: Mapping[tuple[int, datetime], Sequence[RawFile]]
) -> None:
    """Replace the raw files of orchestrating builds and uploads, by their ids and start times."""
    if not files_by_owner:
        return
    starts = [started_at for _, started_at in files_by_owner]
    cursor.execute(
        "DELETE FROM raw_files WHERE started_at BETWEEN ? AND ? AND build IN (SELECT unnest(?::BIGINT[]))",
        [min(starts), max(starts), [owner for owner, _ in files_by_owner]],
    )
    insert_raw_files(cursor, [(*owner, file) for owner, files in files_by_owner.items() for file in files])


def files_of(store: Store, owner: int, started_at: datetime, kind: str | None = None) -> list[RawFile]:
    """The raw files of a build, run or request by its id. The start time keeps the files of other months closed."""
    rows = store.rows(
        """SELECT path, kind, encoding, size, content FROM raw_files
        WHERE started_at = $started_at AND build = $owner AND ($kind IS NULL OR kind = $kind) ORDER BY path""",
        {"owner": owner, "started_at": started_at, "kind": kind},
    )
    return [RawFile(**row) for row in rows]


def files_of_many(store: Store, owners: Sequence[tuple[int, datetime]]) -> dict[int, list[RawFile]]:
    """The raw files of several owners, given as (id, start time). Fastest when they started close together."""
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
    """(path, kind, size) of every raw file of a build, including those inside zips."""
    for file in files_of(store, owner, started_at):
        if file.encoding != "zip":
            yield file.path, file.kind, file.size
        else:
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                yield from ((info.filename, file.kind, info.file_size) for info in archive.infolist())


def read(store: Store, owner: int, started_at: datetime, path: str, limit: int = 8 << 20) -> bytes | None:
    """The first `limit` bytes of a raw file by its path, including files inside zips. None if there is no such file."""
    for file in files_of(store, owner, started_at):
        if file.encoding != "zip" and file.path == path:
            return unpack(file)[:limit]
        if file.encoding == "zip":
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                for info in archive.infolist():
                    if _matches(file.path, info.filename, path):
                        with archive.open(info) as member:
                            return member.read(limit)
    return None


def _matches(pattern: str, name: str, path: str) -> bool:
    """Whether a path names this member of a zip: Jenkins drops the folders before the first wildcard of the pattern."""
    axis, _, wanted = path.rpartition(AXIS_END)
    return pattern.rpartition(AXIS_END)[0] == axis and (wanted == name or wanted.endswith(f"/{name}"))
