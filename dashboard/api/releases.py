"""Routes about release lines: health, versions, runs and the release matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.matrix import Matrix, MatrixFileRow, OverallFileRow, OverallMatrix
from data.answers.runs import Choices, Module, Run, Tile, Version
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import matrix, releases, runs

routes = blueprint("releases", "Release lines: health, versions, runs and the release matrix.")
ETAG_LIFETIME_S = 3600  # a release may become stale without a commit


@routes.get("/releases", summary="Every release line with its health", responses=list_responses(Tile))
@cached_route(clock_s=ETAG_LIFETIME_S)
def list_releases(query: parameters.ReleasesQuery) -> Any:
    """Most recent activity first. A tile is about one environment, the one that tests most: its newest finished run,
    its verdicts, its state. `lanes` has every environment."""
    return lists.list_response(RowSource(Tile, sliced(releases.tiles)), query, query.filter())


@routes.get("/releases/<path:release>", summary="One release line", responses=item_responses(Tile))
@cached_route(clock_s=ETAG_LIFETIME_S)
def get_release(path: parameters.ReleasePath, query: parameters.ReleaseQuery) -> Any:
    found = releases.release(store(), path.release, request_context().at(query.filter(release=path.release)))
    if found is None:
        raise not_found("release", path.release)
    return found


@routes.get(
    "/releases/<path:release>/modules",
    summary="The modules of a release, from its newest finished run",
    responses=list_responses(Module),
)
@cached_route()
def list_modules_of_release(path: parameters.ReleasePath, query: parameters.ReleaseModulesQuery) -> Any:
    def fetch(store: Store, flt: Filter) -> list[Module]:
        latest = releases.run_of_release(store, replace(flt, release=path.release))
        return runs.modules(store, latest, flt) if latest else []

    rows = RowSource(Module, sliced(fetch), parent=("release", path.release))
    return lists.list_response(rows, query, query.filter(release=path.release))


@routes.get("/releases/<path:release>/versions", summary="The versions of a release", responses=list_responses(Version))
@cached_route()
def list_versions(path: parameters.ReleasePath, query: parameters.ListQuery) -> Any:
    """Newest first, with the number of runs and their times."""

    def fetch(store: Store, flt: Filter) -> list[Version]:
        return releases.versions(store, path.release, flt)

    return lists.list_response(
        RowSource(Version, sliced(fetch), parent=("release", path.release)), query, query.filter()
    )


@routes.get("/releases/<path:release>/runs", summary="The runs of a release", responses=list_responses(Run))
@cached_route()
def list_runs_of_release(path: parameters.ReleasePath, query: parameters.RunsOfReleaseQuery) -> Any:
    """Newest first. A module or topology filter narrows the counts of each run."""
    return lists.list_response(
        replace(RUNS, parent=("release", path.release)), query, query.filter(release=path.release)
    )


@routes.get(
    "/releases/<path:release>/matrix",
    summary="Release matrix of one release",
    responses=item_responses(Matrix, FILE_CONTENT),
)
@cached_route(clock_s=ETAG_LIFETIME_S)
def get_matrix(path: parameters.ReleasePath, query: parameters.MatrixQuery) -> Any:
    """From the newest finished run of each environment. A cell counts broken tests, without flaky ones, mass failures
    and bad hosts; rows take their worst cell; the states of an environment and of the release are those of
    `/releases`. A file has one row per cell."""
    check_exists("release", path.release)
    flt = request_context().at(query.filter())
    found = matrix.matrix(store(), path.release, flt, query.by)
    if found is None:
        raise not_found("finished run of release", path.release)
    if request_context().format == "json":
        return found
    cells: list[MatrixFileRow] = [
        {"release": path.release, "module": row["module"], "column": column["value"], **cell}
        for row in found["rows"]
        for column, cell in zip(found["columns"], row["cells"], strict=True)
    ]
    return lists.export_file(RowSource(MatrixFileRow, sliced(lambda _store, _flt: cells)), flt, [])


@routes.get(
    "/matrix",
    summary="Release matrix of all releases",
    responses=item_responses(OverallMatrix, FILE_CONTENT),
)
@cached_route(clock_s=ETAG_LIFETIME_S)
def get_overall_matrix(query: parameters.OverallMatrixQuery) -> Any:
    """From the newest finished run of each release and environment; a cell is the worst of its environments."""
    flt = request_context().at(query.filter())
    found = matrix.overall(store(), flt)
    if found is None:
        raise not_found("finished run of any release", "")
    if request_context().format == "json":
        return found
    cells: list[OverallFileRow] = [
        {"release": column["value"] or "", "module": row["module"], **cell}
        for row in found["rows"]
        for column, cell in zip(found["columns"], row["cells"], strict=True)
    ]
    return lists.export_file(RowSource(OverallFileRow, sliced(lambda _store, _flt: cells)), flt, [])


@routes.get("/choices", summary="Filter values", responses=item_responses(Choices))
@cached_route()
def get_choices(query: parameters.ChoicesQuery) -> Any:
    """All releases, and the versions, environments and modules of the chosen one."""
    return releases.choices(store(), request_context().at(query.filter()))


def _runs(store: Store, flt: Filter, position: Any, limit: int) -> list[Run]:
    return runs.runs(store, flt, limit, position[0] if position else None)


RUNS = RowSource(Run, _runs, key=lambda row: [row["id"]])
