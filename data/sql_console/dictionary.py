"""The data dictionary: tables and columns with their meaning, read from the comments in the migrations."""

from __future__ import annotations

import re
from functools import cache

from data.answers.operations import ColumnMeaning, TableMeaning
from data.lake import migrations
from data.sql_console.rules import TABLES

_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(\s*(?:-- (.*))?$")
_COLUMN = re.compile(r"^    (\w+) ([A-Z]+),?\s*(?:-- (.*))?$")
_ADDED = re.compile(r"^ALTER TABLE (\w+) ADD COLUMN (\w+) (\w+)(?: DEFAULT [^;]+)?;\s*(?:-- (.*))?$")


@cache
def tables() -> list[TableMeaning]:
    """The tables that the SQL console may read. `about` is "" without a comment."""
    found: dict[str, TableMeaning] = {}
    columns: list[ColumnMeaning] = []
    for _, sql in migrations.available():
        for line in sql.splitlines():
            if table := _TABLE.match(line):
                columns = []
                found[table[1]] = {"name": table[1], "about": table[2] or "", "columns": columns}
            elif added := _ADDED.match(line):
                found[added[1]]["columns"].append({"name": added[2], "type": added[3], "about": added[4] or ""})
            elif column := _COLUMN.match(line):
                columns.append({"name": column[1], "type": column[2], "about": column[3] or ""})
    return [table for name, table in found.items() if name in TABLES]
