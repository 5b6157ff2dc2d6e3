"""One Jenkins build: its facts and files, and its results by status, topology, host and module."""

from __future__ import annotations

from collections import defaultdict
from typing import TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.failing_line import excerpts
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.base import VerdictKind
from data.answers.bugs import Bug
from data.answers.builds import BuildDetail, BuildResult, Facet, RawFile
from data.lake.store import Store
from data.model.build_record import FLAGS
from data.model.filters import Filter
from data.queries import bugs, builds, results

PATH, NAME = "/builds/<build>", ""
STATUSES = ("failed", "skipped", "passed", "all")
GROUPED = 1_000  # results shown by topology and host
CONSOLE = 8 << 20  # bytes of a console log that are searched


def layout() -> html.Div:
    return html.Div(rendering.html_slot("build"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "build", PATH, "build.html", page_data)


class BuildFacets(TypedDict):
    topology: list[Facet]
    host: list[Facet]
    module: list[Facet]


class BuildPage(TypedDict):
    """A build; its results are a page of rows, or `groups` (topology, host, results)."""

    build: BuildDetail
    facets: BuildFacets
    flags: list[tuple[str, str]]
    status: str
    offset: int
    more: bool
    results: list[BuildResult]
    groups: list[tuple[str, str, list[BuildResult]]] | None
    cut: bool
    files: list[RawFile]
    console: list[tuple[int, str]] | None
    kinds: dict[str, list[VerdictKind]]
    bugs: dict[str, list[Bug]]
    module: str | None
    pass_rate_definition: str


def page_data(store: Store, url: PageUrl, build: str) -> BuildPage:
    this = builds.build(store, build)
    if this is None:
        raise rendering.UnknownError(
            f"No build {build}. It may have been deleted, or the link may belong to another installation."
        )
    facets = builds.facets(store, build)
    files = builds.files(store, build)
    grouped = url.choice("group", ("host",), "") == "host"
    status = _status(url, this)
    offset = offset_of(url)
    scope = Filter(module=url.filter.module, topology=url.filter.topology)
    rows = results.build_results(
        store,
        build,
        scope,
        status=status,
        text=url.get("q") or None,
        host=url.get("host") or None,
        attempts=bool(url.get("attempts")),
        limit=GROUPED + 1 if grouped else PAGE_SIZE + 1,
        offset=0 if grouped else offset,
    )
    return {
        "build": this,
        "facets": {
            "topology": facets["topology"] if facets else [],
            "host": facets["host"] if facets else [],
            "module": facets["module"] if facets else [],
        },
        "flags": [(flag, FLAGS.get(flag, "")) for flag in this["flags"]],
        "status": status or "all",
        "offset": offset,
        "more": len(rows) > PAGE_SIZE and not grouped,
        "results": rows[: GROUPED if grouped else PAGE_SIZE],
        "groups": _groups(rows[:GROUPED]) if grouped else None,
        "cut": grouped and len(rows) > GROUPED,
        "files": files,
        "console": _console(store, build, files),
        "kinds": {},
        "bugs": bugs.bugs_of_tests(store, tuple(row["test"] for row in rows), Filter(this["release"])),
        "module": url.filter.module,
        "pass_rate_definition": rendering.pass_rate_definition(store),
    }


def _status(url: PageUrl, build: BuildDetail) -> str | None:
    """The status of the results: failed, where any failed; None for all."""
    status = url.choice("status", STATUSES, "failed" if build["failed"] else "all")
    return None if status == "all" else status


def _groups(rows: list[BuildResult]) -> list[tuple[str, str, list[BuildResult]]]:
    """(topology, host, results) by topology, those with the most failures first."""
    found: dict[tuple[str, str], list[BuildResult]] = defaultdict(list)
    for row in rows:
        found[row["topology"] or "", row["host"] or ""].append(row)

    def key(item: tuple[tuple[str, str], list[BuildResult]]) -> tuple[str, int, str]:
        (topology, host), group = item
        return topology, -sum(row["status"] == "failed" for row in group), host

    return [(topology, host, group) for (topology, host), group in sorted(found.items(), key=key)]


def _console(store: Store, build: str, files: list[RawFile]) -> list[tuple[int, str]] | None:
    """The failing lines of the console log, if it is stored."""
    path = next((file["path"] for file in files if file["kind"] == "console"), None)
    content = builds.file(store, build, path, CONSOLE) if path else None
    return None if content is None else excerpts(content.decode("utf-8", "replace"))


def as_api_call(store: Store, url: PageUrl, build: str) -> ApiCall:
    this = builds.build(store, build)
    status = _status(url, this) if this else None
    return api_call(("builds", build, "results"), parameters.BuildResultsQuery, url, status=status)
