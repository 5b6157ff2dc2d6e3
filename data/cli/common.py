"""What the verbs of all packages share on a terminal: the configuration, the store, and how they fail."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from data.lake.connection import StoreError
from data.lake.store import Store
from data.settings import ConfigError, Settings, load

_AS_JSON = "regtracker.as_json"  # in what the contexts of group and verb share


def _remember(context: click.Context, _: click.Parameter, given: bool) -> bool:
    context.meta[_AS_JSON] = given
    return given


def json_option(what: str) -> Callable[[Any], Any]:
    """The option --json of a verb that prints `what` there."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_remember,
        help=f'{what} on standard output; {{"error": ...}} where nothing was done.',
    )


JSON = json_option("One JSON object")


def fail(error: object, code: int = 2) -> NoReturn:
    """Say what is wrong and exit, with 2 where nothing has been done. With --json it is said there too, as `error`."""
    if click.get_current_context().meta.get(_AS_JSON):
        click.echo(json.dumps({"error": str(error)}))
    click.echo(str(error), err=True)
    sys.exit(code)


def ended(error: BaseException) -> NoReturn:
    """Exit as a verb does that something broke off: 130 where it was Ctrl-C, 141 where nobody reads what it prints (as
    a shell tells of SIGINT and SIGPIPE), else 2. Never 1, which some verbs answer with."""
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB wraps it
        fail("Stopped.", 130)
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
        # What could not be written would be tried again at the end, and told once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if number == errno.EPIPE:
            sys.exit(141)
        fail(f"What was to be printed cannot be written: {os.strerror(number)}.")
    traceback.print_exception(error)
    fail(f"This is a fault of regtracker: {type(error).__name__}: {error}")


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
def opened_store(settings: Settings, memory_tables: bool = False) -> Iterator[Store]:
    """The store, or exit 2 with what is wrong with it."""
    try:
        store = Store.open(settings, memory_tables=memory_tables)
    except StoreError as error:
        fail(error)
    try:
        yield store
    finally:
        store.close()
