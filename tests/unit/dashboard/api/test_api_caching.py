"""A repeat costs nothing and is never stale, whichever process commits; and any moment of the past can be asked for."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import requests

ROUTES = [
    "/runs",
    "/trends",
    "/verdicts",
    "/grid?release=7.0",
    "/builds",
    "/snapshot",
    "/releases",
    "/bugs",
    "/badges/7.0.svg",
]


@pytest.mark.parametrize("path", ROUTES)
def test_an_unchanged_answer_is_304_without_a_body(client, path):
    snapshot = client.get("/api/v1/snapshot").json["snapshot"]
    first = client.get(f"/api/v1{path}")
    assert first.headers["ETag"].startswith(f'W/"{snapshot}-')
    assert first.headers["Cache-Control"] == "no-cache"
    assert {"Accept", "Accept-Encoding"} <= {name.strip() for name in first.headers["Vary"].split(",")}
    second = client.get(f"/api/v1{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.data) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]


def test_a_tag_is_the_same_in_every_process(filled, serve, client):
    tags = {path: client.get(f"/api/v1{path}").headers["ETag"] for path in ROUTES if "badges" not in path}
    fresh = serve(filled.store.settings.home).test_client()
    for path, tag in tags.items():
        assert fresh.get(f"/api/v1{path}", headers={"If-None-Match": tag}).status_code == 304, path


def test_a_tag_is_matched_only_by_the_answer_that_it_came_with(client):
    tag = client.get("/api/v1/runs").headers["ETag"]
    for other in ("/runs?limit=2", "/builds", "/runs?format=csv", "/runs/0000000000000000"):
        assert client.get(f"/api/v1{other}", headers={"If-None-Match": tag}).status_code != 304, other
    assert client.get("/api/v1/runs", headers={"If-None-Match": "*"}).status_code == 304
    assert client.get("/api/v1/runs?limit=", headers={"If-None-Match": tag}).status_code == 400


def test_the_order_of_parameters_does_not_matter(client):
    one, other = (client.get(f"/api/v1/runs?{query}") for query in ("release=7.0&limit=2", "limit=2&release=7.0"))
    assert one.headers["ETag"] == other.headers["ETag"] and one.json == other.json


def test_settings_that_change_answers_change_the_tag(filled, serve, client):
    other = serve(filled.store.settings.home, measures={"skipped_in_pass_rate": False}).test_client()
    path = "/api/v1/runs?release=7.0&environment=prod"
    assert client.get(path).headers["ETag"] != other.get(path).headers["ETag"]
    one, two = ([run["pass_rate"] for run in one.get(path).json["items"]] for one in (client, other))
    assert all(a <= b for a, b in zip(one, two, strict=True)) and one != two


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "identity"])
def test_every_content_coding_holds_the_same(client, address, coding):
    plain = client.get("/api/v1/verdicts")
    answer = requests.get(f"{address}/api/v1/verdicts", headers={"Accept-Encoding": coding}, stream=True, timeout=30)
    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert answer.headers["ETag"] == plain.headers["ETag"]
    if coding in ("gzip", "identity"):
        assert answer.json() == plain.json
    else:
        assert len(answer.raw.read(decode_content=False)) < len(plain.data)


def test_a_commit_is_seen_at_once(world, own_client):
    world.run({"routing": {"a": "P"}})
    first = own_client.get("/api/v1/runs")
    assert len(first.json["items"]) == 1
    world.run({"routing": {"a": "F"}})
    second = own_client.get("/api/v1/runs", headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 200 and len(second.json["items"]) == 2
    assert second.json["snapshot"] > first.json["snapshot"]


WRITER = """
    import sys
    from pathlib import Path
    sys.path[:0] = ["{root}", "{root}/tests"]
    from support.store_builder import World
    world = World.at(Path({home!r}), memory_tables=False)
    for number in range(1, 8):
        world.run({{"routing": {{"a": "P"}}}}, number=number)
        print(world.store.snapshot().id, number, flush=True)
"""


@pytest.mark.process
def test_no_answer_is_stale_while_another_process_commits(world, serve, pytestconfig):
    """Whatever the writer has said to be committed when a request begins must be in the answer."""
    client = serve(world.store.settings.home).test_client()
    home = str(world.store.settings.home)
    code = textwrap.dedent(WRITER).format(root=pytestconfig.rootpath, home=home)
    tags: dict[str, str] = {}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        for line in writer.stdout:
            snapshot, number = map(int, line.split())
            for path in ("/api/v1/runs?limit=1000", "/api/v1/trends", "/api/v1/releases"):
                answer = client.get(path, headers={"If-None-Match": tags.get(path, "")})
                tags[path] = answer.headers["ETag"]
                assert int(tags[path].removeprefix('W/"').partition("-")[0]) >= snapshot
            runs = client.get("/api/v1/runs?limit=1000").json
            assert runs["snapshot"] >= snapshot and len(runs["items"]) >= number
    assert writer.returncode == 0 and number == 7


def test_the_past_can_be_asked_by_snapshot_and_by_time(world, own_client):
    world.run({"routing": {"a": "P"}})
    then = own_client.get("/api/v1/snapshot").json
    before = {path: own_client.get(f"/api/v1{path}").json for path in ("/runs", "/builds", "/trends", "/verdicts")}
    world.run({"routing": {"a": "F"}})
    for moment in (then["snapshot"], then["committed_at"]):
        assert own_client.get(f"/api/v1/snapshot?as_of={moment}").json == then
        for path, answer in before.items():
            past = own_client.get(f"/api/v1{path}?as_of={moment}")
            assert past.json == answer, path
            again = own_client.get(f"/api/v1{path}?as_of={moment}", headers={"If-None-Match": past.headers["ETag"]})
            assert again.status_code == 304
    assert len(own_client.get("/api/v1/runs").json["items"]) == 2
    assert own_client.get("/api/v1/snapshot?as_of=2999-01-01").json == own_client.get("/api/v1/snapshot").json


def test_finished_bodies_are_dropped_when_they_take_too_much(filled, serve):
    small = serve(filled.store.settings.home, web={"cache_mb": 1})
    client = small.test_client()
    for limit in range(1, 200):
        assert client.get(f"/api/v1/builds?limit={limit}").status_code == 200
    kept = small.extensions["regtracker_response_cache"].entries
    assert 0 < kept.currsize <= kept.maxsize == 2**18
