"""Routes about Jenkins builds and imports, and the results in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists, valid_id
from dashboard.api.openapi import NOT_MODIFIED, blueprint, item_responses, list_responses, problem_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.builds import Build, BuildDetail, BuildResult, Facets, RawFile
from data.answers.tests import Attempt
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import builds, results, tests

routes = blueprint("builds", "Jenkins builds and imports, and the results in them.")

_BYTES = {"schema": {"type": "string", "format": "binary"}}


@routes.get("/builds", summary="Builds, newest first", responses=list_responses(Build))
@cached_route()
def list_builds(query: parameters.BuildsQuery) -> Any:
    def fetch(store: Store, flt: Filter, position: list[str] | None, limit: int) -> list[Build]:
        return builds.builds(store, flt, limit, position[0] if position else None, run=query.run)

    flt = query.filter()
    if query.run is not None:
        check_exists("run", query.run, "run")
    return lists.list_response(RowSource(Build, fetch, key=lambda row: [row["id"]]), query, flt)


@routes.get("/builds/<build>", summary="One build", responses=item_responses(BuildDetail))
@cached_route()
def get_build(path: parameters.BuildPath, query: parameters.SnapshotQuery) -> Any:
    """With parameters, causes, commits, runs that include it, and parser warnings."""
    found = builds.build(store(), valid_id("build", path.build), request_context().at(query.filter()))
    if found is None:
        raise not_found("build", path.build)
    return found


@routes.get("/builds/<build>/results", summary="The results of a build", responses=list_responses(BuildResult))
@cached_route()
def list_build_results(path: parameters.BuildPath, query: parameters.BuildResultsQuery) -> Any:
    """Failed first. Final results only; `attempts=1`: every attempt."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[BuildResult]:
        return results.build_results(
            store, path.build, flt, query.status, query.q, query.host, query.attempts, limit, position or 0
        )

    def batches(store: Store, flt: Filter, size: int) -> Iterator[list[BuildResult]]:
        return results.all_build_results(
            store, size, path.build, flt, query.status, query.q, query.host, query.attempts
        )

    rows = RowSource(BuildResult, fetch, parent=("build", path.build), batches=batches)
    return lists.list_response(rows, query, query.filter())


@routes.get(
    "/builds/<build>/facets",
    summary="Counts by status, topology, host and module",
    responses=item_responses(Facets),
)
@cached_route()
def get_facets(path: parameters.BuildPath, query: parameters.SnapshotQuery) -> Any:
    flt = request_context().at(query.filter())
    check_exists("build", path.build)
    return builds.facets(store(), path.build, flt)


@routes.get(
    "/builds/<build>/tests/<test>", summary="Every attempt of a test in a build", responses=list_responses(Attempt)
)
@cached_route()
def list_attempts(path: parameters.BuildTestPath, query: parameters.AttemptsQuery) -> Any:
    """With the full failure text: message, trace and the end of the output."""

    def fetch(store: Store, flt: Filter) -> list[Attempt]:
        return tests.attempts(store, path.build, valid_id("test", path.test), query.topology, flt)

    return lists.list_response(RowSource(Attempt, sliced(fetch), parent=("build", path.build)), query, query.filter())


@routes.get("/builds/<build>/files", summary="Raw files of a build", responses=list_responses(RawFile))
@cached_route()
def list_files(path: parameters.BuildPath, query: parameters.ListQuery) -> Any:
    """As received from Jenkins, by path, including files inside zips. They are kept after Jenkins deletes the build."""

    def fetch(store: Store, flt: Filter) -> list[RawFile]:
        return builds.files(store, path.build, flt)

    return lists.list_response(RowSource(RawFile, sliced(fetch), parent=("build", path.build)), query, query.filter())


@routes.get(
    "/builds/<build>/files/content",
    summary="One raw file of a build",
    responses={
        200: {"description": "the original bytes", "content": {"application/octet-stream": _BYTES}},
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 503),
    },
)
@cached_route()
def get_file(path: parameters.BuildPath, query: parameters.FileQuery) -> Any:
    """Sent as a download of unknown type, so that a browser does not execute its content."""
    flt = request_context().at(query.filter())
    check_exists("build", path.build)
    content = builds.file(store() if flt.as_of is None else store().at(flt.as_of), path.build, query.path)
    if content is None:
        raise not_found("file", query.path)
    response = Response(content, mimetype="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=query.path.rpartition("/")[2] or "file")
    return response
