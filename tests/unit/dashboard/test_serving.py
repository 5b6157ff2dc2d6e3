"""What leaves the server besides the screens: headers, static files, and the production server itself."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from plotly.offline import get_plotlyjs_version
from support.paths import ROOT

from dashboard import static_files


def test_every_inline_script_of_the_page_is_in_the_policy_and_no_other_may_run(app):
    client = app.server.test_client()
    client.get("/")
    page = client.get("/")
    policy = page.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>(.*?)</script>", page.text, re.S)
    assert len(scripts) >= 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_other_host(app):
    page = app.server.test_client().get("/").text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert '<html lang="en">' in page
    assert not re.search(r"<script[^>]*(plotly|polyfill|dash_table)", page)  # a chart brings Plotly, nobody the others
    assert "plotly" in app.server.test_client().get("/trends").headers["Link"]


def test_static_files_are_compressed_and_kept(app):
    client = app.server.test_client()
    whole = client.get("/app.css?m=1", buffered=True).data
    small = client.get("/app.css?m=1", headers={"Accept-Encoding": "br"}, buffered=True)
    assert small.headers["Content-Encoding"] == "br" and len(small.data) < len(whole) / 5
    assert "immutable" in small.headers["Cache-Control"]
    known = {"Accept-Encoding": "br", "If-None-Match": small.headers["ETag"]}
    again = client.get("/app.css?m=1", headers=known, buffered=True)
    assert again.status_code == 304
    assert b".cells-grid" in whole and b".form-select" in whole
    assert b"rt.lay" in client.get(static_files.address("js"), buffered=True).data


def test_plotly_is_served_from_here_in_the_version_that_python_draws_for(app):
    answer = app.server.test_client().get("/_dash-component-suites/plotly/package_data/plotly.min.js", buffered=True)
    assert answer.status_code == 200
    assert f"v{get_plotlyjs_version()}" in answer.text[:300]
    assert static_files.BOOTSTRAP.is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a Unix; elsewhere waitress serves")
def test_the_production_server_answers_with_several_workers_and_stops_on_sigterm(world, usual_threads):
    world.run({"routing": {"a": "P"}})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
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
        body = _wait_for(f"http://127.0.0.1:{port}/api/v1/snapshot", server)
        assert b'"snapshot"' in body
        for _ in range(6):  # whichever worker it is
            with urlopen(f"http://127.0.0.1:{port}/_dash-layout") as answer:
                assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0


def _wait_for(url: str, server: subprocess.Popen, seconds: float = 60) -> bytes:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with urlopen(url) as answer:
                return answer.read()
        except (URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer in {seconds} s")
