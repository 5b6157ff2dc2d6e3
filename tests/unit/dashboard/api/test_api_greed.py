"""What one client may take from all others: queries that pile up, files that nobody reads, files of any length."""

from __future__ import annotations

import csv
import io
import socket
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from support.store_builder import World, cases

from dashboard.api import client_connection, export
from data.model import ids
from data.sql_console.sandbox import WAITING, Sandbox

pytestmark = pytest.mark.slow

HEAVY = "SELECT count(*) FROM range(3000000) a, range(3000000) b"


@pytest.fixture
def quick_limit(server, monkeypatch):
    """Ends a query after two seconds: what is refused must not wait for as long."""
    mine = Sandbox(server.extensions["regtracker"].settings, seconds=2.0)
    monkeypatch.setitem(server.extensions, "regtracker_sandbox", mine)
    yield
    mine.close()


def test_queries_that_pile_up_are_refused_at_once(server, quick_limit):
    def ask(_):
        return server.test_client().post("/api/v1/sql", json={"sql": HEAVY})

    with ThreadPoolExecutor(8) as clients:
        answers = [done.result() for done in as_completed(clients.submit(ask, n) for n in range(8))]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [429] * (7 - WAITING) + [408] * (1 + WAITING), "refused before any of them has ended"
    assert answers[0].headers["Retry-After"] and "try again" in answers[0].json["detail"]
    assert server.test_client().post("/api/v1/sql", json={"sql": "SELECT 1"}).status_code == 200


def test_who_waits_in_vain_and_hangs_up_leaves_the_queue(server, quick_limit):
    sandbox = server.extensions["regtracker_sandbox"]
    with ThreadPoolExecutor(2) as clients:
        runs = clients.submit(sandbox.query, HEAVY)
        waits = clients.submit(sandbox.query, "SELECT 1", gone=lambda: True)
        ended = [type(done.exception()).__name__ for done in as_completed([runs, waits])]
    assert ended == ["CancelledError", "TooSlowError"]


def test_a_reader_that_takes_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client_connection.set_send_timeout({"gunicorn.socket": ours}, 1)
        with pytest.raises(BlockingIOError):
            while True:
                ours.sendall(bytes(1 << 20))


def test_a_file_of_a_large_build_is_what_its_pages_are(tmp_path, serve):
    world = World.at(tmp_path)
    letters = {f"t{n}": "FP" if n % 7 == 0 else "F" if n % 5 == 0 else "P" for n in range(export.BATCH_ROWS + 500)}
    run = ids.text(world.run({"m": cases("m", letters)}).id)
    client = serve(world.store.settings.home).test_client()
    build = client.get("/api/v1/builds").json["items"][0]["id"]
    kept = ("test", "status", "topology", "message", "attempt")
    for path in (
        f"/builds/{build}/results?attempts=1",
        f"/builds/{build}/results?status=failed",
        f"/runs/{run}/results?q=t1",
        f"/runs/{run}/results?rerun=1",
    ):
        paged, following = [], ""
        while following is not None:
            page = client.get(f"/api/v1{path}&limit=1000{following and '&cursor=' + following}").json
            paged, following = paged + page["items"], page["next"]
        whole = list(csv.DictReader(io.StringIO(client.get(f"/api/v1{path}&format=csv").text)))
        assert len(whole) > 500
        cut = client.get(f"/api/v1{path}&format=csv&limit=501").text
        assert list(csv.DictReader(io.StringIO(cut))) == whole[:501]
        assert [[row[name] for name in kept] for row in whole] == [
            ["" if row[name] is None else str(row[name]) for name in kept] for row in paged
        ]
