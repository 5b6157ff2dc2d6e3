"""The MCP server as a client meets it, over pipes and over HTTP: every tool answers what the query functions answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from support.live_server import served
from support.paths import ROOT
from support.processes import free_port, wait_until_listening
from support.store_builder import World

from data.model.filters import Filter
from data.queries import (
    bugs,
    builds,
    compare,
    failures,
    gate,
    grid,
    ingest_status,
    releases,
    results,
    runs,
    search,
    tests,
    trends,
)
from data.verdicts import durations, failure_rates, flaky_ranking, suspects, verdicts

SEVEN = Filter(release="7.0", environment="prod")
COUNT = "SELECT count(*) FROM tests"
BROKEN = ("regression", "new_failure", "always_failing")


def plain(rows: list[dict[str, Any]], *without: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("evidence", *without)} for row in rows]


def calls(world: World) -> dict[str, tuple[dict[str, Any], Any]]:
    """Tool: its arguments, and what the query functions return, in the shape of the tool's answer (or its `items`)."""
    store = world.store
    (run,) = [row["id"] for row in runs.runs(store, SEVEN) if row["number"] == world.runs[-4].number]
    number = world.runs[-4].number
    previous = runs.run(store, run)["previous"]
    (test,) = [row for row in tests.find(store, "broken", Filter()) if row["name"] == "broken"]
    build = next(row for row in tests.history(store, test["test"], SEVEN) if row["status"] == "failed")
    pattern = failures.failures(store, SEVEN)[0]["signature"]
    seven = {"release": "7.0", "environment": "prod"}
    changes = compare.compare(store, previous, run)
    compared = compare.releases(store, "7.0", "8.0")
    left_out = verdicts.exclusions(store, SEVEN)
    return {
        "list_releases": ({}, plain(releases.tiles(store, Filter()), "spark", "freshness_s")),
        "list_filters": ({"release": "8.0"}, releases.choices(store, Filter(release="8.0"))),
        "list_runs": (seven | {"limit": 3}, runs.runs(store, SEVEN, limit=3)),
        "get_run": (
            {"run": f"7.0#{number}"},
            {
                "run": runs.run(store, run),
                "modules": runs.modules(store, run),
                "priorities": runs.priorities(store, run),
            },
        ),
        "get_run_results": ({"run": run}, results.run_results(store, run, Filter(), status="failed")),
        "get_run_changes": ({"run": run}, {"counts": changes["counts"]}),
        "compare": ({"base": "7.0", "candidate": "8.0"}, {"counts": compared["counts"]}),
        "check_gate": (seven | {"run": str(number)}, gate.gate(store, SEVEN, str(number))),
        "get_trend": (seven, trends.trend(store, replace(SEVEN, runs=20))),
        "list_builds": ({"run": run}, builds.builds(store, Filter(), run=run)),
        "get_build": ({"build": build["build"]}, {"facets": builds.facets(store, build["build"])}),
        "get_disturbances": (seven, {"failures": left_out["failures"], "storms": plain(left_out["storms"])}),
        "get_ingest_status": ({}, {"open_work": ingest_status.ledger(store)}),
        "query_sql": (
            {"sql": "SELECT count(*) AS n FROM tests"},
            {"rows": [[store.value("SELECT count(*) FROM tests")]]},
        ),
        "get_verdicts": (seven, plain(verdicts.verdicts(store, SEVEN, BROKEN))),
        "get_flaky_tests": (seven, plain(flaky_ranking.flaky(store, SEVEN))),
        "get_rising_failure_rates": (seven, plain(failure_rates.regressions(store, SEVEN)["tests"])),
        "get_slower_tests": (seven, plain(durations.changed_tests(store, SEVEN))),
        "find_tests": ({"text": "broken"}, tests.find(store, "broken", Filter())),
        "search": ({"text": "broken"}, search.search(store, "broken", Filter())),
        "get_test": ({"test": test["key"]}, {"test": tests.test(store, test["test"])}),
        "get_test_history": ({"test": "broken"} | seven, tests.history(store, test["test"], SEVEN, limit=50)),
        "get_failure_text": (
            {"build": build["build"], "test": test["test"]},
            tests.attempts(store, build["build"], test["test"]),
        ),
        "get_suspects": ({"test": test["test"]} | seven, plain(suspects.suspects(store, test["test"], SEVEN))),
        "get_failure_patterns": (seven, plain(failures.failures(store, SEVEN, limit=30))),
        "get_failure_pattern": ({"signature": pattern}, {"signature": pattern}),
        "get_bug_breakdown": ({"run": run}, bugs.by_module(store, run)),
        "get_bug_details": ({"release": "7.0", "text": "net"}, bugs.bugs(store, Filter(release="7.0"), q="net")),
        "get_affected_tests": ({"bug": "NET-1"}, bugs.bug(store, "NET-1")),
        "get_grid": (seven | {"runs": 5}, {"cells": grid.grid(store, replace(SEVEN, runs=5))["cells"]}),
    }


