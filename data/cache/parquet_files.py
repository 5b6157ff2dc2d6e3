"""The index of the Parquet files of the large tables: queries read the files directly, without the lake's planner.

For each table that a query names, the lake sends a dozen queries to its catalog: 20-60 ms, whatever is read. The
answers change only with a commit, so they are read once per snapshot, and a query about one build opens one file in
3 ms. Only tables whose rows are never inlined in the catalog (data/lake/migrations.py) can be read this way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

TABLES = ("results", "failures", "commits", "warnings")


@dataclass(frozen=True)
class DataFile:
    """One Parquet file. `first` and `last` bound its started_at; they and `release` are None if the table lacks the
    column or the value is unknown."""

    path: str
    deletes: str | None  # the file that lists its deleted rows
    release: str | None
    first: datetime | None
    last: datetime | None
    current: bool  # written after the last change of the columns, so it has all of them by name

    def may_contain(self, releases: Collection[str] | None, first: datetime | None, last: datetime | None) -> bool:
        return (
            (releases is None or self.release is None or self.release in releases)
            and (last is None or self.first is None or self.first <= last)
            and (first is None or self.last is None or self.last >= first)
        )


@dataclass(frozen=True)
class TableFiles:
    """The files of one table, and its columns as (field id, name, type)."""

    files: tuple[DataFile, ...]
    columns: tuple[tuple[int, str, str], ...]

    def newest(self) -> TableFiles:
        """The newest file alone."""
        return replace(self, files=self.files[-1:])

    def sql(
        self,
        releases: Collection[str] | None = None,
        first: datetime | None = None,
        last: datetime | None = None,
    ) -> str:
        """FROM clause that yields at least the rows of these releases that started between these moments."""
        chosen = [file for file in self.files if file.may_contain(releases, first, last)]
        without_deletes = [file.path for file in chosen if file.deletes is None]
        current = all(file.current for file in chosen)
        selects = [f"FROM {self._read(without_deletes, current)}"] if without_deletes else []
        with_deletes = {file.path: file.deletes for file in chosen if file.deletes is not None}
        if with_deletes:  # one join for all: a busy store has hundreds, and a join for each took a gigabyte
            paths, delete_paths = _text_list(with_deletes.keys()), _text_list(with_deletes.values())
            numbered = self._read(list(with_deletes), current, ", file_row_number = true, filename = true")
            selects.append(
                f"""SELECT * EXCLUDE (file_row_number, filename) FROM {numbered} r ANTI JOIN (
                SELECT pairs.path, d.pos FROM read_parquet({delete_paths}, filename = true) d
                JOIN (SELECT unnest({paths}) AS path, unnest({delete_paths}) AS deletes) pairs
                    ON d.filename = pairs.deletes
                ) gone ON r.filename = gone.path AND r.file_row_number = gone.pos"""
            )
        if not selects:
            empty = ", ".join(f'NULL::{kind} AS "{name}"' for _, name, kind in self.columns)
            selects = [f"SELECT {empty} WHERE false"]
        return f"({' UNION ALL '.join(selects)})"

    def _read(self, paths: list[str], current: bool, options: str = "") -> str:
        files = _text_list(paths)
        if current:  # columns by name: merged files also have internal columns of the lake
            columns = ", ".join(name for _, name, _ in self.columns)
            columns += ", file_row_number, filename" if options else ""
            return f"(SELECT {columns} FROM read_parquet({files}, hive_partitioning = false{options}))"
        # Columns by field id, as the lake does; planning takes 0.7 ms more.
        fields = ", ".join(
            f"{field}: {{name: '{name}', type: '{kind}', default_value: NULL}}" for field, name, kind in self.columns
        )
        return f"read_parquet({files}, schema = MAP {{{fields}}}{options})"


class FileIndex:
    """Reads the list of files from the catalog of an open lake, whose data files are under `data_path`.

    `table_names`: the names of all its tables, by id."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, lake: str, data_path: str) -> None:
        self._cursor = cursor
        self._catalog = f"__ducklake_metadata_{lake}"
        self._root = data_path.rstrip("/") + "/"
        fields = cursor.execute(
            f"""SELECT table_name, table_id, column_name, column_id FROM {self._catalog}.ducklake_column c
            JOIN {self._catalog}.ducklake_table t USING (table_id)
            WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL"""
        ).fetchall()
        self.table_names: dict[int, str] = {number: table for table, number, *_ in fields}
        id_of = {(table, column): field for table, _, column, field in fields}
        self._tables: dict[int, tuple[tuple[int, str, str], ...]] = {}  # columns as (field id, name, type)
        for number, table in self.table_names.items():
            if table in TABLES:
                described = cursor.execute(f"DESCRIBE {lake}.main.{table}").fetchall()
                self._tables[number] = tuple((id_of[table, name], name, kind) for name, kind, *_ in described)

    def files(self, snapshot: int) -> dict[str, TableFiles]:
        """The files of each of TABLES in a snapshot."""
        shown = f"begin_snapshot <= {snapshot} AND (end_snapshot IS NULL OR end_snapshot > {snapshot})"
        started = [
            (number, field)
            for number, columns in self._tables.items()
            for field, name, _ in columns
            if name == "started_at"
        ]
        table_condition = f"table_id IN ({', '.join(map(str, self._tables))})"
        rows = self._cursor.execute(
            f"""WITH folders AS (
                SELECT table_id, CASE WHEN t.path_is_relative THEN
                    CASE WHEN s.path_is_relative THEN $root ELSE '' END || s.path ELSE '' END || t.path AS folder
                FROM {self._catalog}.ducklake_table t JOIN {self._catalog}.ducklake_schema s USING (schema_id)
                WHERE t.end_snapshot IS NULL AND {table_condition}),
            started AS (
                SELECT data_file_id, min_value::TIMESTAMP AS first, max_value::TIMESTAMP AS last
                FROM {self._catalog}.ducklake_file_column_stats
                WHERE {" OR ".join(f"(table_id = {number} AND column_id = {field})" for number, field in started)}),
            released AS (
                SELECT data_file_id, partition_value AS release FROM {self._catalog}.ducklake_file_partition_value
                WHERE partition_key_index = 0 AND {table_condition}),
            altered AS (
                SELECT table_id, max(begin_snapshot) AS at FROM {self._catalog}.ducklake_column
                WHERE {table_condition} GROUP BY table_id),
            deleted AS (
                SELECT data_file_id, path, path_is_relative FROM {self._catalog}.ducklake_delete_file
                WHERE {shown} AND {table_condition})
            SELECT table_id, CASE WHEN f.path_is_relative THEN folder ELSE '' END || f.path,
                CASE WHEN d.path_is_relative THEN folder ELSE '' END || d.path, release, first, last,
                f.begin_snapshot >= altered.at
            FROM (FROM {self._catalog}.ducklake_data_file WHERE {shown}) f JOIN folders USING (table_id)
            JOIN altered USING (table_id)
            LEFT JOIN deleted d USING (data_file_id)
            LEFT JOIN started USING (data_file_id)
            LEFT JOIN released USING (data_file_id)
            ORDER BY data_file_id""",
            {"root": self._root},
        ).fetchall()
        return {
            self.table_names[number]: TableFiles(
                tuple(DataFile(*facts) for table_id, *facts in rows if table_id == number), columns
            )
            for number, columns in self._tables.items()
        }


def _text_list(values: Iterable[str]) -> str:
    """A SQL list of string literals."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"
