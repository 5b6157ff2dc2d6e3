"""The process in which SQL from outside runs: `python -m data.sql_console.worker`, started by data/sql_console/sandbox.py.

A process of its own, because DuckDB counts only part of what a query takes and cannot always be interrupted: this one
the system itself limits, and it can be killed. Inside of it, the lake is attached read-only, everything else on disk
and network is closed, the configuration is locked, and the SQL has passed data/sql_console/rules.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

import duckdb
import orjson
import pyarrow as pa

from data.lake.store import LAKE, attach_statement, connect
from data.settings import Settings
from data.sql_console.column_types import leaving, told_apart
from data.sql_console.rules import RefusedError, check

BATCH_ROWS = 2_048
_SETTING = re.compile(r'\s*Use "SET [^"]*"[^.]*\.')  # a hint about what is locked here


def main() -> None:
    """Requests come as JSON lines on standard input; the first one says where the lake is and what it may cost."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who started this one ends it
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    limits = json.loads(source.readline())
    try:
        cursor = _open(limits)
    except duckdb.CatalogException:  # attached, and without tables: a snapshot from before they were made
        _say(sink, {"young": True})
        return
    _confine(limits["address_space_mb"])
    threading.Thread(target=_leave_with, args=[os.getppid()], daemon=True).start()
    _say(sink, {"ready": True})
    for line in source:
        _answer(cursor, json.loads(line), sink)


def _open(limits: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    store = {name: limits[name] for name in ("catalog", "data_path", "threads", "memory")}
    settings = Settings(home=limits["home"], store=store)
    root = connect(settings)
    root.execute(attach_statement(settings, LAKE, limits["snapshot"], read_only=True))
    root.execute(f"USE {LAKE}")
    root.execute("SELECT count(*) FROM releases")
    folder = settings.data_path.rstrip("/").replace("'", "''") + "/"
    for setting in (
        f"allowed_directories = ['{folder}']",
        "temp_directory = ''",
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
        "allow_community_extensions = false",
        "errors_as_json = true",  # with the place in the query
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        root.execute(f"SET {setting}")
    return root


def _confine(address_space_mb: int) -> None:
    if sys.platform != "linux":
        return  # elsewhere DuckDB's own limit and the parent's patience remain
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("/proc/self/statm") as statm:
        standing = int(statm.read().split()[0]) * resource.getpagesize()
    most = standing + (address_space_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave_with(parent: int) -> None:
    """End with the web process, even in the middle of a query."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(cursor: duckdb.DuckDBPyConnection, request: dict[str, Any], sink: BinaryIO) -> None:
    """A line with the columns (or the error), an Arrow stream, and a line that says whether it was cut."""
    try:
        tree = cursor.execute("SELECT json_serialize_sql(?)", [request["sql"]]).fetchone()[0]
        check(orjson.loads(tree))
        (statement,) = cursor.extract_statements(request["sql"])
        if statement.type != duckdb.StatementType.SELECT:
            raise RefusedError("only SELECT is allowed here")
        try:
            asked = cursor.sql(statement)
        except duckdb.Error:
            cursor.execute(statement)  # which alone says the place
            raise
        names = told_apart(asked.columns)
        columns = [{"name": name, "type": str(kind)} for name, kind in zip(names, asked.types, strict=True)]
        reader = leaving(asked, request["texts"]).to_arrow_reader(BATCH_ROWS)
        first = next(reader, None)
    except (duckdb.Error, RefusedError, RecursionError, ValueError, MemoryError, pa.ArrowException) as error:
        _say(sink, _told(error, request["sql"]))
        return
    _say(sink, {"columns": columns})
    left, room, truncated = request["rows"], request["bytes"], False
    end: dict[str, Any] = {"error": None, "spent": False}
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        batch = first
        try:
            while batch is not None:
                truncated = batch.num_rows > left or batch.nbytes > room
                if batch.nbytes > room:
                    break
                writer.write_batch(batch.slice(0, left))
                left, room = left - min(batch.num_rows, left), room - batch.nbytes
                if truncated:
                    break
                batch = next(reader, None)
        except (duckdb.Error, OSError, MemoryError, pa.ArrowException) as error:
            end = _told(error, request["sql"])
    _say(sink, {"truncated": truncated, **end})


def _told(error: BaseException, sql: str) -> dict[str, Any]:
    """What the web process is told: the error in words, the letter of the SQL at which it is (or None), whether the
    files could not be read, and whether this process is spent."""
    words, byte = _words(error)
    position = None if byte is None else len(sql.encode("utf-8", "surrogatepass")[:byte].decode(errors="ignore"))
    unreadable = isinstance(error, duckdb.IOException | duckdb.HTTPException)
    return {"error": words, "position": position, "unreadable": unreadable, "spent": _is_spent(error)}


def _is_spent(error: BaseException) -> bool:
    """Whether this process has come to its limits: what it took is in pieces, and the next query would fail too."""
    return isinstance(error, MemoryError | OSError | duckdb.OutOfMemoryException | pa.ArrowException)


def _words(error: BaseException) -> tuple[str, int | None]:
    """The message, and the byte at which it points. Of DuckDB's hints only the names that were perhaps meant are kept:
    the others are about settings that are locked here."""
    text, position = str(error) or type(error).__name__, getattr(error, "position", None)
    if isinstance(error, duckdb.Error) and "{" in text:
        try:
            said = orjson.loads(text[text.index("{") :])
        except orjson.JSONDecodeError:
            said = {}
        text = f"{said['exception_type']}: {said['exception_message']}" if "exception_message" in said else text
        position = int(said["position"]) if said.get("position") else None
    first, *hints = text.splitlines()
    meant = [hint for hint in hints if hint.startswith(("Did you mean", "Candidate"))]
    return " ".join([_SETTING.sub("", first), *meant]), position


def _say(sink: BinaryIO, message: dict[str, Any]) -> None:
    sink.write(orjson.dumps(message) + b"\n")
    sink.flush()


if __name__ == "__main__":
    main()
