"""Is the data complete: the state of each source, waiting builds and their errors, missing data, and fetching more.

The forms are sent by a callback of their own; its answer fills a slot like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate
from pydantic import ValidationError

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api.ingest import IngestRequest
from dashboard.api_links import ApiCall, api_call
from dashboard.app_state import services
from dashboard.callback_errors import log
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.operations import (
    BuildRemark,
    Drop,
    EmptyBuild,
    EmptyRun,
    FeedHealth,
    FoundBuild,
    Freshness,
    Gap,
    IngestSource,
    LedgerRow,
    LedgerState,
    RequestPayload,
)
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model import ids
from data.model.filters import FilterError
from data.model.json_values import JsonObject
from data.model.measures import iso
from data.queries import ingest_status
from data.tasks import ledger, poll_status, requests
from data.tasks.build_lookups import build_statuses

PATH, NAME = "/ingest", "Ingest"
STATES: tuple[LedgerState, ...] = (ledger.NEW, ledger.RUNNING, ledger.RETRY, ledger.RECHECK, ledger.GONE, ledger.FAILED)
AUTHOR = "dashboard"
REQUESTS = 20
MAX_ROWS = 100
# A source that was not polled for this many of its intervals is stale; a poll may take a minute.
_LATE = 3
REFRESH_S = 10  # polls make no snapshot that would refresh the page


def layout() -> html.Div:
    return html.Div(
        [
            dcc.Store(id="ingest-request"),
            dcc.Interval("ingest-clock", REFRESH_S * 1000),
            *rendering.html_slot("ingest-result", role="status"),
            *rendering.html_slot("ingest"),
        ],
        className="page ingest",
    )


def register(app: Dash) -> None:
    rendering.register(app, "ingest", PATH, "ingest.html", page_data)
    app.clientside_callback(
        ClientsideFunction("rt", "apply"), Input("ingest-result-html", "data"), State("ingest-result-html", "id")
    )

    @app.callback(
        Output("ingest-html", "data", allow_duplicate=True),
        Input("ingest-clock", "n_intervals"),
        State("url", "href"),
        prevent_initial_call=True,
    )
    def refresh(_beats: int, href: str) -> Any:
        return rendering.render_screen("ingest.html", PageUrl.of(href), page_data, {})

    @app.callback(
        Output("ingest-result-html", "data"),
        Output("snapshot", "data", allow_duplicate=True),
        Input("ingest-request", "data"),
        State("url", "href"),
        prevent_initial_call=True,
    )
    def submit(form: JsonObject | None, href: str) -> Any:
        if not form:
            raise PreventUpdate
        url = PageUrl.of(href)
        store = services().store
        try:
            text, found = submit_request(store, form)
            result = {"text": text, "failed": False, "found": found}
        except (ValueError, FilterError) as error:
            result = {"text": _reason(error), "failed": True}
        except StoreError as error:
            log.error("a request was not stored", exc_info=error)
            result = {"text": str(error), "failed": True}
        snapshot = store.snapshot().id
        markup = rendering.render_markup("ingest_result.html", url, result)
        return {"html": markup, "at": url.here(), "snapshot": snapshot}, snapshot


def submit_request(store: Store, form: JsonObject) -> tuple[str, str | None]:
    """Store the request of a form. Returns the text of the confirmation, and the request's id if its result is to be
    shown. Raises ValueError for an invalid form."""
    urls = form.get("urls") or []
    given = {name: str(value).strip() for name, value in form.items() if name != "urls" and str(value).strip()}
    kind, source = given.pop("kind", ""), given.get("source", "")
    if source not in [one.name for one in services().settings.source]:
        raise ValueError(f"No source {source!r} in the configuration.")
    if kind == "again":
        job, number = given.get("job", ""), given.get("number", "")
        if (
            not number.isascii()
            or not number.isdigit()
            or not ledger.retry_now(store, AUTHOR, source, job, int(number))
        ):
            raise ValueError(f"{job} #{number} is no longer waiting.")
        requests.submit(store, "poll", source, {}, AUTHOR)
        return f"Retrying {job} #{number} within seconds.", None
    picked = {"urls": [urls] if isinstance(urls, str) else urls} if urls else {}
    work = IngestRequest.model_validate({"kind": kind} | given | picked)
    request = requests.submit(store, work.kind, source, work.payload, AUTHOR)
    several = "1 build" if len(work.urls or []) == 1 else f"{len(work.urls or [])} builds"
    confirmation = {
        "poll": f"Polling {source} within seconds.",
        "discover": f"Listing the builds of {source}.",
        "build": f"Fetching {work.url or several} within seconds.",
        "backfill": f"Backfilling {source} within seconds; see the progress below.",
    }[work.kind]
    return confirmation, ids.text(request) if work.kind == "discover" else None


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'][:1])} {first['msg']}".strip()


class IngestPage(TypedDict):
    """The sources, open work, requests, and what is missing."""

    sources: list[SourceRow]
    last_sign: str | None
    fresh: Freshness
    feed: FeedHealth | None
    rechecks: int
    configured: list[str]
    states: tuple[LedgerState, ...]
    source: str | None
    state: str | None
    offset: int
    more: bool
    ledger: list[LedgerRow]
    requests: list[RequestRow]
    discovery: Discovery | None
    gaps: list[Gap]
    drops: list[Drop]
    empty_runs: list[EmptyRun]
    empty_builds: list[EmptyBuild]
    remarks: list[BuildRemark]


def page_data(store: Store, url: PageUrl) -> IngestPage:
    url.filter  # noqa: B018 - raises FilterError as on every screen
    given, offset = url.read(parameters.LedgerQuery), offset_of(url)
    source, state = given.source, given.state
    sources = [_source(row) for row in ingest_status.status(store)]
    rows = ingest_status.ledger(store, source, state, PAGE_SIZE + 1, offset, rechecks=state is not None)
    last_sign, _ = poll_status.last_heartbeat(store)
    return {
        "sources": sources,
        "last_sign": last_sign,
        "fresh": ingest_status.freshness(store),
        "feed": poll_status.feed_status(store) if store.settings.bugs.url else None,
        "rechecks": ingest_status.rechecks(store, source) if state is None else 0,
        "configured": [one.name for one in store.settings.source],
        "states": STATES,
        "source": source,
        "state": state,
        "offset": offset,
        "more": len(rows) > PAGE_SIZE,
        "ledger": rows[:PAGE_SIZE],
        "requests": (recent := _requests(store)),
        "discovery": _discovery(store, url, recent),
        "gaps": ingest_status.gaps(store, limit=MAX_ROWS),
        "drops": ingest_status.drops(store),
        "empty_runs": ingest_status.empty_runs(store, MAX_ROWS),
        "empty_builds": ingest_status.empty_builds(store, MAX_ROWS),
        "remarks": ingest_status.remarks(store, MAX_ROWS),
    }


class SourceRow(IngestSource):
    """A source with its state, and whether its next poll is due."""

    state: str
    is_due: bool


class PickedBuild(FoundBuild):
    """A listed build with its current state; `picked`: neither stored nor open."""

    picked: bool
    run: str | None
    build: str | None


class RequestRow(TypedDict):
    """A request as the list shows it; if it reports progress, with its share, builds per second and seconds left."""

    id: str
    kind: str
    source: str
    state: str
    word: str
    error: str | None
    author: str
    what: str
    found: int | None
    done: int
    total: int | None
    share: float | None
    rate: float
    left_s: float | None
    builds: list[tuple[str, str]]
    created_at: str
    updated_at: str


class Discovery(TypedDict):
    """A list of builds in Jenkins, and running requests for builds of the same source."""

    request: RequestRow
    builds: list[PickedBuild]
    cut: bool | None
    picked: int
    reading: list[RequestRow]


def _source(row: IngestSource) -> SourceRow:
    minutes, lag = row["poll_minutes"], row["lag_s"]
    if row["last_error"] and not row["last_failed"]:  # the source itself, not single builds
        state = "failing"
    elif minutes is None:
        state = ""  # uploaded files, or a source that is no longer configured
    elif row["is_read"]:
        state = "reading"
    elif lag is None:
        state = "empty"
    else:
        state = "stale" if lag > _LATE * max(minutes, 1) * 60 else "ok"
    now = iso(datetime.now(UTC).replace(tzinfo=None))
    return {**row, "state": state, "is_due": row["next_poll"] is not None and row["next_poll"] <= now}


def _discovery(store: Store, url: PageUrl, recent: list[RequestRow]) -> Discovery | None:
    """The discovery in the URL."""
    name = url.get("request")
    if not name:
        return None
    request = requests.status(store, ids.number(name))
    if request is None or request.kind != "discover":
        raise rendering.UnknownError(f"No list of builds {name!r}. The link may belong to another installation.")
    rows = request.payload.get("listed") or []
    started = [None if row["started_at"] is None else datetime.fromisoformat(row["started_at"][:-1]) for row in rows]
    wanted = [(row["job"], row["number"], start) for row, start in zip(rows, started, strict=True)]
    now = build_statuses(store, request.source, wanted)
    builds: list[PickedBuild] = []
    for row in rows:
        here = now[row["job"], row["number"]]
        opened = here.open if here.open not in (ledger.GONE, ledger.FAILED) else None
        builds.append(
            {
                **row,
                "open": opened,
                "held": here.is_stored,
                "picked": not here.is_stored and not opened,
                "run": None if here.run is None else ids.text(here.run),
                "build": None if here.build is None else ids.text(here.build),
            }
        )
    reading = [one for one in recent if one["kind"] == "build" and one["source"] == request.source and one["total"]]
    return {
        "request": _request(request, {}),
        "builds": builds,
        "cut": request.payload.get("cut", False),
        "picked": sum(row["picked"] for row in builds),
        "reading": [one for one in reading if one["word"] == "working"],
    }


def _requests(store: Store) -> list[RequestRow]:
    """The newest requests, with the names of the builds that they became."""
    recent = requests.recent(store, REQUESTS)
    names = ingest_status.build_names(store, tuple(build for found in recent for build in _shown_builds(found)))
    return [_request(found, names) for found in recent]


def _shown_builds(found: requests.WorkRequest) -> list[str]:
    return (found.payload.get("builds") or [])[:5]


def _request(found: requests.WorkRequest, names: Mapping[str, str]) -> RequestRow:
    progress = found.payload.get("progress")
    total, done = (progress["total"], progress["done"]) if progress else (None, 0)
    rate = done / max((found.updated_at - found.created_at).total_seconds(), 1.0)
    return {
        "id": ids.text(found.request),
        "kind": found.kind,
        "source": found.source,
        "state": {"waiting": "missing", "working": "running", "done": "ok", "failed": "failing"}[found.state],
        "word": found.state,
        "error": found.error,
        "author": found.author,
        "what": _what(found.payload),
        "found": found.payload.get("found"),
        "done": done,
        "total": total,
        "share": done / total if total else None,
        "rate": rate,
        "left_s": (total - done) / rate if total and rate else None,
        "builds": [(build, names.get(build, "build")) for build in _shown_builds(found)],
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
    }


def _what(payload: RequestPayload) -> str:
    """What a request is about, in short."""
    if url := payload.get("url"):
        return url
    if bounds := [str(bound) for bound in (payload.get("from"), payload.get("to")) if bound is not None]:
        return " to ".join(bounds)
    if build := [name for name in (payload.get("release"), payload.get("module")) if name is not None]:
        return " ".join(build) + (f" #{payload['number']}" if "number" in payload else "")
    return f"{len(payload['urls'])} selected" if "urls" in payload else ""


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    if url.get("request"):
        return api_call(("ingest", "requests", url.get("request")), parameters.SnapshotQuery, url)
    return api_call(("ingest", "ledger"), parameters.LedgerQuery, url)
