"""What the verbs of all packages share on a terminal: the configuration, the store, and how they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from data.settings import ConfigError, Settings, load
from data.store import Store, StoreError

JSON = click.option(
    "--json", "as_json", is_flag=True, help='One JSON object on standard output; {"error": ...} where nothing was done.'
)


def fail(error: object) -> NoReturn:
    """Say what is wrong and exit with code 2: nothing has been done. With --json it is said there too, as `error`."""
    if click.get_current_context().params.get("as_json"):
        click.echo(json.dumps({"error": str(error)}))
    click.echo(str(error), err=True)
    sys.exit(2)


def load_settings() -> Settings:
    """The configuration, or exit 2 with a line for each wrong key."""
    try:
        return load()
    except ConfigError as error:
        fail(error)


def existing(settings: Settings) -> Settings:
    """The settings, or exit 2 where there is no store yet: who only reads must not make an empty one."""
    if "://" not in settings.catalog and not Path(settings.catalog).exists():
        fail(
            f"There is no store at {settings.catalog}. Is REGTRACKER_HOME right? "
            "`regtracker up`, `poll` or `import` makes one."
        )
    return settings


@contextmanager
def opened_store(settings: Settings, mirrored: bool = False) -> Iterator[Store]:
    """The store, or exit 2 with what is wrong with it."""
    try:
        store = Store.open(settings, mirrored=mirrored)
    except StoreError as error:
        fail(error)
    try:
        yield store
    finally:
        store.close()
