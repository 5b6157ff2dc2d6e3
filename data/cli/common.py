"""What the commands of all packages share on a terminal: the configuration, the store, and how they fail.

Commands import this to declare themselves, so it imports settings and store only in the functions that use them:
`--help` and the commands that only ask a server need neither.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from data import redaction

if TYPE_CHECKING:
    from data.lake.store import Store
    from data.settings import Settings

_AS_JSON = "regtracker.as_json"  # in `Context.meta`, which group and command share


def _remember(context: click.Context, _: click.Parameter, as_json: bool) -> bool:
    context.meta[_AS_JSON] = as_json
    return as_json


def json_option(what: str = "One JSON object") -> Callable[[Any], Any]:
    """The option --json of a command, which then prints `what`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_remember,
        help=f'Print {what[0].lower()}{what[1:]} to standard output; {{"error": ...}} if the command fails.',
    )


def fail(error: object, code: int = 2) -> NoReturn:
    """Print the error and exit; 2 means that nothing was done. With --json, also print {"error": ...}."""
    text = redaction.redact(str(error))
    if click.get_current_context().meta.get(_AS_JSON):
        click.echo(json.dumps({"error": text}))
    with suppress(OSError):  # the code counts, also where nobody reads the text
        click.echo(text, err=True)
    sys.exit(code)


def exit_after(error: BaseException) -> NoReturn:
    """Exit after an exception that ended a command: 130 for Ctrl-C, 141 if the reader of its output has gone (as shells
    report SIGINT and SIGPIPE), else 2. Never 1, which is an answer of some commands."""
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB wraps it
        fail("Stopped.", 130)
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
        # Python would try to flush the output again on exit, and report the error a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if number == errno.EPIPE:
            sys.exit(141)
        fail(f"Cannot write the output: {os.strerror(number)}.")
    redaction.print_exception(error)
    fail(f"This is a bug in regtracker: {type(error).__name__}: {error}")


def load_settings() -> Settings:
    """The configuration; exits with 2 and one line per wrong key."""
    from data.settings import ConfigError, load

    try:
        return load()
    except ConfigError as error:
        fail(error)


def require_store(settings: Settings) -> Settings:
    """The settings; exits with 2 if there is no store: a command that only reads must not create an empty one."""
    from data.lake.lost_parts import local_data_file, lost_catalog

    catalog = settings.lake.local_catalog
    if catalog is not None and not catalog.exists():
        if file := local_data_file(settings):
            fail(lost_catalog(settings, file))
        fail(
            f"There is no store at {catalog}. Is REGTRACKER_HOME right? "
            "`regtracker up`, `poll` or `import` creates one."
        )
    return settings


@contextmanager
def opened_store(settings: Settings, memory_tables: bool = False) -> Iterator[Store]:
    """Open the store for the duration of the block; exits with 2 if that fails."""
    from data.lake.connection import StoreError
    from data.lake.store import Store

    try:
        store = Store.open(settings, memory_tables=memory_tables)
    except StoreError as error:
        fail(error)
    try:
        yield store
    finally:
        store.close()