async def ask_all(
    server: StdioServerParameters | str, wanted: dict[str, dict[str, Any]], as_of: int | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The tools; the answers by tool, refusals, and, with `as_of`, the answers of that moment."""
    async with Client(server, read_timeout_seconds=60) as client:
        tools = (await client.list_tools()).tools
        answers = {name: await answered(client, name, arguments) for name, arguments in wanted.items()}
        of_moment = {}
        if as_of is not None:
            for name, arguments in wanted.items():
                of_moment[name] = await answered(client, name, arguments | {"as_of": as_of})
        refused = [
            await client.call_tool("get_run", {"run": "7.0#999"}),
            await client.call_tool("list_runs", {"limit": 10**6}),
            await client.call_tool("get_test", {"test": "e"}),
            await client.call_tool("query_sql", {"sql": "DROP TABLE tests"}),
            await client.call_tool("get_run", {"run": "7.0", "foo": 1}),
        ]
    refusals = [(answer.is_error, answer.content[0].text) for answer in refused]
    return tools, answers | {"refused": refusals} | ({"of_moment": of_moment} if of_moment else {})


async def answered(client: Client, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    answer = await client.call_tool(name, arguments)
    assert not answer.is_error, (name, answer.content)
    return answer.structured_content


@pytest.fixture(scope="module")
def expected(filled) -> dict[str, tuple[dict[str, Any], Any]]:
    return calls(filled)


@pytest.fixture(scope="module")
def environment(filled, tmp_path_factory) -> dict[str, str]:
    config = tmp_path_factory.mktemp("mcp") / "regtracker.toml"
    config.touch()
    home = str(filled.store.settings.home)
    return {"REGTRACKER_HOME": home, "REGTRACKER_CONFIG": str(config), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def over_pipes(filled, expected, environment):
    """Tools and answers over stdio, from the store itself."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "regtracker", "mcp"], env=environment)
    wanted = {name: arguments for name, (arguments, _) in expected.items()}
    return asyncio.run(ask_all(server, wanted, filled.store.snapshot().id))


@pytest.fixture(scope="module")
def over_http(expected, environment, server):
    """The same over streamable HTTP, through a web server elsewhere."""
    port = free_port()
    with served(server) as address:
        command = [sys.executable, "-m", "regtracker", "mcp", "--http", "--port", str(port), "--url", address]
        process = subprocess.Popen(command, env=os.environ | environment)
        try:
            wait_until_listening(port, process)
            wanted = {name: arguments for name, (arguments, _) in expected.items()}
            return asyncio.run(ask_all(f"http://127.0.0.1:{port}/mcp", wanted))
        finally:
            process.terminate()
            process.wait(timeout=60)


def test_every_tool_is_described_read_only_and_tried_here(over_pipes, expected):
    tools, _ = over_pipes
    assert {tool.name for tool in tools} == set(expected)
    for tool in tools:
        assert len(tool.description) > 40 and tool.annotations.read_only_hint, tool.name
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), (tool.name, name)


