"""The command line of Regression Tracker: which verb stands where.

The verbs of one package live in its `commands.py`; in this package are those that need several packages or processes at
once. Nothing else may import both `ingest` and `dashboard`.
"""

from __future__ import annotations

import importlib

import click

# Imported when called: `--help` and `parse` do not wait for Dash.
_VERBS = {
    "backfill": "ingest.commands:backfill",
    "backtest": "data.commands:backtest",
    "bench": "regtracker.bench:bench",
    "check": "ingest.commands:check",
    "completion": "regtracker.completion:completion",
    "demo": "regtracker.demo:demo",
    "export": "dashboard.extracts:export",
    "gate": "dashboard.commands:gate",
    "import": "ingest.commands:import_",
    "ingest": "ingest.commands:ingest",
    "maintain": "data.commands:maintain",
    "mcp": "dashboard.commands:mcp",
    "parse": "ingest.commands:parse",
    "poll": "ingest.commands:poll",
    "rebuild": "ingest.commands:rebuild",
    "simulator": "ingest.simulator.command:simulator",
    "sql": "dashboard.extracts:sql",
    "up": "regtracker.up:up",
    "web": "dashboard.commands:web",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        module, _, attribute = _VERBS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="regtracker")
def main() -> None:
    """Watch the regression runs of a product on Jenkins: how healthy is each release, what broke, since when.

    \b
    See it at once:      regtracker demo
    Watch your Jenkins:  cp regtracker.example.toml regtracker.toml; regtracker check; regtracker up
    """
