"""Health, metrics and badges are correct, above all when something is wrong."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families


def metrics(client) -> dict[str, dict[tuple, float]]:
    """name -> {(labels): value} of all samples."""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    found: dict[str, dict[tuple, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_health_tells_of_store_and_sources(filled, client):
    health = client.get("/api/v1/health")
    assert health.headers["Cache-Control"] == "no-store"
    assert health.json["store"]["snapshot"] == filled.store.snapshot().id
    (source,) = health.json["ingest"]
    assert source["source"] == "ci" and source["retrying"] == 1 and source["late"]
    assert health.json["status"] == "degraded"
    assert client.get("/api/v1/health/ready").json["snapshot"] == filled.store.snapshot().id


def test_a_store_that_cannot_be_opened_is_alive_but_not_ready(tmp_path, serve):
    broken = tmp_path / "home"
    broken.mkdir()
    (broken / "catalog.sqlite").write_bytes(b"this is no database" * 100)
    server = serve(broken)
    client = server.test_client()
    assert client.get("/api/v1/health/live").status_code == 200
    for path in ("/health/ready", "/health", "/runs", "/releases", "/snapshot", "/badges/7.0.svg", "/ingest/status"):
        answer = client.get(f"/api/v1{path}")
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json"), path
        assert "Retry-After" in answer.headers and str(tmp_path) not in answer.text
    assert client.post("/api/v1/sql", json={"sql": "SELECT 1"}).status_code == 503
    assert metrics(client)["regtracker_store_up"] == {(): 0.0}


def test_data_files_that_are_gone_are_found_out(world, serve):
    world.run({"routing": {"a": "P", "b": "F"}})
    client = serve(world.store.settings.home).test_client()
    assert client.get("/api/v1/health/ready").status_code == 200
    for file in world.store.settings.home.glob("lake/**/results/**/*.parquet"):
        file.unlink()
    again = serve(world.store.settings.home).test_client()
    assert again.get("/api/v1/health/ready").status_code == 503
    run = again.get("/api/v1/runs").json["items"][0]["id"]
    answer = again.get(f"/api/v1/runs/{run}/results")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")


def test_metrics_count_requests_by_process_and_route(filled, serve):
    client = serve(filled.store.settings.home).test_client()
    for _ in range(3):
        client.get("/api/v1/runs")
    client.get("/api/v1/runs/0000000000000000")
    found = metrics(client)["regtracker_request_seconds_count"]
    label = {"process": str(os.getpid()), "method": "GET"}
    assert found[tuple(sorted((label | {"route": "/api/v1/runs", "status": "200"}).items()))] == 3
    assert found[tuple(sorted((label | {"route": "/api/v1/runs/<run>", "status": "404"}).items()))] == 1


def test_metrics_tell_of_store_and_ingestion(filled, client):
    found = metrics(client)
    assert found["regtracker_store_up"] == {(): 1.0}
    assert found["regtracker_snapshot_id"] == {(): filled.store.snapshot().id}
    assert found["regtracker_snapshot_age_seconds"][()] >= 0
    assert found["regtracker_store_bytes"][(("table", "results"),)] > 0
    ci = (("source", "ci"),)
    assert found["regtracker_ingest_lag_seconds"][ci] > 0
    assert found["regtracker_ingest_retrying_builds"][ci] == 1
    counted = filled.store.value("SELECT sum(total) FROM builds")
    assert found["regtracker_ingest_results"][ci] == counted


@pytest.mark.parametrize("release", ["7.0", "8.0"])
def test_a_badge_shows_the_state_and_the_rate(client, release):
    tile = client.get(f"/api/v1/releases/{release}").json
    answer = client.get(f"/api/v1/badges/{release}.svg")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    svg = ET.fromstring(answer.data)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    label = svg.attrib["aria-label"]
    several = len(tile["environments"]) > 1
    assert label.startswith(f"{release} {tile['environment']}: " if several else f"{release}: ")
    assert tile["state"] in label
    rate = float(label.partition(": ")[2].partition(" %")[0]) / 100
    assert abs(tile["pass_rate"] - rate) <= 0.00005


def test_a_badge_of_a_hostile_name_is_a_text(world, own_client):
    world.run({"routing": {"a": "P"}}, release='<script>"&')
    answer = own_client.get('/api/v1/badges/<script>"&.svg')
    assert answer.status_code == 200 and b"<script>" not in answer.data
    assert ET.fromstring(answer.data).attrib["aria-label"].startswith('<script>"&: ')
