"""Which Parquet files hold the large tables: a question reads them itself, in place of having the lake plan it.

The lake plans each table that a query names anew, by a dozen queries to its catalogue: 20-60 ms, whatever is read. What
it finds changes only with a commit, so it is asked once a snapshot, and a question about one build opens one file in 3
ms. Only tables whose rows never stand in the catalogue (data/lake/migrations.py) can be read so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb

TABLES = ("results", "failures", "commits", "warnings")


@dataclass(frozen=True)
class File:
    """`first` and `last`: of started_at, and `release`; None where the table has none, or it is not known."""

    path: str
    deletes: str | None  # the file that tells which of its rows are gone
    release: str | None
    first: datetime | None
    last: datetime | None
    current: bool  # no column of the table is younger: it holds them all under their names

    def may_hold(self, releases: Collection[str] | None, first: datetime | None, last: datetime | None) -> bool:
        return (
            (releases is None or self.release is None or self.release in releases)
            and (last is None or self.first is None or self.first <= last)
            and (first is None or self.last is None or self.last >= first)
        )


@dataclass(frozen=True)
class TableFiles:
    """The files of one table, and its columns: field id, name, type."""

    files: tuple[File, ...]
    columns: tuple[tuple[int, str, str], ...]

    def sql(self, releases: Collection[str] | None, first: datetime | None, last: datetime | None) -> str:
        """What stands in FROM for the rows of these releases that started between these moments: at least those."""
        chosen = [file for file in self.files if file.may_hold(releases, first, last)]
        whole = [file.path for file in chosen if file.deletes is None]
        current = all(file.current for file in chosen)
        parts = [f"FROM {self._read(whole, current)}"] if whole else []
        thinned = {file.path: file.deletes for file in chosen if file.deletes is not None}
        if thinned:  # one join for all of them: a store that lives has hundreds, and a join of each took a gigabyte
            listed = [f"[{', '.join(map(_text, paths))}]" for paths in (thinned.keys(), thinned.values())]
            numbered = self._read(list(thinned), current, ", file_row_number = true, filename = true")
            parts.append(
                f"""SELECT * EXCLUDE (file_row_number, filename) FROM {numbered} r ANTI JOIN (
                SELECT of.path, d.pos FROM read_parquet({listed[1]}, filename = true) d
                JOIN (SELECT unnest({listed[0]}) AS path, unnest({listed[1]}) AS deletes) of ON d.filename = of.deletes
                ) gone ON r.filename = gone.path AND r.file_row_number = gone.pos"""
            )
        if not parts:
            empty = ", ".join(f'NULL::{kind} AS "{name}"' for _, name, kind in self.columns)
            parts = [f"SELECT {empty} WHERE false"]
        return f"({' UNION ALL '.join(parts)})"

    def _read(self, paths: list[str], current: bool, options: str = "") -> str:
        listed = f"[{', '.join(map(_text, paths))}]"
        if current:  # each column by name: merged files hold columns of the lake's own besides
            named = ", ".join(name for _, name, _ in self.columns)
            named += ", file_row_number, filename" if options else ""
            return f"(SELECT {named} FROM read_parquet({listed}, hive_partitioning = false{options}))"
        # By field id, as the lake reads; that takes 0.7 ms more to plan.
        fields = ", ".join(
            f"{field}: {{name: '{name}', type: '{kind}', default_value: NULL}}" for field, name, kind in self.columns
        )
        return f"read_parquet({listed}, schema = MAP {{{fields}}}{options})"


class FileIndex:
    """The catalogue of an open lake, whose data stands at `data_path`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, lake: str, data_path: str) -> None:
        self._cursor = cursor
        self._catalog = f"__ducklake_metadata_{lake}"
        self._root = data_path.rstrip("/") + "/"
        self._tables = {table: self._table(lake, table) for table in TABLES}

    def _table(self, lake: str, table: str) -> tuple[int, tuple[tuple[int, str, str], ...]]:
        """Its id and its columns: (field id, name, type)."""
        fields = self._cursor.execute(
            f"""SELECT column_name, (table_id, column_id) FROM {self._catalog}.ducklake_column c
            JOIN {self._catalog}.ducklake_table t USING (table_id)
            WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL AND table_name = ?""",
            [table],
        ).fetchall()
        known = dict(fields)
        described = self._cursor.execute(f"DESCRIBE {lake}.main.{table}").fetchall()
        return fields[0][1][0], tuple((known[name][1], name, kind) for name, kind, *_ in described)

    def files(self) -> dict[str, TableFiles]:
        """The files of TABLES in the newest snapshot."""
        ids = {number: table for table, (number, _) in self._tables.items()}
        started = [
            (number, field)
            for number, columns in self._tables.values()
            for field, name, _ in columns
            if name == "started_at"
        ]
        of_tables = f"table_id IN ({', '.join(map(str, ids))})"
        rows = self._cursor.execute(
            f"""WITH folders AS (
                SELECT table_id, CASE WHEN t.path_is_relative THEN
                    CASE WHEN s.path_is_relative THEN $root ELSE '' END || s.path ELSE '' END || t.path AS folder
                FROM {self._catalog}.ducklake_table t JOIN {self._catalog}.ducklake_schema s USING (schema_id)
                WHERE t.end_snapshot IS NULL AND {of_tables}),
            started AS (
                SELECT data_file_id, min_value::TIMESTAMP AS first, max_value::TIMESTAMP AS last
                FROM {self._catalog}.ducklake_file_column_stats
                WHERE {" OR ".join(f"(table_id = {number} AND column_id = {field})" for number, field in started)}),
            released AS (
                SELECT data_file_id, partition_value AS release FROM {self._catalog}.ducklake_file_partition_value
                WHERE partition_key_index = 0 AND {of_tables}),
            altered AS (
                SELECT table_id, max(begin_snapshot) AS at FROM {self._catalog}.ducklake_column
                WHERE {of_tables} GROUP BY table_id),
            deleted AS (
                SELECT data_file_id, path, path_is_relative FROM {self._catalog}.ducklake_delete_file
                WHERE end_snapshot IS NULL AND {of_tables})
            SELECT table_id, CASE WHEN f.path_is_relative THEN folder ELSE '' END || f.path,
                CASE WHEN d.path_is_relative THEN folder ELSE '' END || d.path, release, first, last,
                f.begin_snapshot >= altered.at
            FROM {self._catalog}.ducklake_data_file f JOIN folders USING (table_id) JOIN altered USING (table_id)
            LEFT JOIN deleted d USING (data_file_id)
            LEFT JOIN started USING (data_file_id)
            LEFT JOIN released USING (data_file_id)
            WHERE f.end_snapshot IS NULL ORDER BY data_file_id""",
            {"root": self._root},
        ).fetchall()
        return {
            table: TableFiles(tuple(File(*facts) for of, *facts in rows if of == number), columns)
            for table, (number, columns) in self._tables.items()
        }


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
