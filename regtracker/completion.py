"""`regtracker completion`: the script for shell completion of commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

HOW = {
    "bash": 'eval "$(regtracker completion bash)"                 in ~/.bashrc',
    "zsh": 'eval "$(regtracker completion zsh)"                  in ~/.zshrc',
    "fish": "regtracker completion fish > ~/.config/fish/completions/regtracker.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script with which a shell completes commands, options, and names of releases, modules and sources.

    Exit code 0: printed; 2: unknown shell.

    \b
    Example: eval "$(regtracker completion bash)"          # in ~/.bashrc; zsh: in ~/.zshrc
             regtracker completion fish > ~/.config/fish/completions/regtracker.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    main = ctx.find_root().command
    click.echo(f"# {HOW[shell]}")
    click.echo(kind(main, {}, "regtracker", "_REGTRACKER_COMPLETE").source())
