"""What leaves the server besides the screens: headers and static files."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from plotly.offline import get_plotlyjs_version

from dashboard import static_files
from dashboard.page_url import SCOPE


def test_the_policy_allows_every_inline_script_of_the_page_and_no_other(app):
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


def test_the_page_refers_to_no_other_host(app):
    page = app.server.test_client().get("/").text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert '<html lang="en">' in page
    assert not re.search(r"<script[^>]*(plotly|polyfill|dash_table)", page)  # a chart brings Plotly, nobody the others
    assert "plotly" in app.server.test_client().get("/trends").headers["Link"]


def test_the_page_gives_the_scripts_the_scope_that_links_keep(app):
    page = app.server.test_client().get("/").text
    (text,) = re.findall(r'<script id="for-scripts" type="application/json">(.*?)</script>', page)
    given = json.loads(text)
    assert given["kept"] == list(SCOPE)
    assert set(given["selectors"]) < set(SCOPE)


def test_static_files_are_compressed_and_cached(app):
    client = app.server.test_client()
    whole = client.get("/app.css?m=1", buffered=True).data
    small = client.get("/app.css?m=1", headers={"Accept-Encoding": "br"}, buffered=True)
    assert small.headers["Content-Encoding"] == "br" and len(small.data) < len(whole) / 5
    assert "immutable" in small.headers["Cache-Control"]
    known = {"Accept-Encoding": "br", "If-None-Match": small.headers["ETag"]}
    again = client.get("/app.css?m=1", headers=known, buffered=True)
    assert again.status_code == 304
    assert b".cells-grid" in whole and b".form-select" in whole
    assert b"dash_clientside" in client.get(static_files.bundle_url("js"), buffered=True).data


def test_plotly_is_served_locally_in_the_version_of_the_python_package(app):
    answer = app.server.test_client().get("/_dash-component-suites/plotly/package_data/plotly.min.js", buffered=True)
    assert answer.status_code == 200
    assert f"v{get_plotlyjs_version()}" in answer.text[:300]
    assert static_files.BOOTSTRAP.is_file()
