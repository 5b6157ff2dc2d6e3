"""Where a lake is, and what one process may use to read it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

POSTGRES = ("postgresql:", "postgres:")  # beginnings of a catalog in PostgreSQL


class LakeAddress(NamedTuple):
    """`catalog`: a SQLite file or PostgreSQL; `data_path`: a folder or S3; `home`: where DuckDB may spill;
    `memory`: DuckDB's limit, such as 1GB."""

    home: str
    catalog: str
    data_path: str
    threads: int
    memory: str

    @property
    def local_catalog(self) -> Path | None:
        """The path of a SQLite catalog; None for PostgreSQL."""
        return None if self.catalog.startswith(POSTGRES) else Path(self.catalog)
