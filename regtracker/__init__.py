"""The command line of Regression Tracker: which verb stands where.

The verbs of one package live in its `commands.py`; in this package are those that need several packages or processes at
once. Nothing else may import both `ingest` and `dashboard`.
"""

from __future__ import annotations

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

# What it is about -> verb -> (where it stands, what it does in a line). The line stands here because a verb is imported
# when it is called: `--help`, the completion and `parse` do not wait for Dash and SciPy.
_SECTIONS = {
    "Run it": {
        "demo": ("regtracker.demo:demo", "A simulated Jenkins, ingest and dashboard together."),
        "up": ("regtracker.up:up", "Ingest and dashboard together."),
        "ingest": ("ingest.cli.source_commands:ingest", "Watch every source until stopped."),
        "web": ("dashboard.cli.commands:web", "Serve the dashboard and the JSON API."),
        "simulator": ("ingest.simulator.command:simulator", "Serve a fake Jenkins whose truth is known."),
    },
    "Bring results in": {
        "check": ("ingest.cli.source_commands:check", "What the rules make of a Jenkins, before anything is stored."),
        "poll": ("ingest.cli.source_commands:poll", "Look once for new builds, and read them."),
        "backfill": ("ingest.cli.source_commands:backfill", "Read older builds, by numbers or dates."),
        "import": ("ingest.cli.import_commands:import_", "Store reports from files, folders and zips."),
        "bugs": ("ingest.cli.import_commands:bugs", "Read the bug tracker's feed."),
        "parse": ("ingest.cli.import_commands:parse", "Read report files without storing anything."),
        "rebuild": ("ingest.cli.import_commands:rebuild", "Derive the tables anew from the raw files that were kept."),
    },
    "Ask": {
        "gate": ("dashboard.cli.commands:gate", "May this run go on? For a CI job."),
        "sql": ("dashboard.cli.export_commands:sql", "Run one SELECT over the tables."),
        "export": ("dashboard.cli.export_commands:export", "Write a list of the API into a file."),
        "mcp": ("dashboard.cli.commands:mcp", "Answer a language model's questions."),
        "backtest": ("regtracker.backtest.command:backtest", "How often are the verdicts right?"),
    },
    "Keep it": {
        "maintain": ("data.cli.commands:maintain", "Merge small files, expire old snapshots."),
        "bench": ("regtracker.bench.command:bench", "Measure ingest, questions and API."),
        "completion": ("regtracker.completion:completion", "Let a shell complete verbs, options and names."),
    },
}
_VERBS = {verb: told for verbs in _SECTIONS.values() for verb, told in verbs.items()}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        module, _, attribute = _VERBS[name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, Exception) as error:
            from data.cli.common import ended

            ended(error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, verbs in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(verb, line) for verb, (_, line) in verbs.items()], col_max=12)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [CompletionItem(verb, help=line) for verb, (_, line) in _VERBS.items() if verb.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="regtracker")
def main() -> None:
    """Watch the regression runs of a product on Jenkins: how healthy is each release, what broke, since when.

    \b
    See it at once:      regtracker demo
    Watch your Jenkins:  cp regtracker.example.toml regtracker.toml; regtracker check; regtracker up

    Each verb tells its exit codes. Besides: 2 where something goes wrong that it does not tell of, and where a disk is
    full; 130 where Ctrl-C ends it; 141 where nobody reads what it prints.
    """
