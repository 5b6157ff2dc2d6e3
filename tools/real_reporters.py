"""Run real test reporters over the same ten situations, and compare what the store has with what it should have."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click
from reporters import catalog, formats_page, runs, stored

NAMES = click.argument("names", nargs=-1, metavar="[REPORTER]...")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run real test reporters over the same ten situations, and compare what the store has with what it should have.

    The expected tests are in tools/reporters/expected.toml, the explained differences in differences.toml, the
    reporters in reporters.toml. The files are kept in tests/fixtures/reporters, where a test compares them too.

    \b
    Example: python tools/real_reporters.py run pytest jest-junit
             python tools/real_reporters.py compare
             python tools/real_reporters.py docs
    """


@main.command()
@NAMES
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(tempfile.gettempdir()) / "reporters",
    show_default=True,
    help="Folder for installed packages and copies of the suites; kept for the next time.",
)
@click.option("--apt", "with_apt", is_flag=True, help="Install missing Debian packages, which needs root.")
def run(names: tuple[str, ...], cache: Path, with_apt: bool) -> None:
    """Install and run reporters, all by default, and replace their fixtures.

    Takes about five minutes for all. Exit code 1: some could not be installed or wrote no file; their fixtures stay.
    """
    chosen = _chosen(names)
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    failed = False
    for number, reporter in enumerate(chosen, 1):
        click.echo(f"[{number}/{len(chosen)}] {reporter.name}: ", err=True, nl=False)
        try:
            runs.install([reporter], cache, with_apt=with_apt)
            files = runs.run(reporter, cache)
        except runs.ReporterError as error:
            failed = True
            click.echo(f"failed. {error}", err=True)
        else:
            click.echo(f"{len(files)} files", err=True)
    sys.exit(failed)


@main.command()
@NAMES
def compare(names: tuple[str, ...]) -> None:
    """Import the fixtures into a store of their own and print each difference that differences.toml does not explain.

    Exit code 1: there is one.
    """
    wanted = catalog.to_be_stored()
    with tempfile.TemporaryDirectory() as folder:
        builds = stored.stored([reporter.name for reporter in _chosen(names) if _has_run(reporter)], Path(folder))
    lines = [
        f"{name}: {line}"
        for name, build in builds.items()
        for line in build.differences(test for tests in wanted[name].values() for test in tests)
    ]
    for line in lines:
        click.echo(line)
    sys.exit(bool(lines))


@main.command()
def docs() -> None:
    """Write the tables of docs/formats.md from the expected tests and the differences."""
    formats_page.write()


def _has_run(reporter: catalog.Reporter) -> bool:
    return (catalog.FIXTURES / reporter.name).is_dir()


def _chosen(names: tuple[str, ...]) -> list[catalog.Reporter]:
    reporters = catalog.reporters()
    if unknown := {*names} - {*reporters}:
        raise click.BadParameter(f"no reporter {', '.join(sorted(unknown))}; there are {', '.join(reporters)}")
    return [reporters[name] for name in names or reporters]


if __name__ == "__main__":
    main()
