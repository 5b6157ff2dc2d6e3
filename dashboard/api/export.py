"""Rows as CSV, Parquet or an Arrow stream, in batches: memory holds one batch, however long the export.

A spreadsheet runs any text in a CSV file that looks like a formula. So texts and column names that begin like one,
after any white space, get a leading apostrophe; numbers do not.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

BATCH_ROWS = 5_000
# OWASP, "CSV Injection": includes the full-width signs, and white space that a spreadsheet trims.
_FORMULA = "^([\\s\\pZ\\pC]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
_NUMBER = "^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$"


def batches(rows: Iterable[Sequence[Mapping[str, object]]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Lists of row dicts as record batches. A missing column is null, a nested value becomes JSON, an ISO time becomes
    text or a timestamp as the schema says."""
    raw = pa.schema([field.with_type(pa.string()) if pa.types.is_timestamp(field.type) else field for field in schema])
    for chunk in rows:
        columns = [pa.array(_nested_as_json([row.get(field.name) for row in chunk]), field.type) for field in raw]
        yield pa.RecordBatch.from_arrays(columns, schema=raw).cast(schema)


def encode(form: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[bytes]:
    """The bytes of an export, one chunk per batch. `form` is a key of FORMS; any other raises KeyError."""
    writer_of = FORMS[form]
    if form == "csv":
        names = [str(name) for name in _without_formulas(pa.array(schema.names, pa.string()))]
        schema = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
    output = _Output()
    writer = writer_of(output, schema)
    for batch in batches:
        if batch.num_rows:
            writer.write_batch(_batch_without_formulas(batch, schema) if form == "csv" else batch)
        if chunk := output.drain():
            yield chunk
    writer.close()
    yield output.drain()


def _csv(output: io.BytesIO, schema: pa.Schema) -> Any:
    return pacsv.CSVWriter(output, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))


def _parquet(output: io.BytesIO, schema: pa.Schema) -> Any:
    return pq.ParquetWriter(output, schema, compression="zstd")


def _arrow(output: io.BytesIO, schema: pa.Schema) -> Any:
    return pa.ipc.new_stream(output, schema)


FORMS: dict[str, Callable[[io.BytesIO, pa.Schema], Any]] = {"csv": _csv, "parquet": _parquet, "arrow": _arrow}


class _Output(io.BytesIO):
    """The file that Arrow writes to; `drain` takes out what was written since the last call."""

    def __init__(self) -> None:
        super().__init__()
        self._drained = 0

    def tell(self) -> int:
        return self._drained + super().tell()

    def drain(self) -> bytes:
        chunk = self.getvalue()
        self._drained += len(chunk)
        self.seek(0)
        self.truncate()
        return chunk


def _nested_as_json(values: list[Any]) -> list[Any]:
    """The values of a column, with nested ones as JSON."""
    if {list, dict}.isdisjoint(map(type, values)):
        return values
    return [orjson.dumps(value).decode() if isinstance(value, (list, dict)) else value for value in values]


def _batch_without_formulas(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_without_formulas(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _without_formulas(texts: pa.Array) -> pa.Array:
    formula = pc.match_substring_regex(texts, _FORMULA)
    formula = pc.and_not(formula, pc.match_substring_regex(texts, _NUMBER))
    return pc.if_else(formula, pc.utf8_replace_slice(texts, 0, 0, "'"), texts)
