"""What a command imports before it works: help pages and questions to a server wait for no package of the server."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from support.fake_server import WebServer
from support.ingest_fixtures import web
from support.paths import ROOT

import regtracker

__all__ = ["web"]
VERBS = regtracker.main.list_commands(click.Context(regtracker.main))
# What takes a tenth of a second to import, or more.
STORE = {"duckdb", "numpy", "pandas", "pyarrow", "scipy"}
SERVER = {"apscheduler", "dash", "flask", "jinja2", "lxml", "plotly", "psutil", "werkzeug"}
CHECKS = {"pydantic", "pydantic_settings"}
# Runs command lines one after the other, and prints which packages the process has after each.
SCRIPT = """
import contextlib, io, json, sys
import regtracker
loaded = []
for line in json.loads(sys.argv[1]):
    printed = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        regtracker.main(line, prog_name="regtracker")
    packages = sorted({name.partition(".")[0] for name in sys.modules})
    loaded.append({"line": line, "packages": packages, "printed": printed.buffer.getvalue().decode()})
print(json.dumps(loaded))
"""
GATE = {
    "state": "passed",
    "reason": "0 new failures.",
    "pending": False,
    "run": None,
    "baseline": None,
    "tests": [],
    "new": 0,
}
GATE |= {"left_out": {"failures": 1, "noisy": 0, "storms": [], "hosts": []}}
LISTS = {"paths": {"/api/v1/runs": {"get": {"responses": {"200": {"content": {"text/csv": {}}}}}}}}


def run(*lines: list[str]) -> list[dict]:
    """Per command line: {"line", "packages", "printed"}, from a process that runs all of them."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(lines)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_help_imports_only_the_command_itself() -> None:
    for shown in run(["--help"], *([verb, "--help"] for verb in VERBS)):
        assert "Usage: regtracker" in shown["printed"]
        heavy = (STORE | SERVER | CHECKS | {"requests"}) & set(shown["packages"])
        assert not heavy, f"{' '.join(shown['line'])} imports {', '.join(sorted(heavy))}"


def test_a_question_to_a_server_imports_nothing_of_one(web: WebServer) -> None:
    web.routes |= {"/api/v1/gate": GATE, "/api/v1/openapi.json": LISTS, "/api/v1/runs": b"id\r\n"}
    url = ["--url", web.url]
    gate, export, sql = run(["gate", "--release", "7.0", *url], ["export", "runs", *url], ["sql", "SELECT 1", *url])
    assert gate["printed"] == "Passed: 0 new failures.\nNot counted: 1 failure in mass failures or on bad hosts.\n"
    assert {request.path for request in web.received} >= {"/api/v1/gate", "/api/v1/runs"}
    for answer in (gate, export, sql):
        heavy = (STORE | SERVER | CHECKS) & set(answer["packages"])
        assert not heavy, f"{' '.join(answer['line'])} imports {', '.join(sorted(heavy))}"


def test_the_mcp_server_of_another_server_imports_no_store(web: WebServer) -> None:
    pytest.importorskip("mcp")
    (served,) = run(["mcp", "--url", web.url])
    heavy = (STORE | SERVER) & set(served["packages"])
    assert not heavy, f"mcp --url imports {', '.join(sorted(heavy))}"
