"""Names of this machine's configuration and store, for the shell to complete. Never makes a store, and never fails: a
key pressed on a command line is no place for an error.
"""

from __future__ import annotations

from pathlib import Path

import click

from data.settings import ConfigError, load


def sources(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    try:
        return _fitting((source.name for source in load().source), incomplete)
    except ConfigError:
        return []


def releases(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _stored("SELECT DISTINCT release FROM runs ORDER BY 1", incomplete)


def environments(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _stored("SELECT DISTINCT environment FROM runs WHERE environment IS NOT NULL ORDER BY 1", incomplete)


def modules(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _stored("SELECT DISTINCT module FROM build_counts ORDER BY 1", incomplete)


def _stored(sql: str, incomplete: str) -> list[str]:
    import duckdb

    from data.lake.connection import LAKE, StoreError, attach_statement, connect

    try:
        settings = load()
        if "://" not in settings.catalog and not Path(settings.catalog).is_file():
            return []
        with connect(settings) as cursor:
            cursor.execute(attach_statement(settings, LAKE, read_only=True))
            cursor.execute(f"USE {LAKE}")
            return _fitting((row[0] for row in cursor.execute(sql).fetchall()), incomplete)
    except (ConfigError, StoreError, duckdb.Error):
        return []


def _fitting(names, incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
