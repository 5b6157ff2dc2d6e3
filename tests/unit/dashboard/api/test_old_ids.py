"""An id that has changed still leads to its run, build or test: on screens, in the API, by MCP and in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.store_builder import World

from dashboard.api_client import Api
from dashboard.mcp.runs import RunTools
from dashboard.mcp.tests import TestTools
from data.model import ids
from regtracker import connect

OLD = {kind: ids.of("an earlier rule", kind) for kind in ("run", "first", "build", "test")}
TEST = ids.of("tests/routing/routing_test.py", "TestIt", "a")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.at(tmp_path)
    world.history({"a": "PF", "b": "PP"})
    build = world.store.value("SELECT max(build) FROM builds")
    rows = [
        *(("run", OLD["run"], world.runs[1].id), ("run", OLD["first"], OLD["run"] + 1)),
        *(("run", OLD["run"] + 1, world.runs[0].id), ("build", OLD["build"], build), ("test", OLD["test"], TEST)),
        ("test", TEST, TEST + 1),  # the id of a test that is still stored: its results of some builds could not move
    ]
    world.store.transact(
        "rebuild", "aliases", lambda cursor: cursor.executemany("INSERT INTO id_aliases VALUES (?, ?, ?)", rows)
    )
    yield world
    world.store.close()


@pytest.fixture
def server(world: World, tmp_path: Path, serve: Callable[..., Flask]) -> Flask:
    return serve(tmp_path)


def test_pages_with_an_old_id_moved_for_good(server: Flask, world: World) -> None:
    client = server.test_client()
    run, first, old = ids.text(world.runs[1].id), ids.text(world.runs[0].id), {k: ids.text(v) for k, v in OLD.items()}
    build = ids.text(world.store.value("SELECT max(build) FROM builds"))
    for address, wanted in (
        (f"/runs/{old['run']}", f"/runs/{run}"),
        (f"/runs/{old['first']}?environment=prod", f"/runs/{first}?environment=prod"),
        (f"/builds/{old['build']}", f"/builds/{build}"),
        (f"/tests/{old['test']}?release=7.0&at_run={old['run']}", f"/tests/{ids.text(TEST)}?release=7.0&at_run={run}"),
        (f"/compare?base={old['first']}&candidate={old['run']}", f"/compare?base={first}&candidate={run}"),
    ):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Location"]) == (301, wanted)
        assert client.get(wanted).status_code == 200
    outside = client.get("/", environ_overrides={"PATH_INFO": f"//example.com/{old['run']}"})
    assert outside.headers["Location"] == f"/example.com/{run}", "never to another site"
    for address in (f"/runs/{run}", f"/tests/{ids.text(TEST)}", f"/runs/{ids.text(OLD['run'] + 9)}"):
        assert client.get(address).status_code == 200, "no alias: the page itself answers"


def test_the_api_follows_old_ids(server: Flask, world: World) -> None:
    client = server.test_client()
    run, first = (ids.text(run.id) for run in reversed(world.runs))
    old = {name: ids.text(number) for name, number in OLD.items()}

    def get(path: str) -> Any:
        answer = client.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    for before, after in (
        (f"/runs/{old['run']}", f"/runs/{run}"),
        (f"/runs/{old['run']}/changes", f"/runs/{run}/changes"),
        (f"/runs/{old['run']}/modules?base={old['first']}", f"/runs/{run}/modules?base={first}"),
        (f"/compare?base={old['first']}&candidate={old['run']}", f"/compare?base={first}&candidate={run}"),
        (f"/tests/{old['test']}", f"/tests/{ids.text(TEST)}"),
        (f"/tests/{old['test']}/history", f"/tests/{ids.text(TEST)}/history"),
        (f"/verdicts?release=7.0&at_run={old['first']}", f"/verdicts?release=7.0&at_run={first}"),
        (f"/builds?run={old['run']}", f"/builds?run={run}"),
        (
            f"/gate?release=7.0&run={old['run']}&baseline={old['first']}",
            f"/gate?release=7.0&run={run}&baseline={first}",
        ),
    ):
        assert get(before) == get(after)
    assert client.get(f"/api/v1/runs/{ids.text(OLD['run'] + 9)}").status_code == 404
    past = world.store.snapshot().id
    assert client.get(f"/api/v1/runs/{old['run']}?as_of={past}").status_code == 404, "the snapshot has no such run"


def test_the_tools_for_language_models_follow_old_ids(server: Flask, world: World) -> None:
    runs_of, tests_of = RunTools(Api(server)), TestTools(Api(server))
    assert runs_of.get_run(ids.text(OLD["run"]))["run"]["id"] == ids.text(world.runs[1].id)
    assert tests_of.get_test(ids.text(OLD["test"]))["test"]["test"] == ids.text(TEST)
    compared = runs_of.compare(ids.text(OLD["first"]), ids.text(OLD["run"]))
    assert compared["base"]["id"] == ids.text(world.runs[0].id)


def test_python_follows_old_ids(world: World, tmp_path: Path) -> None:
    with connect(tmp_path) as tracker:
        assert len(tracker.results(ids.text(OLD["run"]))) == 2
        assert len(tracker.history(ids.text(OLD["test"]))) == 2
