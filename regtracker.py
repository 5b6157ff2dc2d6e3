"""The command line of Regression Tracker: composes what the packages offer."""

import click


@click.group()
def main() -> None:
    """Regression Tracker."""
