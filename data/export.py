"""Rows as CSV, Parquet or an Arrow stream, in batches: memory holds one batch, however long the export.

CSV opened in a spreadsheet runs what looks like a formula, so texts and column names that begin like one, whatever
space is before it, get an apostrophe in front; numbers do not.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

BATCH_ROWS = 5_000
# OWASP, "CSV Injection": also the full-width signs, and what a spreadsheet trims.
_FORMULA = "^([\\s\\pZ\\pC]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
_NUMBER = "^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$"


def batches(rows: Iterable[list[dict[str, Any]]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Lists of row dicts as record batches. A column that a row lacks is null, a nested value becomes JSON, an ISO time
    becomes what the schema says: text or a timestamp."""
    given = pa.schema(
        [field.with_type(pa.string()) if pa.types.is_timestamp(field.type) else field for field in schema]
    )
    for chunk in rows:
        columns = [pa.array(_flat([row.get(field.name) for row in chunk]), field.type) for field in given]
        yield pa.RecordBatch.from_arrays(columns, schema=given).cast(schema)


def encode(form: str, parts: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[bytes]:
    """The bytes of an export, a piece for each batch. `form` is a key of FORMS. Raises KeyError for another."""
    writer_of = FORMS[form]
    if form == "csv":
        names = _harmless(pa.array(schema.names, pa.string())).to_pylist()
        schema = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
    sink = _Sink()
    writer = writer_of(sink, schema)
    for part in parts:
        if part.num_rows:
            writer.write_batch(_all_harmless(part, schema) if form == "csv" else part)
        if sink.pieces:
            yield sink.drain()
    writer.close()
    yield sink.drain()


def _csv(sink: io.RawIOBase, schema: pa.Schema) -> Any:
    return pacsv.CSVWriter(sink, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))


def _parquet(sink: io.RawIOBase, schema: pa.Schema) -> Any:
    return pq.ParquetWriter(sink, schema, compression="zstd")


def _arrow(sink: io.RawIOBase, schema: pa.Schema) -> Any:
    return pa.ipc.new_stream(sink, schema)


FORMS: dict[str, Callable[[io.RawIOBase, pa.Schema], Any]] = {"csv": _csv, "parquet": _parquet, "arrow": _arrow}


class _Sink(io.RawIOBase):
    """A file to Arrow's writers; what they wrote is taken out piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self.pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def drain(self) -> bytes:
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


def _flat(values: list[Any]) -> list[Any]:
    """The values of a column, the nested ones as JSON."""
    if {list, dict}.isdisjoint(map(type, values)):
        return values
    return [orjson.dumps(value).decode() if isinstance(value, (list, dict)) else value for value in values]


def _all_harmless(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_harmless(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _harmless(texts: pa.Array) -> pa.Array:
    formula = pc.match_substring_regex(texts, _FORMULA)
    formula = pc.and_not(formula, pc.match_substring_regex(texts, _NUMBER))
    return pc.if_else(formula, pc.binary_join_element_wise("'", texts, ""), texts)
