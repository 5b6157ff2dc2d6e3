"""Writes docs/cli.md from what the commands say of themselves: `python tools/cli_reference.py`."""

from __future__ import annotations

from pathlib import Path

import click

import regtracker

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = """# The command line

What `regtracker VERB --help` says, for all verbs; `python tools/cli_reference.py` writes this page.

Settings come from `regtracker.toml` and `REGTRACKER_*` (see `regtracker.example.toml`). `--json` prints one object and
nothing else on standard output, `{"error": ...}` where nothing was done; remarks and progress go to standard error.
Each verb tells its exit codes. Besides: 2 where something goes wrong that it does not tell of, and where a disk is
full; 130 where Ctrl-C ends it; 141 where nobody reads what it prints.
`regtracker completion` makes your shell complete verbs, options and names.
"""


def page() -> str:
    context = click.Context(regtracker.main, info_name="regtracker", **regtracker.main.context_settings)
    verbs = regtracker.main.list_commands(context)
    commands = {verb: regtracker.main.get_command(context, verb) for verb in verbs}
    lines = [HEAD, "| verb | |", "|---|---|"]
    lines += [f"| [{verb}](#{verb}) | {command.get_short_help_str(200)} |" for verb, command in commands.items()]
    for verb, command in commands.items():
        own = click.Context(command, info_name=verb, parent=context, terminal_width=110, max_content_width=110)
        lines += ["", f"## {verb}", "```", command.get_help(own), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
