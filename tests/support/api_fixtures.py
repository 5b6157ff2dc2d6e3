"""The API as clients meet it: the whole application, on stores whose content is known."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, is_typeddict

import pyarrow as pa
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.app import create_app
from data import answers
from data.model.bug_record import BugRecord
from data.settings import SourceSettings, load
from data.tasks import ledger
from data.tasks.poll_log import PollRecord, log_poll
from data.write.bugs import apply_bug_feed
from support.live_server import served
from support.store_builder import World, cases

HOSTILE = '=HYPERLINK("http://evil.example")'


def answer_types() -> dict[str, type]:
    """The type of every answer and of its parts, by name."""
    modules = [import_module(f"{answers.__name__}.{module.name}") for module in pkgutil.iter_modules(answers.__path__)]
    return {
        name: answer
        for module in modules
        for name, answer in vars(module).items()
        if is_typeddict(answer) and not name.startswith("_")
    }


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Flask]]:
    """Makes a server over a store's folder, as every web process makes one."""
    servers: list[Flask] = []

    def application(home: Path, **settings) -> Flask:
        sources = [SourceSettings(name="ci", url="https://jenkins.example.com/", job="qa/7.0/RUN")]
        servers.append(create_app(load(home=home, source=sources, **settings)).server)
        return servers[-1]

    yield application
    for server in servers:
        server.extensions["regtracker_sandbox"].close()


def fill(world: World) -> None:
    """Two releases, environments, topologies, reruns, every verdict, a storm of names, a running run, open work."""
    world.history({"steady": "PPPPPP", "broken": "PPPPFF", "skipped": "SSSSSS"}, module="routing")
    world.history({"flaky": "PFPPFP", "rescued": "PKPPPK", "dead": "EEEEEE", HOSTILE: "PPPPPP"}, module="storage")
    world.history({"steady": "PPPP", "broken": "PPPP", "only_on_staging": "FFFF"}, environment="staging")
    both = [
        cases("routing", {"steady": "P", "broken": "F"}, topology=topology, host=host)
        for topology, host in (("3s", "h1"), ("5s", "h2"))
    ]
    world.run({"routing": pa.concat_tables(both), "storage": {"rescued": "FP", "dead": "E"}})
    world.run({"routing": {"steady": "P", "broken": "P", "new_here": "P"}, "nvs": None}, release="8.0")
    world.run({"routing": {"steady": "F", "größe <b>": "P"}}, release="8.0")
    world.run({"routing": {"steady": "P"}, "storage": None}, state="running")

    def more(cursor) -> None:
        cursor.execute(
            "INSERT INTO test_metadata BY NAME SELECT 'broken' AS base_name, 'P0' AS priority, 'TC-1' AS case_id"
        )
        now = datetime(2026, 11, 20, 8)
        entry = ledger.LedgerEntry("ci", "qa/7.0/NVS", 3, ledger.BUILD, ledger.RETRY, 2, "503 from Jenkins", now)
        ledger.add_entries(cursor, [entry], now)
        log_poll(cursor, PollRecord("ci", now, 1.5, found=3, ingested=2, failed=1, requests=9))

    world.store.transact("test", "metadata and open work", more)
    tracker = "https://tracker.example.com/browse/"
    known = BugRecord(
        "NET-1", "NET", tracker + "NET-1", True, "Open", HOSTILE, "High", labels=("<b>",), cases=("tc-1", "C9")
    )
    apply_bug_feed(
        world.store,
        [known, BugRecord("LAB-7", "LAB", tracker + "LAB-7", False, "Closed")],
        (),
        datetime(2026, 11, 20, 8),
    )


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> World:
    """A store that no test changes."""
    world = World.at(tmp_path_factory.mktemp("filled"))
    fill(world)
    return world


@pytest.fixture(scope="session")
def server(filled: World, serve) -> Flask:
    return serve(filled.store.settings.home)


@pytest.fixture
def client(server) -> FlaskClient:
    return server.test_client()


@pytest.fixture(scope="session")
def ask(server) -> Callable[..., TestResponse]:
    """Asks the filled store in SQL: ask("SELECT 1", limit=5)."""
    return lambda sql, **body: server.test_client().post("/api/v1/sql", json={"sql": sql, **body})


@pytest.fixture(scope="session")
def names(server) -> dict[str, str]:
    """Ids that are in the filled store, by the words that stand for them in the tests' routes."""
    client = server.test_client()

    def get(path: str) -> Any:
        return client.get(f"/api/v1{path}").json

    runs = get("/runs?release=7.0&environment=prod")["items"]
    test = get("/tests?q=broken")["items"][0]["test"]
    history = get(f"/tests/{test}/history?release=7.0&environment=prod")["items"]
    failed = next(row for row in history if row["status"] == "failed")
    return {
        "run": failed["run"],
        "first": runs[-1]["id"],
        "test": test,
        "build": failed["build"],
        "signature": failed["signature"],
        "bug": get("/bugs")["items"][0]["bug"],
    }


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A store of the test's own."""
    return World.at(tmp_path / "home")


@pytest.fixture
def own_client(world: World, serve) -> FlaskClient:
    """A client of another process, as far as the store can tell, than the one that writes to `world`."""
    return serve(world.store.settings.home).test_client()


@pytest.fixture
def address(server) -> Iterator[str]:
    with served(server) as address:
        yield address
