"""Prometheus: this process's requests, and the store's state as this process sees it.

Several web processes answer under one address, and a scrape reaches any one of them: series of a process carry its id
as `process`, so that they are never mixed up; those of the store say the same whoever answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import duckdb
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, exposition
from prometheus_client.core import GaugeMetricFamily, Metric

from dashboard.api.health import age_s, is_late
from dashboard.app_state import Services
from data.lake.connection import StoreError
from data.lake.store import Store
from data.queries import ingest_status

_BUCKETS = (0.002, 0.01, 0.05, 0.2, 1, 5)


def install(server: Flask) -> Callable[[str, str, int, float], None]:
    """Measure every request; returns how to note one that Flask does not see: (route, method, status, seconds)."""
    disable_created_metrics()  # a third series for each histogram, that nobody asks
    registry = CollectorRegistry()
    registry.register(_StoreCollector(server.extensions["regtracker"]))
    seconds = Histogram(
        "regtracker_request_seconds",
        "Time to answer a request, by route.",
        ["process", "route", "method", "status"],
        buckets=_BUCKETS,
        registry=registry,
    )

    def note(route: str, method: str, status: int, took: float) -> None:
        seconds.labels(os.getpid(), route, method, status).observe(took)

    @server.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @server.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        began = g.get("began")
        if began is not None:
            note(route, request.method, response.status_code, time.perf_counter() - began)
        return response

    def metrics() -> Response:
        return Response(exposition.generate_latest(registry), content_type=exposition.CONTENT_TYPE_LATEST)

    server.add_url_rule("/metrics", "metrics", metrics)
    return note


class _StoreCollector:
    """Read at the scrape; where the store cannot be read, only `regtracker_store_up 0` is said."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(_store_metrics(self._services.store))
        except (StoreError, duckdb.Error):
            found = []
        yield GaugeMetricFamily("regtracker_store_up", "Whether the store can be read.", 1.0 if found else 0.0)
        yield from found


def _store_metrics(store: Store) -> Iterator[Metric]:
    newest = store.snapshot()
    yield GaugeMetricFamily("regtracker_snapshot_id", "The newest commit.", newest.id)
    yield GaugeMetricFamily("regtracker_snapshot_age_seconds", "Since the newest commit.", age_s(newest.committed_at))
    size = GaugeMetricFamily("regtracker_store_bytes", "Size of a table's data files.", labels=["table"])
    files = GaugeMetricFamily("regtracker_store_files", "Number of a table's data files.", labels=["table"])
    for row in ingest_status.sizes(store):
        size.add_metric([row["table"]], row["bytes"])
        files.add_metric([row["table"]], row["files"])
    yield from (size, files)
    text = "Size of the catalogue, in which also stand the rows that no data file holds yet."
    held = ingest_status.catalog_bytes(store)
    if held is not None:
        yield GaugeMetricFamily("regtracker_catalog_bytes", text, held)
    sources = ingest_status.status(store)
    for name, text, value in (
        ("lag_seconds", "Since the last poll began.", lambda row: row["lag_s"]),
        ("late", "Whether the last poll is older than twice the interval.", is_late),
        ("poll_failed", "Whether the last poll ended with an error.", lambda row: bool(row["last_error"])),
        ("failed_builds_24h", "Builds that could not be read, in the polls of a day.", lambda row: row["failed_24h"]),
        ("open_builds", "Discovered builds that are not done.", lambda row: row["open"]),
        ("retrying_builds", "Of these, those whose last try failed.", lambda row: row["retrying"]),
        ("builds", "Builds held.", lambda row: row["builds"]),
        ("results", "Results held.", lambda row: row["results"]),
    ):
        family = GaugeMetricFamily(f"regtracker_ingest_{name}", text, labels=["source"])
        for row in sources:
            if value(row) is not None:
                family.add_metric([row["source"]], float(value(row)))
        yield family
