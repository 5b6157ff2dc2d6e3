"""The process that runs SQL from outside: `python -m data.sql_console.worker`, started by
data/sql_console/worker_process.py.

DuckDB counts only part of the memory a query uses and cannot always be interrupted; a separate process is limited by
the operating system and can be killed. In it the lake is attached read-only, all other files and the network are
closed, the configuration is locked, and every query has passed data/sql_console/rules.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from io import BufferedReader, BufferedWriter

import duckdb
import orjson
import pyarrow as pa

from data import redaction
from data.answers.operations import SqlColumn
from data.lake.connection import LAKE, attach_statement, connect
from data.lake_address import LakeAddress
from data.sql_console.column_types import for_format, unique_names
from data.sql_console.rules import RefusedError, check
from data.sql_console.worker_messages import QueryFailure, QueryRequest, WorkerMessage, WorkerStart

BATCH_ROWS = 2_048
_SETTING = re.compile(r'\s*Use "SET [^"]*"[^.]*\.')  # a hint about what is locked here


def main() -> None:
    """Requests come as JSON lines on standard input; the first one says where the lake is, and the limits."""
    redaction.install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the web process ends this one
    try:
        with open(0, "rb", closefd=False) as source, open(1, "wb", closefd=False) as output:
            _serve(source, output)
    except BrokenPipeError:  # the web process is gone
        os._exit(1)


def _serve(source: BufferedReader, output: BufferedWriter) -> None:
    limits: WorkerStart = json.loads(source.readline())
    try:
        cursor = _open(limits)
    except duckdb.CatalogException:  # attached, but without tables: a snapshot from before they were made
        _write(output, {"young": True})
        return
    _confine(limits["address_space_mb"])
    threading.Thread(target=_exit_with, args=[os.getppid()], daemon=True).start()
    _write(output, {"ready": True})
    for line in source:
        _answer(cursor, json.loads(line), output)


def _open(limits: WorkerStart) -> duckdb.DuckDBPyConnection:
    lake = LakeAddress(*limits["lake"])
    root = connect(lake)
    root.execute(attach_statement(lake, LAKE, limits["snapshot"], read_only=True))
    root.execute(f"USE {LAKE}")
    root.execute("SELECT count(*) FROM releases")
    folder = lake.data_path.rstrip("/").replace("'", "''") + "/"
    for setting in (
        f"allowed_directories = ['{folder}']",
        "temp_directory = ''",
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
        "allow_community_extensions = false",
        "errors_as_json = true",  # with the position in the query
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        root.execute(f"SET {setting}")
    return root


def _confine(address_space_mb: int) -> None:
    if sys.platform != "linux":
        return  # elsewhere only DuckDB's own limit and the time limit apply
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("/proc/self/statm") as statm:
        idle = int(statm.read().split()[0]) * resource.getpagesize()
    most = idle + (address_space_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _exit_with(parent: int) -> None:
    """End with the web process, even in the middle of a query."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(cursor: duckdb.DuckDBPyConnection, request: QueryRequest, output: BufferedWriter) -> None:
    """Write a line with the columns (or the error), an Arrow stream, and a line that says whether it was cut."""
    try:
        ((tree,),) = cursor.execute("SELECT json_serialize_sql(?)", [request["sql"]]).fetchall()
        check(orjson.loads(tree))
        (statement,) = cursor.extract_statements(request["sql"])
        if statement.type != duckdb.StatementType.SELECT:
            raise RefusedError("only SELECT is allowed here")
        try:
            relation = cursor.sql(statement)
        except duckdb.Error:
            cursor.execute(statement)  # only this error has the position
            raise
        names = unique_names(relation.columns)
        columns: list[SqlColumn] = [
            {"name": name, "type": str(kind)} for name, kind in zip(names, relation.types, strict=True)
        ]
        reader = for_format(relation, request["texts"]).to_arrow_reader(BATCH_ROWS)
        first = next(reader, None)
    except (duckdb.Error, RefusedError, RecursionError, ValueError, MemoryError, pa.ArrowException) as error:
        _write(output, _failure(error, request["sql"]))
        return
    _write(output, {"columns": columns})
    left, room, truncated = request["rows"], request["bytes"], False
    end: WorkerMessage = {"error": None, "spent": False}
    with pa.ipc.new_stream(output, reader.schema) as writer:
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
            end = {**_failure(error, request["sql"])}
    _write(output, {"truncated": truncated, **end})


def _failure(error: BaseException, sql: str) -> QueryFailure:
    """The error for the web process: its text, the index of the character at fault (or None), whether files could not
    be read, and whether this process is spent."""
    text, byte = _message(error)
    position = None if byte is None else len(sql.encode("utf-8", "surrogatepass")[:byte].decode(errors="ignore"))
    unreadable = isinstance(error, duckdb.IOException | duckdb.HTTPException)
    return {"error": text, "position": position, "unreadable": unreadable, "spent": _is_spent(error)}


def _is_spent(error: BaseException) -> bool:
    """Whether this process has reached its limits: its memory is fragmented, and the next query would fail too."""
    return isinstance(error, MemoryError | OSError | duckdb.OutOfMemoryException | pa.ArrowException)


def _message(error: BaseException) -> tuple[str, int | None]:
    """The message, and the byte of the SQL it points at. Of DuckDB's hints only suggested names are kept: the others
    are about settings that are locked here."""
    text, position = str(error) or type(error).__name__, getattr(error, "position", None)
    if isinstance(error, duckdb.Error) and "{" in text:
        try:
            details = orjson.loads(text[text.index("{") :])
        except orjson.JSONDecodeError:
            details = {}
        if "exception_message" in details:
            text = f"{details['exception_type']}: {details['exception_message']}"
        position = int(details["position"]) if details.get("position") else None
    first, *hints = text.splitlines()
    names = [hint for hint in hints if hint.startswith(("Did you mean", "Candidate"))]
    return " ".join([_SETTING.sub("", first), *names]), position


def _write(output: BufferedWriter, message: WorkerMessage | QueryFailure) -> None:
    output.write(orjson.dumps(message) + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
