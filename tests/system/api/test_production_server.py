"""The production server, with several worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest
from support.paths import ROOT
from support.processes import free_port, wait_until_listening
from support.store_builder import World


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a Unix; elsewhere waitress serves")
def test_the_production_server_answers_with_several_workers_and_stops_on_sigterm(tmp_path, usual_threads):
    world = World.at(tmp_path / "home")
    world.run({"routing": {"a": "P"}})
    port = free_port()
    code = (
        "import sys; from data.settings import load; from dashboard.wsgi import serve;"
        "serve(load(home=sys.argv[1]), port=int(sys.argv[2]), workers=2, threads=2)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(world.store.settings.home), str(port)],
        cwd=ROOT,
        env=os.environ,
    )
    try:
        wait_until_listening(port, server)
        with urlopen(f"http://127.0.0.1:{port}/api/v1/snapshot") as answer:
            assert b'"snapshot"' in answer.read()
        for _ in range(6):  # of either worker
            with urlopen(f"http://127.0.0.1:{port}/_dash-layout") as answer:
                assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
