"""The verbs that ask the API: what they print, which files they write, and the exit codes that scripts rely on."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace

import pyarrow.ipc
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from support.store_builder import World

import regtracker
from dashboard.api_client import Api, api_in_process
from data.model.filters import Filter
from data.queries import runs
from data.settings import EnvironmentRule, Settings, SourceSettings, load
from data.verdicts import verdicts

pytestmark = pytest.mark.slow

SEVEN = ["--release", "7.0", "--environment", "prod"]


@pytest.fixture(scope="module")
def filled_api(filled: World) -> Iterator[Api]:
    """The API in this process on the filled store, opened once for all commands that ask it."""
    with api_in_process(load(home=filled.store.settings.home)) as api:
        yield api


@pytest.fixture
def call(filled, filled_api: Api, tmp_path, monkeypatch):
    """Calls `regtracker` on the filled store."""
    home = filled.store.settings.home

    def opened(settings: Settings) -> AbstractContextManager[Api]:
        return nullcontext(filled_api) if settings.home == home else api_in_process(settings)

    monkeypatch.setattr("dashboard.api_client.api_in_process", opened)
    config = tmp_path / "regtracker.toml"
    config.touch()
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))
    monkeypatch.setenv("REGTRACKER_HOME", str(home))

    def run(*arguments: str, **kwargs) -> Result:
        return CliRunner().invoke(regtracker.main, [str(argument) for argument in arguments], **kwargs)

    return run


def test_the_gate_says_yes_no_or_that_it_cannot_say(call, filled):
    number = str(filled.runs[-4].number)
    closed = call("gate", *SEVEN, "--run", number, "--baseline", "4", "--json")
    assert closed.exit_code == 1, closed.output
    answer = json.loads(closed.stdout)
    assert answer["state"] == "closed" and answer["tests"][0]["evidence"]["rule"] == "class"
    blocked = call("gate", *SEVEN, "--run", number, "--baseline", "4")
    assert blocked.exit_code == 1 and blocked.stdout.startswith("Blocked: 2 tests broke (limit 0), compared with #4.")
    run, baseline = blocked.stdout.splitlines()[1:3]
    assert run.startswith(f"Run: 7.0 prod, qa/7.0/RUN #{number}") and baseline.startswith(
        "Baseline: 7.0 prod, qa/7.0/RUN #4"
    )
    assert "routing_test.py::TestIt::broken" in blocked.stdout and "not run -> failed in storage" in blocked.stdout
    assert call("gate", *SEVEN, "--run", number, "--max-new", "9").exit_code == 0
    running = call("gate", *SEVEN)
    assert running.exit_code == 2 and "still running" in running.stdout
    assert call("gate", *SEVEN, "--kinds", "luck").exit_code == 2
    assert call("gate", *SEVEN, "--url", "http://127.0.0.1:9").exit_code == 2


def test_the_gate_gets_the_same_from_a_server_elsewhere(call, address, filled):
    arguments = ["gate", *SEVEN, "--run", filled.runs[-4].number, "--json"]
    here, there = call(*arguments), call(*arguments, "--url", address)
    assert here.exit_code == there.exit_code and json.loads(here.stdout) == json.loads(there.stdout)
    assert call("gate", *SEVEN, "--url", "tracker.example.com").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--release", "7.O"], "no such release: '7.O'; did you mean '7.0'?"),
        ([*SEVEN, "--environment", "prdo"], "no such environment: 'prdo'; did you mean 'prod'?"),
        ([*SEVEN, "--module", "ruoting"], "no such module: 'ruoting'; did you mean 'routing'?"),
        ([*SEVEN, "--run", "newest"], "no such run: 'newest'"),
        ([*SEVEN, "--baseline", "8.O"], "no such release or run: '8.O'; did you mean '8.0'?"),
    ],
)
def test_the_gate_waits_for_no_misspelt_name(call, arguments, message):
    started = time.monotonic()
    answer = call("gate", *arguments, "--wait", "60")
    assert (answer.exit_code, answer.stderr) == (2, f"{message}\n")
    assert time.monotonic() - started < 30


def test_the_gate_waits_for_the_first_run_of_a_configured_release(own_client, world: World, monkeypatch):
    world.run({"routing": {"a": "P"}})
    source = {"name": "ci", "url": "http://ci.example.com/", "job": "RUN", "release_fixed": "9.0"}
    environment = EnvironmentRule(default="lab")
    services = own_client.application.extensions["regtracker"]
    configured = services.settings.model_copy(update={"source": [SourceSettings(**source, environment=environment)]})
    monkeypatch.setattr(services, "settings", configured)
    answer = own_client.get("/api/v1/gate?release=9.0&environment=lab").json
    assert (answer["state"], answer["pending"]) == ("unknown", True)
    assert answer["reason"] == "Release 9.0 has no runs in lab."
    assert own_client.get("/api/v1/gate?release=9.1").status_code == 404


def test_the_gate_waits_for_a_run_that_is_not_whole(call, world: World, monkeypatch):
    monkeypatch.setenv("REGTRACKER_HOME", str(world.store.settings.home))
    world.run({"routing": {"a": "P"}})
    world.run({"routing": {"a": "P"}}, state="running", number=9)

    def pause(_: float) -> None:
        world.run({"routing": {"a": "P"}}, number=9)

    monkeypatch.setattr("dashboard.cli.commands.time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    answer = call("gate", *SEVEN, "--run", "9", "--wait", "60")
    assert answer.exit_code == 0, answer.output
    assert "Run #9 is still running. Waiting ..." in answer.stderr


def test_a_list_becomes_a_file_in_each_format(call, filled, tmp_path):
    wanted = [row["id"] for row in runs.runs(filled.store, Filter(release="7.0"))]
    out = call("export", "runs", "--release", "7.0")
    assert out.exit_code == 0 and [row["id"] for row in csv.DictReader(io.StringIO(out.stdout))] == wanted
    assert call("export", "runs", "--release", "7.0", "-o", tmp_path / "runs.parquet").exit_code == 0
    assert pyarrow.parquet.read_table(tmp_path / "runs.parquet")["id"].to_pylist() == wanted
    assert call("export", "/runs", "--release", "7.0", "-o", tmp_path / "runs.arrow").exit_code == 0
    with pyarrow.ipc.open_stream(tmp_path / "runs.arrow") as reader:
        assert reader.read_all()["id"].to_pylist() == wanted
    assert sorted(path.name for path in tmp_path.glob("runs*")) == ["runs.arrow", "runs.parquet"]
    assert call("export", "builds", "--release", "7.0").stdout.startswith('"id","source","job"')


def test_an_export_takes_every_parameter_of_its_route(call, filled, address):
    broken = verdicts.verdicts(filled.store, Filter(release="7.0"), ("regression",))
    for where in ([], ["--url", address]):
        out = call("export", "verdicts", "--release", "7.0", "--where", "kind=regression", *where)
        assert [row["key"] for row in csv.DictReader(io.StringIO(out.stdout))] == [row["key"] for row in broken]
    past = call("export", "runs", "--as-of", filled.store.snapshot().id - 1, "--limit", "2")
    assert past.exit_code == 0 and len(past.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "No such list: 'nonsense'. Lists: releases,"),
        (["snapshot"], "No such list"),
        (["runs", "--where", "limt=3"], "unknown parameter 'limt'"),
        (["runs", "--where", "limt"], "write NAME=VALUE"),
        (["runs/0000000000000000/results"], "no such run"),
        (["runs", "-o", "/nowhere/at/all.csv"], "Cannot write /nowhere/at/all.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_explained(call, arguments, text):
    answer = call("export", *arguments)
    assert answer.exit_code == 2 and text in answer.stderr


def test_sql_is_answered_as_table_as_json_and_as_file(call, filled, tmp_path):
    select = "SELECT release, count(*) AS runs FROM runs GROUP BY ALL ORDER BY ALL"
    counts = [list(row.values()) for row in filled.store.rows(select)]
    table = call("sql", select).stdout.splitlines()
    assert table[0].split() == ["release", "runs"] and [line.split() for line in table[2:4]] == [
        [release, str(count)] for release, count in counts
    ]
    assert json.loads(call("sql", "--json", input=select).stdout)["rows"] == counts
    assert call("sql", select, "-o", tmp_path / "counts.parquet").exit_code == 0
    assert pyarrow.parquet.read_table(tmp_path / "counts.parquet")["runs"].to_pylist() == [row[1] for row in counts]
    assert call("sql", select, "--format", "csv").stdout.splitlines()[0] == '"release","runs"'
    cut = call("sql", "SELECT test FROM tests", "--limit", "1")
    assert "1 row in" in cut.stdout and "more rows: --limit 1 reached" in cut.stdout


def test_sql_that_may_not_run_is_refused(call):
    for select in ("DROP TABLE runs", "SELECT nope", "SELECT * FROM read_csv('/etc/passwd')"):
        answer = call("sql", select)
        assert answer.exit_code == 2 and answer.stderr.strip() and not answer.stdout, select


@pytest.mark.parametrize(
    "verb", [["sql", "SELECT 1"], ["export", "runs"], ["gate", "--release", "7.0"], ["maintain"], ["backtest"]]
)
def test_who_only_reads_makes_no_store(call, tmp_path, monkeypatch, verb):
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "mistyped"))
    answer = call(*verb)
    assert answer.exit_code == 2 and "There is no store at" in answer.stderr
    assert not (tmp_path / "mistyped").exists()


def test_a_file_of_an_unknown_kind_is_not_written(call, tmp_path):
    answer = call("export", "runs", "-o", tmp_path / "o.xlsx")
    assert answer.exit_code == 2 and ".xlsx" in answer.stderr and not list(tmp_path.glob("o.*"))
    assert call("export", "runs", "--format", "csv", "-o", tmp_path / "o.txt").exit_code == 0
