"""Routes about ingestion: its completeness, requests to the ingest process, and uploads of reports."""

from __future__ import annotations

import io
import zipfile
from typing import Annotated, Any, Literal

import orjson
from flask import Response, request
from flask_openapi3 import FileStorage
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import valid_id
from dashboard.api.openapi import (
    OpenApiConfig,
    blueprint,
    item_responses,
    list_responses,
    problem_responses,
    success_responses,
)
from dashboard.api.problems import ProblemError, not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import services, store
from data import redaction
from data.answers.operations import Drop, Gap, IngestSource, LedgerRow, Request
from data.lake.store import Store
from data.model import filters, ids, input_checks
from data.model.filters import Filter
from data.model.json_values import JsonObject
from data.model.measures import iso
from data.queries import ingest_status
from data.tasks import requests
from data.write.raw_files import pack, pack_zip

routes = blueprint("ingest", "Ingestion: is the data complete; request polls and builds, upload reports.")
AUTHOR = "api"
UPLOAD_SOURCE = "upload"  # the source of uploaded builds
ETAG_LIFETIME_S = 60
UPLOADS_LIFETIME_S = 1  # a waiting upload makes no snapshot
MAX_URLS = 200


@routes.get("/ingest/status", summary="Sources: last poll, lag, open builds", responses=list_responses(IngestSource))
@cached_route(clock_s=ETAG_LIFETIME_S, outside=True)
def list_sources(query: parameters.ListQuery) -> Any:
    def fetch(store: Store, flt: Filter) -> list[IngestSource]:
        return ingest_status.status(store if flt.as_of is None else store.at(flt.as_of))

    return lists.list_response(RowSource(IngestSource, sliced(fetch)), query, query.filter())


