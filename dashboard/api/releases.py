"""Routes about release lines: how healthy each one is now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.api.schemas.matrix import Matrix, MatrixFileRow, OverallFileRow, OverallMatrix
from dashboard.api.schemas.runs import Choices, Module, Run, Tile, Version
from dashboard.app_state import store
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import matrix, releases, runs

routes = blueprint("releases", "Release lines: how healthy each one is now.")
ETAG_LIFETIME_S = 3600  # a release may turn stale without a commit: its ETag holds for an hour at most


@routes.get("/releases", summary="A tile for every release line", responses=list_responses(Tile))
@cached_route(clock_s=ETAG_LIFETIME_S)
def list_releases(query: parameters.ReleasesQuery) -> Any:
    """The newest activity first. Numbers are of the newest run that has ended; `state` is the release's health."""
    return lists.list_response(RowSource(Tile, sliced(releases.tiles)), query, query.filter())


@routes.get("/releases/<path:release>", summary="One release line", responses=item_responses(Tile))
@cached_route(clock_s=ETAG_LIFETIME_S)
def get_release(path: parameters.ReleasePath, query: parameters.ReleaseQuery) -> Any:
    found = releases.release(store(), path.release, request_context().at(query.filter()))
    if found is None:
        raise not_found("release", path.release)
    return found


@routes.get(
    "/releases/<path:release>/modules",
    summary="The modules of a release, as its newest run that has ended found them",
    responses=list_responses(Module),
)
@cached_route()
def list_modules_of_release(path: parameters.ReleasePath, query: parameters.ReleaseModulesQuery) -> Any:
    def fetch(store: Store, flt: Filter) -> list[dict[str, Any]]:
        latest = runs.newest_ended(store, flt)
        return runs.modules(store, latest, flt) if latest else []

    rows = RowSource(Module, sliced(fetch), parent=("release", path.release))
    return lists.list_response(rows, query, query.filter(release=path.release))


@routes.get("/releases/<path:release>/versions", summary="The versions of a release", responses=list_responses(Version))
@cached_route()
def list_versions(path: parameters.ReleasePath, query: parameters.ListQuery) -> Any:
    """The newest first, each with how many runs tested it and when."""

    def fetch(store: Store, flt: Filter) -> list[dict[str, Any]]:
        return releases.versions(store, path.release, flt)

    return lists.list_response(
        RowSource(Version, sliced(fetch), parent=("release", path.release)), query, query.filter()
    )


@routes.get("/releases/<path:release>/runs", summary="The runs of a release", responses=list_responses(Run))
@cached_route()
def list_runs_of_release(path: parameters.ReleasePath, query: parameters.RunsOfReleaseQuery) -> Any:
    """The newest first. With a module or topology, the counts are of that part of each run."""
    return lists.list_response(
        replace(RUNS, parent=("release", path.release)), query, query.filter(release=path.release)
    )


@routes.get(
    "/releases/<path:release>/matrix",
    summary="May it ship? Modules by where",
    responses=item_responses(Matrix, FILE_CONTENT),
)
@cached_route()
def get_matrix(path: parameters.ReleasePath, query: parameters.MatrixQuery) -> Any:
    """Of the newest run of each environment that has ended. A cell counts broken tests, without noise and storms; the
    worst cell stands for its row and column. A file has one row a cell."""
    check_exists("release", path.release)
    flt = request_context().at(query.filter())
    found = matrix.matrix(store(), path.release, flt, query.by)
    if found is None:
        raise not_found("ended run of release", path.release)
    if request_context().format == "json":
        return found
    cells = [
        {"release": path.release, "module": row["module"], "column": column["value"], **cell}
        for row in found["rows"]
        for column, cell in zip(found["columns"], row["cells"], strict=True)
    ]
    return lists.export_file(RowSource(MatrixFileRow, sliced(lambda _store, _flt: cells)), flt, [])


@routes.get(
    "/matrix", summary="May they ship? Modules by release", responses=item_responses(OverallMatrix, FILE_CONTENT)
)
@cached_route()
def get_overall_matrix(query: parameters.OverallMatrixQuery) -> Any:
    """Of the newest ended run of each environment of each release; a cell is the worst over the environments."""
    flt = request_context().at(query.filter())
    found = matrix.overall(store(), flt)
    if found is None:
        raise not_found("ended run of any release", "")
    if request_context().format == "json":
        return found
    cells = [
        {"release": column["value"], "module": row["module"], **cell}
        for row in found["rows"]
        for column, cell in zip(found["columns"], row["cells"], strict=True)
    ]
    return lists.export_file(RowSource(OverallFileRow, sliced(lambda _store, _flt: cells)), flt, [])


@routes.get("/choices", summary="What there is to filter by", responses=item_responses(Choices))
@cached_route()
def get_choices(query: parameters.ChoicesQuery) -> Any:
    """Every release, and the versions, environments and modules of the chosen one."""
    return releases.choices(store(), request_context().at(query.filter()))


def _runs(store: Store, flt: Filter, position: Any, limit: int) -> list[dict[str, Any]]:
    return runs.runs(store, flt, limit, position[0] if position else None)


RUNS = RowSource(Run, _runs, key=lambda row: [row["id"]])
