"""The formats of lists and answers, with their media types: what the API serves and its clients ask for."""

from __future__ import annotations

FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
