"""The verbs that take data out: any list of the API as a file, and the answer to any SELECT."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboard.cli.options import ENVIRONMENT, MODULE, RELEASE, URL, api_from_options
from data.cli.common import fail, json_option

if TYPE_CHECKING:
    from dashboard.api_client import Api

FORMAT = click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "arrow"]), help="Default: by the name of the file, or csv."
)
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; default: standard output. Without --format its name ends in .csv, .parquet or .arrow (.arrows), or "
    "has no ending (csv); any other is refused.",
)
CELL_WIDTH = 80  # letters of a table's cell that are shown


@click.command()
@click.argument("name", metavar="LIST")
@RELEASE
@ENVIRONMENT
@MODULE
@click.option("--runs", type=click.IntRange(1), help="How many of the newest runs.")
@click.option("--as-of", help="A snapshot's number, or an ISO 8601 time: the store as it was then.")
@click.option("--where", "others", multiple=True, metavar="NAME=VALUE", help="Any other parameter of the list's route.")
@click.option("--limit", type=click.IntRange(1, 1000), help="Rows at most; default: all.")
@FORMAT
@OUTPUT
@URL
def export(
    name: str,
    release: str | None,
    environment: str | None,
    module: str | None,
    runs: int | None,
    as_of: str | None,
    others: tuple[str, ...],
    limit: int | None,
    form: str | None,
    output: Path | None,
    url: str | None,
) -> None:
    """Write a list of the API into a file.

    LIST is releases, runs, builds, tests, verdicts, flaky, failures, storms, hosts, trends, grid, runs/ID/results,
    tests/ID/history or another; a name that is none of them shows all.

    In CSV a text that a spreadsheet would take for a formula has an apostrophe in front.

    A release or an environment that the store does not know is told on standard error; the list is empty then.

    Exit code 0: written, be it empty; 2: there is no such list, a parameter is wrong, or the store or server cannot be
    asked.

    \b
    Example: regtracker export verdicts --release 8.0 --where kind=regression -o broken.csv
             regtracker export builds --release 8.0 -o builds.parquet
    """
    from dashboard.api.responses import FORMATS

    form = form or _format_from_name(output)
    wrong = [pair for pair in others if "=" not in pair]
    if wrong:
        fail(f"--where {wrong[0]!r}: write NAME=VALUE.")
    query: dict[str, Any] = {"release": release, "environment": environment, "module": module, "runs": runs}
    query |= {"as_of": as_of, "limit": limit, **dict(pair.split("=", 1) for pair in others)}
    with api_from_options(url) as api:
        path = "/" + name.strip("/")
        known = _list_paths(api)
        if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) for template in known):
            fail(f"There is no list {name!r}. There are: {', '.join(template[1:] for template in known)}.")
        _warn_unknown_names(api, query)
        _write(api, output, form, "GET", path, FORMATS[form], query, None)


@click.command()
@click.argument("select", metavar="[SQL]", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Rows shown at most.")
@click.option("--as-of", help="As the store was then: a snapshot's number, or an ISO 8601 time.")
@FORMAT
@OUTPUT
@URL
@json_option()
def sql(
    select: str | None,
    limit: int,
    as_of: str | None,
    form: str | None,
    output: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Run one SELECT (DuckDB's dialect) over the tables of the lake. Without an argument it is read from standard
    input.

    It is contained as the API's: read-only, at most 10 s, 512 MB and 32 MB of answer. `AT (VERSION => n)` after a table
    asks for an earlier snapshot of it alone. With --format or --output the whole answer becomes a file, up to a million
    rows.

    Exit code 0: answered; 2: the SQL is refused or wrong, takes too much, or the store or server cannot be asked.

    \b
    Example: regtracker sql "SELECT module, sum(failed) AS failed FROM build_counts GROUP BY ALL ORDER BY 2 DESC"
             regtracker sql -o failed.parquet < failed.sql
    """
    from dashboard.api.responses import FORMATS

    if select is None:
        if sys.stdin.isatty():
            click.echo("One SELECT, then Ctrl-D:", err=True)
        select = sys.stdin.read()
    question = {"sql": select, "as_of": as_of}
    with api_from_options(url) as api:
        if form or output:
            form = form or _format_from_name(output)
            _write(api, output, form, "POST", "/sql", FORMATS[form], {}, question)
            return
        answer = api.post("/sql", question | {"limit": limit})
    click.echo(json.dumps(answer) if as_json else _table(answer))


def _format_from_name(output: Path | None) -> str:
    forms = {"": "csv", ".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow"}
    suffix = output.suffix.lower() if output else ""
    if suffix not in forms:
        fail(f"{suffix} is no format that is known: end the name in .csv, .parquet or .arrow, or give --format.")
    return forms[suffix]


def _list_paths(api: Api) -> list[str]:
    """The paths of all routes that give files."""
    paths = api.get("/openapi.json")["paths"]
    return [
        path.removeprefix("/api/v1")
        for path, item in paths.items()
        if "text/csv" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    ]


def _warn_unknown_names(api: Api, query: dict[str, Any]) -> None:
    """Names that the store does not know are told: an empty file does not say why it is."""
    if query["release"] is None and query["environment"] is None:
        return
    choices = api.get("/choices", as_of=query["as_of"])
    for what in ("release", "environment"):
        known = choices[what + "s"]
        if query[what] is not None and query[what] not in known:
            click.echo(f"There is no {what} {query[what]!r} here; there are: {', '.join(known) or 'none'}.", err=True)


def _write(
    api: Api, output: Path | None, form: str, method: str, path: str, accept: str, query: dict[str, Any], body: Any
) -> None:
    if output is None:
        if form != "csv" and sys.stdout.isatty():
            fail(f"{form} is nothing to read on a terminal: name a file with --output.")
        api.save(sys.stdout.buffer, method, path, accept, query, body)
        sys.stdout.buffer.flush()
        return
    part = output.with_name(output.name + ".part")  # what stands under the name is always whole
    try:
        with part.open("wb") as target:
            api.save(target, method, path, accept, query, body)
        os.replace(part, output)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _table(answer: dict[str, Any]) -> str:
    names = [column["name"] for column in answer["columns"]]
    numeric = [all(isinstance(row[at], int | float | None) for row in answer["rows"]) for at in range(len(names))]
    cells = [names, *([_cell(value) for value in row] for row in answer["rows"])]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    rows = len(answer["rows"])
    cut = f" (there are more: --limit {rows} is reached)" if answer["truncated"] else ""
    return "\n".join([*lines, "", f"{rows} row{'' if rows == 1 else 's'} in {answer['seconds']:.2f} s{cut}"])


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 3] + "..."