def test_every_tool_answers_what_the_query_functions_answer(over_pipes, expected):
    _, answers = over_pipes
    for name, (_, wanted) in expected.items():
        answer = answers[name]
        if isinstance(wanted, list):
            assert answer["cut"] is (name == "list_runs"), name
            assert [
                {key: row[key] for key in fact} for row, fact in zip(answer["items"], wanted, strict=True)
            ] == wanted
            continue
        for key, value in wanted.items():
            found = answer[key]
            assert (found["items"] if isinstance(found, dict) and "items" in found else found) == value, (name, key)


def test_over_http_and_through_a_server_it_is_the_same(over_pipes, over_http):
    tools, answers = over_http
    assert [tool.name for tool in tools] == [tool.name for tool in over_pipes[0]]
    assert set(answers) | {"of_moment"} == set(over_pipes[1])
    moving = ("list_releases", "get_ingest_status", "query_sql")  # ages, and seconds that a query took
    for name, answer in answers.items():
        if name not in moving:
            assert answer == over_pipes[1][name], name


def test_a_refusal_names_what_to_do(over_pipes):
    refused = over_pipes[1]["refused"]
    assert all(error for error, _ in refused)
    assert "list_runs lists them" in refused[0][1]
    assert "200" in refused[1][1]
    assert "use one of these ids" in refused[2][1]
    assert "DROP" in refused[3][1] or "SELECT" in refused[3][1]


async def ask(environment: dict[str, str], *wanted: tuple[str, dict[str, Any]]) -> list[Any]:
    """The answers over stdio; the words of a refusal."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "regtracker", "mcp"], env=environment)
    async with Client(server, read_timeout_seconds=60) as client:
        answers = [await client.call_tool(name, arguments) for name, arguments in wanted]
    return [answer.content[0].text if answer.is_error else answer.structured_content for answer in answers]


def test_every_tool_answers_of_a_moment(over_pipes, expected):
    answers = over_pipes[1]["of_moment"]
    assert set(answers) == set(expected)
    for name, answer in answers.items():
        assert isinstance(answer, dict), (name, answer)
        if name not in ("list_releases", "get_ingest_status", "query_sql"):  # ages, and seconds that a query took
            assert answer == over_pipes[1][name], name


def test_the_past_is_asked_by_number_and_by_time(world, environment):
    world.run({"routing": {"a": "P"}})
    then = world.store.snapshot()
    world.run({"routing": {"a": "F"}})
    moment = then.committed_at.isoformat()
    answers = asyncio.run(
        ask(
            environment | {"REGTRACKER_HOME": str(world.store.settings.home)},
            *(("get_run", {"run": "7.0", "as_of": as_of}) for as_of in (None, then.id, str(then.id), moment)),
            *(("query_sql", {"sql": "SELECT count(*) FROM runs", "as_of": as_of}) for as_of in (None, then.id, moment)),
            ("list_runs", {"as_of": "yesterday"}),
        )
    )
    assert [answer["run"]["number"] for answer in answers[:4]] == [2, 1, 1, 1]
    assert [answer["rows"] for answer in answers[4:7]] == [[[2]], [[1]], [[1]]]
    assert "as_of" in answers[7] or "yesterday" in answers[7]


def test_an_unknown_argument_is_refused_with_the_known_ones(over_pipes):
    assert all(tool.input_schema["additionalProperties"] is False for tool in over_pipes[0])
    is_error, refused = over_pipes[1]["refused"][4]
    assert is_error and "get_run has no argument 'foo'; it takes run, environment, as_of" in refused


def test_a_long_text_is_cut_and_says_so():
    from dashboard.mcp.api_tools import MAX_TEXT, shortened

    short = {"rows": [{"message": "x" * MAX_TEXT, "n": 3, "none": None}]}
    assert shortened(short) == short
    (cut,) = shortened(["y" * (MAX_TEXT + 9)])
    assert cut.startswith("y" * MAX_TEXT) and cut.endswith(f"[cut: {MAX_TEXT} of {MAX_TEXT + 9} characters]")
