"""Prometheus metrics: the requests of this process, and the state of the store.

A scrape reaches any one of several web processes. Series about a process carry its id as `process`; series about the
store are the same from every process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import duckdb
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, exposition
from prometheus_client.core import GaugeMetricFamily, Metric

from dashboard.api.health import age_s
from dashboard.api.response_cache import ObserveRequest
from dashboard.app_state import Services
from data.lake.connection import StoreError
from data.lake.store import Store
from data.queries import ingest_status

_BUCKETS = (0.002, 0.01, 0.05, 0.2, 1, 5)


def install(server: Flask) -> ObserveRequest:
    """Measure every request. Returns the function that records those that Flask does not see."""
    disable_created_metrics()  # a third, unused series per histogram
    registry = CollectorRegistry()
    registry.register(_StoreCollector(server.extensions["regtracker"]))
    seconds = Histogram(
        "regtracker_request_seconds",
        "Time to answer a request, by route.",
        ["process", "route", "method", "status"],
        buckets=_BUCKETS,
        registry=registry,
    )

    def observe(route: str, method: str, status: int, elapsed: float) -> None:
        seconds.labels(os.getpid(), route, method, status).observe(elapsed)

    @server.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @server.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        began = g.get("began")
        if began is not None:
            observe(route, request.method, response.status_code, time.perf_counter() - began)
        return response

    def metrics() -> Response:
        return Response(exposition.generate_latest(registry), content_type=exposition.CONTENT_TYPE_LATEST)

    server.add_url_rule("/metrics", "metrics", metrics)
    return observe


class _StoreCollector:
    """Reads the store at each scrape; if that fails, the only series is `regtracker_store_up 0`."""

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
    yield GaugeMetricFamily("regtracker_snapshot_age_seconds", "Age of the newest commit.", age_s(newest.committed_at))
    size = GaugeMetricFamily("regtracker_store_bytes", "Size of a table's data files.", labels=["table"])
    files = GaugeMetricFamily("regtracker_store_files", "Number of a table's data files.", labels=["table"])
    for row in ingest_status.sizes(store):
        size.add_metric([row["table"]], row["bytes"])
        files.add_metric([row["table"]], row["files"])
    yield from (size, files)
    text = "Size of the catalog, including rows that are not in a data file yet."
    catalog_bytes = ingest_status.catalog_bytes(store)
    if catalog_bytes is not None:
        yield GaugeMetricFamily("regtracker_catalog_bytes", text, catalog_bytes)
    sources = ingest_status.status(store)
    for name, text, value in (
        ("lag_seconds", "Time since the last poll began.", lambda row: row["lag_s"]),
        ("late", "Whether the last poll is older than twice the interval.", ingest_status.is_late),
        ("poll_failed", "Whether the last poll ended with an error.", lambda row: bool(row["last_error"])),
        ("failed_builds_24h", "Builds that could not be read in the last 24 hours.", lambda row: row["failed_24h"]),
        ("open_builds", "Discovered builds that are not finished.", lambda row: row["open"]),
        ("retrying_builds", "Open builds whose last attempt failed.", lambda row: row["retrying"]),
        ("builds", "Stored builds.", lambda row: row["builds"]),
        ("results", "Stored results.", lambda row: row["results"]),
    ):
        family = GaugeMetricFamily(f"regtracker_ingest_{name}", text, labels=["source"])
        for source in sources:
            number = value(source)
            if number is not None:
                family.add_metric([source["source"]], float(number))
        yield family
