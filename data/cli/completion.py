"""Shell completion of names from the configuration and the store. It never creates a store and never fails: pressing a
key must not print an error.
"""

from __future__ import annotations

from collections.abc import Iterable

import click


def sources(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from data.settings import ConfigError, load

    try:
        return _matching((source.name for source in load().source), incomplete)
    except ConfigError:
        return []


def releases(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _from_store("SELECT DISTINCT release FROM runs ORDER BY 1", incomplete)


def environments(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _from_store("SELECT DISTINCT environment FROM runs WHERE environment IS NOT NULL ORDER BY 1", incomplete)


def modules(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _from_store("SELECT DISTINCT module FROM build_counts ORDER BY 1", incomplete)


def _from_store(sql: str, incomplete: str) -> list[str]:
    import duckdb

    from data.lake.connection import LAKE, StoreError, attach_statement, connect
    from data.settings import ConfigError, load

    try:
        settings = load()
        catalog = settings.lake.local_catalog
        if catalog is not None and not catalog.is_file():
            return []
        with connect(settings.lake) as cursor:
            cursor.execute(attach_statement(settings.lake, LAKE, read_only=True))
            cursor.execute(f"USE {LAKE}")
            return _matching((row[0] for row in cursor.execute(sql).fetchall()), incomplete)
    except (ConfigError, StoreError, duckdb.Error):
        return []


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
