"""The commands export and sql: any list of the API, or the answer to a SELECT, as a file."""

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
from dashboard.media_types import FORMATS
from data.cli.common import fail, json_option

if TYPE_CHECKING:
    from dashboard.api_client import Api, Query
    from data.answers.operations import SqlAnswer
    from data.model.json_values import Json

FORMAT = click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "arrow"]), help="Default: from the file name, else csv."
)
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; default: standard output. Without --format the name must end in .csv, .parquet, .arrow or .arrows, "
    "or have no suffix (csv).",
)
CELL_WIDTH = 80  # characters shown of a cell


@click.command()
@click.argument("name", metavar="LIST")
@RELEASE
@ENVIRONMENT
@MODULE
@click.option("--runs", type=click.IntRange(1), help="Number of newest runs.")
@click.option("--as-of", help="Snapshot number or ISO 8601 time: read the store as of then.")
@click.option("--where", "others", multiple=True, metavar="NAME=VALUE", help="Another parameter of the list's route.")
@click.option("--limit", type=click.IntRange(1, 1000), help="Maximum number of rows; default: all.")
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
    """Write a list of the API to a file.

    LIST is releases, runs, builds, tests, verdicts, flaky, failures, storms, hosts, trends, grid, runs/ID/results,
    tests/ID/history or another; an unknown name prints all of them.

    In CSV, text that a spreadsheet would read as a formula gets a leading apostrophe.

    An unknown release or environment gives an empty list and a warning on standard error.

    Exit code 0: written, even if empty; 2: unknown list, invalid parameter, or the store or server cannot be reached.

    \b
    Example: regtracker export verdicts --release 8.0 --where kind=regression -o broken.csv
             regtracker export builds --release 8.0 -o builds.parquet
    """
    form = form or _format_from_name(output)
    wrong = [pair for pair in others if "=" not in pair]
    if wrong:
        fail(f"--where {wrong[0]!r}: write NAME=VALUE.")
    query: Query = {
        "release": release,
        "environment": environment,
        "module": module,
        "runs": runs,
        "as_of": as_of,
        "limit": limit,
        **dict(pair.split("=", 1) for pair in others),
    }
    with api_from_options(url) as api:
        path = "/" + name.strip("/")
        known = _list_paths(api)
        if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) for template in known):
            fail(f"No such list: {name!r}. Lists: {', '.join(template[1:] for template in known)}.")
        _warn_unknown_names(api, query)
        _write(api, output, form, "GET", path, FORMATS[form], query, None)


@click.command()
@click.argument("select", metavar="[SQL]", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Maximum number of rows shown."
)
@click.option("--as-of", help="Snapshot number or ISO 8601 time: read the store as of then.")
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
    """Run one SELECT (DuckDB's dialect) over the tables of the lake; without an argument, from standard input.

    Read-only; limits: 10 s, 512 MB of memory, 32 MB of answer. `AT (VERSION => n)` after a table reads an earlier
    snapshot of it alone. --format or --output write the whole answer to a file, up to a million rows.

    Exit code 0: answered; 2: the SQL is invalid, refused or over a limit, or the store or server cannot be reached.

    \b
    Example: regtracker sql "SELECT module, sum(failed) AS failed FROM build_counts GROUP BY ALL ORDER BY 2 DESC"
             regtracker sql -o failed.parquet < failed.sql
    """
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
        fail(f"Unknown format {suffix}: use .csv, .parquet or .arrow, or --format.")
    return forms[suffix]


def _list_paths(api: Api) -> list[str]:
    """The paths of all routes that return files."""
    paths = api.get("/openapi.json")["paths"]
    return [
        path.removeprefix("/api/v1")
        for path, item in paths.items()
        if "text/csv" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    ]


def _warn_unknown_names(api: Api, query: Query) -> None:
    """Warn about an unknown release or environment: an empty file does not explain itself."""
    if query["release"] is None and query["environment"] is None:
        return
    choices = api.get("/choices", as_of=query["as_of"])
    for what in ("release", "environment"):
        known = choices[what + "s"]
        if query[what] is not None and query[what] not in known:
            click.echo(f"Unknown {what} {query[what]!r}; known: {', '.join(known) or 'none'}.", err=True)


def _write(
    api: Api, output: Path | None, form: str, method: str, path: str, accept: str, query: Query, body: Json
) -> None:
    if output is None:
        if form != "csv" and sys.stdout.isatty():
            fail(f"{form} is binary: name a file with --output.")
        api.save(sys.stdout.buffer, method, path, accept, query, body)
        sys.stdout.buffer.flush()
        return
    part = output.with_name(output.name + ".part")  # the named file is always complete
    try:
        with part.open("wb") as target:
            api.save(target, method, path, accept, query, body)
        os.replace(part, output)
    except OSError as error:
        fail(f"Cannot write {output}: {error.strerror}")
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _table(answer: SqlAnswer) -> str:
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
    cut = f" (more rows: --limit {rows} reached)" if answer["truncated"] else ""
    return "\n".join([*lines, "", f"{rows} row{'' if rows == 1 else 's'} in {answer['seconds']:.2f} s{cut}"])


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 3] + "..."
