"""Write docs/cli.md from the help texts of the commands: `python tools/cli_reference.py`."""

from __future__ import annotations

from pathlib import Path

import click

import regtracker

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = """# The command line

The output of `regtracker COMMAND --help` for every command; `python tools/cli_reference.py` writes this page.

Settings come from `regtracker.toml` and `REGTRACKER_*` (see `regtracker.example.toml`). With `--json` a command prints
one object on standard output and nothing else, `{"error": ...}` on failure; messages and progress go to standard error.
Each command lists its exit codes. All of them also exit with 2 on an unexpected error or a full disk, 130 after Ctrl-C,
and 141 when the reader of their output has gone. `regtracker completion` sets up shell completion.
"""


def page() -> str:
    context = click.Context(regtracker.main, info_name="regtracker", **regtracker.main.context_settings)
    verbs = regtracker.main.list_commands(context)
    commands = {verb: command for verb in verbs if (command := regtracker.main.get_command(context, verb))}
    lines = [HEAD, "| command | |", "|---|---|"]
    lines += [f"| [{verb}](#{verb}) | {command.get_short_help_str(200)} |" for verb, command in commands.items()]
    for verb, command in commands.items():
        own = click.Context(command, info_name=verb, parent=context, terminal_width=110, max_content_width=110)
        lines += ["", f"## {verb}", "```", command.get_help(own), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
