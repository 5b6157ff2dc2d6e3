"""Routes about one Jenkins build (or import): its facts and every result in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import Row, RowSource, sliced
from dashboard.api.lookups import check_exists, valid_id
from dashboard.api.openapi import NOT_MODIFIED, blueprint, item_responses, list_responses, problem_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context, store
from dashboard.api.schemas.builds import Build, BuildDetail, BuildResult, Facets, RawFile
from dashboard.api.schemas.tests import Attempt
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import builds, results, tests

routes = blueprint("builds", "Jenkins builds and imports: their facts and every result in them.")

_BYTES = {"schema": {"type": "string", "format": "binary"}}


@routes.get("/builds", summary="Builds, newest first", responses=list_responses(Build))
@cached_route()
def list_builds(query: parameters.BuildsQuery) -> Any:
    def fetch(store: Store, flt: Filter, position: list[str] | None, limit: int) -> list[Row]:
        return builds.builds(store, flt, limit, position[0] if position else None, run=query.run)

    flt = query.filter()
    if query.run is not None:
        check_exists("run", query.run)
    return lists.list_response(RowSource(Build, fetch, key=lambda row: [row["id"]]), query, flt)


@routes.get("/builds/<build>", summary="One build", responses=item_responses(BuildDetail))
@cached_route()
def get_build(path: parameters.BuildPath, query: parameters.SnapshotQuery) -> Any:
    """With its parameters, causes, commits, the runs that listed it, and what the parsers remarked."""
    found = builds.build(store(), valid_id("build", path.build), request_context().at(query.filter()))
    if found is None:
        raise not_found("build", path.build)
    return found


@routes.get("/builds/<build>/results", summary="The results of a build", responses=list_responses(BuildResult))
@cached_route()
def list_build_results(path: parameters.BuildPath, query: parameters.BuildResultsQuery) -> Any:
    """The worst first; final results, or with `attempts=1` every attempt."""

    wanted = {"status": query.status, "text": query.q, "host": query.host, "attempts": query.attempts}

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Row]:
        return results.build_results(store, path.build, flt, **wanted, limit=limit, offset=position or 0)

    def every(store: Store, flt: Filter, size: int) -> Iterator[list[Row]]:
        return results.all_build_results(store, size, path.build, flt, **wanted)

    rows = RowSource(BuildResult, fetch, of=("build", path.build), all=every)
    return lists.list_response(rows, query, query.filter())


@routes.get(
    "/builds/<build>/facets", summary="Counts of a build by host, topology...", responses=item_responses(Facets)
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
    """With the whole failure text: message, trace and the tail of the output."""

    def fetch(store: Store, flt: Filter) -> list[Row]:
        return tests.attempts(store, path.build, valid_id("test", path.test), query.topology, flt)

    return lists.list_response(RowSource(Attempt, sliced(fetch), of=("build", path.build)), query, query.filter())


@routes.get("/builds/<build>/files", summary="The kept inputs of a build", responses=list_responses(RawFile))
@cached_route()
def list_files(path: parameters.BuildPath, query: parameters.ListQuery) -> Any:
    """As they came from Jenkins, by path, those inside of a zip too. They stay when Jenkins deletes the build."""

    def fetch(store: Store, flt: Filter) -> list[Row]:
        return builds.files(store, path.build, flt)

    return lists.list_response(RowSource(RawFile, sliced(fetch), of=("build", path.build)), query, query.filter())


@routes.get(
    "/builds/<build>/files/content",
    summary="One kept input of a build",
    responses={
        200: {"description": "the bytes as they came", "content": {"application/octet-stream": _BYTES}},
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 503),
    },
)
@cached_route()
def get_file(path: parameters.BuildPath, query: parameters.FileQuery) -> Any:
    """Sent as a download of unknown type, so that no browser runs what a report holds."""
    flt = request_context().at(query.filter())
    check_exists("build", path.build)
    content = builds.file(store() if flt.as_of is None else store().at(flt.as_of), path.build, query.path)
    if content is None:
        raise not_found("file", query.path)
    response = Response(content, mimetype="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=query.path.rpartition("/")[2] or "file")
    return response