@routes.get("/ingest/ledger", summary="Discovered builds that are not finished", responses=list_responses(LedgerRow))
@cached_route()
def list_ledger(query: parameters.LedgerQuery) -> Any:
    """Failed builds first, with the error of the last attempt; then waiting builds; last those to be rechecked."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[LedgerRow]:
        return ingest_status.ledger(store, query.source, query.state, limit=limit, offset=position or 0, flt=flt)

    if query.source is not None and query.source not in {row["source"] for row in ingest_status.status(store())}:
        raise not_found("source", query.source, "source")
    return lists.list_response(RowSource(LedgerRow, fetch), query, query.filter())


@routes.get("/ingest/gaps", summary="Missing build numbers", responses=list_responses(Gap))
@cached_route()
def list_gaps(query: parameters.ListQuery) -> Any:
    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Gap]:
        start = position or 0
        return ingest_status.gaps(store, flt, limit=start + limit)[start:]

    return lists.list_response(RowSource(Gap, fetch), query, query.filter())


@routes.get("/ingest/drops", summary="Jobs whose newest build has far fewer tests", responses=list_responses(Drop))
@cached_route()
def list_drops(query: parameters.ListQuery) -> Any:
    return lists.list_response(RowSource(Drop, sliced(ingest_status.drops)), query, query.filter())


Bound = int | Annotated[str, parameters.schema_pattern(f"^([0-9]{{1,9}}|{parameters.ISO})$")] | None
Moment = Annotated[str, parameters.schema_pattern(parameters.TIME)]
Url = Annotated[
    str,
    Field(pattern="^https?://", max_length=2000),
    AfterValidator(lambda url: redaction.split_password(url)[0]),  # it is shown to everybody
]


class IngestRequest(BaseModel):
    """A request to the ingest process."""

    model_config = OpenApiConfig(
        extra="forbid",
        openapi_extra={"example": {"kind": "backfill", "source": "ci", "from": 100, "to": 150}},
    )

    kind: Literal["poll", "discover", "build", "backfill"]
    source: str = Field(description="a configured source (`GET /ingest/status` lists them)")
    url: Url | None = Field(None, description="build: its Jenkins URL")
    urls: list[Url] | None = Field(
        None, min_length=1, max_length=MAX_URLS, description="build: several Jenkins URLs, such as a discovery lists"
    )
    from_: Bound = Field(None, alias="from", description="discover, backfill: the first build number, or ISO date")
    to: Bound = Field(None, description="discover, backfill: the last build number, or ISO date")

    @field_validator("from_", "to", mode="before")
    @classmethod
    def _reject_boolean(cls, bound: Any) -> Any:
        if isinstance(bound, bool):  # pydantic would read it as 0 or 1
            raise ValueError("must be a build number or an ISO date")
        return bound

    @field_validator("from_", "to")
    @classmethod
    def _bound(cls, bound: int | str | None) -> int | str | None:
        if isinstance(bound, str) and bound.isascii() and bound.isdigit():
            bound = int(bound)
        if isinstance(bound, str):
            filters.parse_time(bound)
        elif bound is not None and not 0 <= bound < 2**31:
            raise ValueError("must be a build number or an ISO date")
        return bound

    @model_validator(mode="after")
    def _check_combination(self) -> IngestRequest:
        if sum(one is not None for one in (self.url, self.urls)) != (self.kind == "build"):
            raise ValueError("kind build needs either url or urls; other kinds take neither")
        bounds = {type(bound) for bound in (self.from_, self.to) if bound is not None}
        if self.kind not in ("discover", "backfill") and bounds:
            raise ValueError("from and to are only for the kinds discover and backfill")
        if len(bounds) > 1:
            raise ValueError("from and to must both be build numbers or both be dates")
        if isinstance(self.from_, int) and isinstance(self.to, int) and self.from_ > self.to:
            raise ValueError("the range is empty: from is after to")
        return self

    @property
    def payload(self) -> JsonObject:
        given = {"url": self.url, "from": self.from_, "to": self.to}
        payload: JsonObject = {name: str(value) for name, value in given.items() if value is not None}
        return payload | ({"urls": [*self.urls]} if self.urls else {})


@routes.post(
    "/ingest/requests",
    summary="Request a poll, a list of Jenkins builds, single builds, or a range",
    responses=success_responses(202, Request) | problem_responses(400, 403, 413, 415, 503),
)
def create_request(body: IngestRequest) -> Response:
    """The ingest process starts it within seconds; follow it at the URL in `Location`. A discovery reads no results: it
    puts `found`, `cut` and `listed` into its payload, the builds in Jenkins with their release, version and environment
    by the source's rules. Request the ones you want with kind build."""
    sources = [source.name for source in services().settings.source]
    if body.source not in sources:
        raise ProblemError(400, f"no such source: {body.source!r}; known: {', '.join(sources) or 'none'}", "source")
    return _accepted(requests.submit(store(), body.kind, body.source, body.payload, AUTHOR))


@routes.get("/ingest/requests", summary="Requests, newest first", responses=list_responses(Request))
@cached_route(clock_s=UPLOADS_LIFETIME_S, outside=True)
def list_requests(query: parameters.ListQuery) -> Any:
    """Without the build lists of discoveries; `GET /ingest/requests/{request}` has them."""

    def fetch(store: Store, flt: Filter) -> list[Request]:
        store = store if flt.as_of is None else store.at(flt.as_of)
        return [_request_row(found) for found in requests.recent(store, 1000)]

    return lists.list_response(RowSource(Request, sliced(fetch)), query, query.filter())


@routes.get(
    "/ingest/requests/<request>",
    summary="One request and its progress",
    responses=item_responses(Request),
)
@cached_route(clock_s=UPLOADS_LIFETIME_S, outside=True)
def get_request(path: parameters.RequestPath, query: parameters.SnapshotQuery) -> Any:
    # Without as_of always the newest state: an earlier snapshot has no waiting uploads.
    pinned = store() if query.as_of is None else store().at(request_context().snapshot)
    found = requests.status(pinned, ids.number(valid_id("request", path.request)))
    if found is None:
        raise not_found("request", path.request)
    return _request_row(found)


_TEXT_FIELDS = ("release", "module", "version", "environment", "revision", "url", "started_at", "run")


