"""The entry points: the command line (`main`) and the Python API for notebooks (`connect`).

The commands of one package are in its `cli` package; this package has those that need several packages or processes.
Nothing else may import both `ingest` and `dashboard`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from data import redaction

if TYPE_CHECKING:
    from regtracker.notebook import Tracker

# Section -> command -> (module:function, one-line description). Descriptions are here because a module is imported only
# when its command is called: `--help`, the completion and `parse` do not wait for Dash and SciPy.
_SECTIONS = {
    "Run": {
        "demo": ("regtracker.demo:demo", "Run a simulated Jenkins, ingest and the dashboard."),
        "up": ("regtracker.up:up", "Run ingest and the dashboard."),
        "ingest": ("ingest.cli.source_commands:ingest", "Watch every source until stopped."),
        "web": ("dashboard.cli.commands:web", "Serve the dashboard and the JSON API."),
        "simulator": ("ingest.cli.simulator_command:simulator", "Serve a simulated Jenkins with known faults."),
    },
    "Read results": {
        "check": ("ingest.cli.source_commands:check", "Preview what would be read from a Jenkins; store nothing."),
        "poll": ("ingest.cli.source_commands:poll", "Find and read new builds, once."),
        "backfill": ("ingest.cli.source_commands:backfill", "Read older builds, by number or date."),
        "import": ("ingest.cli.import_commands:import_", "Store reports from files, folders and zips."),
        "bugs": ("ingest.cli.import_commands:bugs", "Read the bug tracker's feed once."),
        "parse": ("ingest.cli.import_commands:parse", "Read report files without storing anything."),
        "rebuild": ("ingest.cli.import_commands:rebuild", "Recreate the tables from the stored raw files."),
    },
    "Query": {
        "gate": ("dashboard.cli.commands:gate", "Pass or block a CI job on the tests that broke in a run."),
        "sql": ("dashboard.cli.export_commands:sql", "Run one SELECT over the tables."),
        "export": ("dashboard.cli.export_commands:export", "Write a list of the API to a file."),
        "mcp": ("dashboard.cli.commands:mcp", "Serve the data to language models (MCP)."),
        "backtest": ("regtracker.backtest.command:backtest", "Measure how often the verdicts are right."),
    },
    "Maintain": {
        "maintain": ("data.cli.commands:maintain", "Merge small files and expire old snapshots."),
        "bench": ("regtracker.bench.command:bench", "Measure the speed of ingest, queries and API."),
        "completion": ("regtracker.completion:completion", "Print the shell completion script."),
    },
}
_COMMANDS = {command: entry for commands in _SECTIONS.values() for command, entry in commands.items()}


@contextmanager
def _own_exit_codes() -> Iterator[None]:
    """Wrong arguments are exit code 2, also without a reader; click exits with 1 where a pipe is broken."""
    try:
        yield
    except click.exceptions.Exit:
        raise
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, Exception) as error:
        from data.cli.common import exit_after

        exit_after(error)


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _own_exit_codes():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        redaction.install()
        with _own_exit_codes():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(command, line) for command, (_, line) in commands.items()], col_max=12)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        matching = [name for name in _COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=_COMMANDS[name][1]) for name in matching]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="regtracker")
def main() -> None:
    """Watch the regression runs of a product on Jenkins: how healthy is each release, what broke, since when.

    \b
    Try it:              regtracker demo
    Watch your Jenkins:  cp regtracker.example.toml regtracker.toml; regtracker check; regtracker up

    Each command lists its exit codes. All of them also exit with 2 on an unexpected error or a full disk, 130 after
    Ctrl-C, and 141 when the reader of their output has gone.
    """


def connect(
    home_or_config: str | os.PathLike[str] | None = None, *, as_of: int | str | datetime | None = None
) -> Tracker:
    """Open a store for reading; its methods return pandas data frames (docs/python.md).

    `home_or_config`: the store's folder or a `.toml` configuration; default: as the command line, from the environment
    and `regtracker.toml`. `as_of`: a snapshot id or a time, for the store as it was then. Never creates a store: raises
    StoreError if there is none, ConfigError for a wrong configuration.
    """
    from regtracker import notebook

    return notebook.connect(home_or_config, as_of)
