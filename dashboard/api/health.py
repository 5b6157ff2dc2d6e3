"""Routes for monitoring: is this process alive, can it read the store, and which snapshot is newest."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

import duckdb
import orjson
from flask import Response

from dashboard.api import parameters
from dashboard.api.openapi import blueprint, item_responses, problem_responses, success_responses
from dashboard.api.responses import VERSION, cached_route, request_context
from dashboard.app_state import services, store
from data.answers.operations import Freshness, Health, Live, Ready, Snapshot, SourceHealth
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model.measures import iso
from data.queries import ingest_status
from data.tasks import poll_status

routes = blueprint("health", "Is this process alive, can it read the store, and which snapshot is newest.")
_STARTED = time.time()


@routes.get("/snapshot", summary="The newest snapshot, now or as of a time", responses=item_responses(Snapshot))
@cached_route()
def get_snapshot(query: parameters.SnapshotQuery) -> Any:
    """Poll this with If-None-Match: other answers change only when it changes."""
    found = store().at(request_context().snapshot).snapshot() if request_context().pinned else store().snapshot()
    return {"snapshot": found.id, "committed_at": f"{found.committed_at.isoformat()}Z"}


@routes.get(
    "/health/live",
    summary="Is the process alive?",
    responses=success_responses(200, Live) | problem_responses(400),
)
def get_live(query: parameters.NoQuery) -> Response:
    return _uncached({"status": "ok"})


@routes.get(
    "/health/ready",
    summary="Can the store be read?",
    responses=success_responses(200, Ready) | problem_responses(400, 503),
)
def get_ready(query: parameters.NoQuery) -> Response:
    answer: Ready = {"status": "ok", "snapshot": _probe_store(services().store)}
    return _uncached(answer)


@routes.get(
    "/health/freshness",
    summary="Does new data arrive?",
    responses=success_responses(200, Freshness) | problem_responses(400, 503),
)
def get_freshness(query: parameters.NoQuery) -> Response:
    """`freshness` of /health, for screens that ask every few seconds."""
    return _uncached(ingest_status.freshness(services().store))


@routes.get(
    "/health",
    summary="Store, ingestion and this process",
    responses=success_responses(200, Health) | problem_responses(400, 503),
)
def get_health(query: parameters.NoQuery) -> Response:
    """`status` is "degraded" if ingestion is stopped, a source's last poll failed or is older than twice its interval,
    or the bug feed cannot be read."""
    store = services().store
    _probe_store(store)
    newest = store.snapshot()
    sources: list[SourceHealth] = [
        {
            "source": row["source"],
            "last_poll": row["last_poll"],
            "last_error": row["last_error"],
            "lag_s": row["lag_s"],
            "open": row["open"],
            "retrying": row["retrying"],
            "late": ingest_status.is_late(row),
        }
        for row in ingest_status.status(store)
    ]
    feed = poll_status.feed_status(store) if store.settings.bugs.url else None
    fresh = ingest_status.freshness(store)
    degraded = (
        fresh["state"] == "stopped"
        or any(row["late"] or row["last_error"] for row in sources)
        or bool(feed and feed["last_error"])
    )
    return _uncached(
        {
            "status": "degraded" if degraded else "ok",
            "version": VERSION,
            "store": {
                "snapshot": newest.id,
                "committed_at": iso(newest.committed_at),
                "age_s": age_s(newest.committed_at),
                "oldest_at": iso(store.oldest_snapshot_time()),
                "catalog": "sqlite" if store.settings.lake.local_catalog else "postgresql",
            },
            "freshness": fresh,
            "ingest": sources,
            "ingest_seen": poll_status.last_heartbeat(store)[0],
            "bugs": feed,
            "process": {"pid": os.getpid(), "uptime_s": time.time() - _STARTED},
        }
    )


def age_s(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC).replace(tzinfo=None) - moment).total_seconds())


def _probe_store(store: Store) -> int:
    """The newest snapshot, after reading a row of the data. Raises StoreError."""
    try:
        return store.probe().id
    except duckdb.Error as error:
        raise StoreError(str(error)) from error


def _uncached(answer: Live | Freshness | Health) -> Response:
    response = Response(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