class Upload(BaseModel):
    """Reports of one build of any CI system."""

    model_config = ConfigDict(extra="forbid")

    files: list[FileStorage] = Field(
        min_length=1, description="JUnit XML or another supported report; several, or a zip of them"
    )
    release: str = Field(min_length=1, max_length=200, description="release line, such as 7.0")
    module: str = Field(min_length=1, max_length=200, description="tested module, such as network")
    number: int | None = Field(None, ge=1, lt=2**31, description="build number; default: the next one of the module")
    version: str | None = Field(None, max_length=200)
    environment: str | None = Field(None, max_length=200)
    started_at: Moment | None = Field(
        None, description="ISO 8601 time, UTC without a zone; default: the newest in the reports"
    )
    revision: str | None = Field(None, max_length=200, description="commit that was built")
    url: Url | None = Field(None, description="URL of the build in its CI")
    run: str | None = Field(
        None, max_length=200, description="builds of a release with the same value form one run; default: the number"
    )
    parameters: dict[str, str] | None = Field(None, description="build parameters: a JSON object of strings")

    @field_validator(*_TEXT_FIELDS, mode="before")
    @classmethod
    def _text(cls, value: Any, info: ValidationInfo) -> Any:
        return request.form.get(info.field_name or "", value)  # flask-openapi3 reads release=7.0 as a number

    @field_validator("started_at")
    @classmethod
    def _moment(cls, text: str | None) -> str | None:
        return None if text is None else iso(input_checks.check_start(filters.parse_time(text)))

    @field_validator("environment")
    @classmethod
    def _environment(cls, text: str | None) -> str | None:
        return text and input_checks.check_text("environment", text)

    @field_validator("release", "module")
    @classmethod
    def _name(cls, text: str) -> str:
        return input_checks.check_name(text)


@routes.post(
    "/builds",
    summary="Upload the reports of a build",
    responses=success_responses(202, Request) | problem_responses(400, 403, 413, 415, 503),
)
def create_build(form: Upload) -> Response:
    """The ingest process reads them within seconds; follow it at the URL in `Location`. An upload with the same
    release, module, number and start replaces the earlier one."""
    raw = []
    entries = unpacked = 0
    for file in form.files:
        name, content = file.filename or "report.xml", file.read()
        is_zip = content.startswith(b"PK\x03\x04")
        raw.append((pack_zip if is_zip else pack)(name, "file", content))
        entries += content.count(b"PK\x01\x02") if is_zip else 1
        _check_limit("files", entries)
        unpacked += _unpacked_size(content) if is_zip else len(content)
        _check_limit("unpacked_mb", unpacked >> 20)
    payload = form.model_dump(exclude={"files"}, exclude_none=True)
    return _accepted(requests.submit(store(), "upload", UPLOAD_SOURCE, payload, AUTHOR, raw))


def _check_limit(name: Literal["files", "unpacked_mb"], size: int) -> None:
    """Raises ProblemError 413. The other limits show only when ingest reads the reports."""
    most: int = getattr(services().settings.limits, name)
    if size > most:
        what = {"files": "reports", "unpacked_mb": "MB of unpacked reports"}[name]
        raise ProblemError(413, f"the upload holds {size} {what}, more than {most} ([limits] {name})", "files")


def _unpacked_size(archive: bytes) -> int:
    """Bytes that a zip says it unpacks to; 0 if it is damaged, which ingest reports."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return sum(info.file_size for info in opened.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return 0


def _accepted(number: int) -> Response:
    found = requests.status(store(), number)
    assert found is not None  # just submitted
    response = Response(
        orjson.dumps(_request_row(found), option=orjson.OPT_APPEND_NEWLINE), 202, mimetype="application/json"
    )
    response.headers["Location"] = f"/api/v1/ingest/requests/{ids.text(number)}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _request_row(found: requests.WorkRequest) -> Request:
    return {
        "id": ids.text(found.request),
        "kind": found.kind,
        "source": found.source,
        "payload": found.payload,
        "state": found.state,
        "error": found.error,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "author": found.author,
    }
