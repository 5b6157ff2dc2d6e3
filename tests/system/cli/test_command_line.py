"""The front door: every verb explains itself, wrong configuration is answered, the demo runs as a whole and ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import IO, Any

import cli_reference
import click
import pytest
import requests
from click.testing import CliRunner
from support.fake_server import eventually
from support.processes import free_port, is_listening
from support.store_builder import World, empty_store

import regtracker
from regtracker.bench.report import MARKS, PREDECESSOR
from regtracker.processes import Children

VERBS = regtracker.main.list_commands(click.Context(regtracker.main))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb):
    answer = CliRunner().invoke(regtracker.main, [verb, "--help"])
    assert answer.exit_code == 0
    assert "Example" in answer.output, answer.output


def test_every_verb_documents_its_exit_codes():
    for verb in VERBS:
        command = regtracker.main.get_command(click.Context(regtracker.main), verb)
        assert "Exit code " in command.help, verb


def test_the_page_of_the_command_line_is_as_the_code():
    # In a process of its own: a command that a test has called without its group keeps another help option.
    script = "import sys, cli_reference; sys.stdout.write(cli_reference.page())"
    tools = cli_reference.PAGE.parents[1] / "tools"
    page = subprocess.run([sys.executable, "-c", script], cwd=tools, capture_output=True, text=True, check=True).stdout
    assert cli_reference.PAGE.read_text() == page, "run `python tools/cli_reference.py`"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell):
    script = CliRunner().invoke(regtracker.main, ["completion", shell])
    assert script.exit_code == 0
    assert "_REGTRACKER_COMPLETE" in script.stdout and shell in script.stdout


def completed(*words: str) -> list[str]:
    """What bash offers after these words."""
    environment = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    environment["_REGTRACKER_COMPLETE"] = "bash_complete"
    answer = CliRunner().invoke(regtracker.main, [], prog_name="regtracker", env=environment)
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


def test_names_of_store_and_configuration_are_completed(tmp_path, monkeypatch):
    config = tmp_path / "regtracker.toml"
    config.write_text('[[source]]\nname = "ci"\nurl = "https://jenkins.example.com/"\njob = "qa/7.0/RUN"\n')
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    assert completed("regtracker", "gate", "--release", "") == []
    assert not (tmp_path / "home").exists(), "completing makes no store"
    World.at(tmp_path / "home").run({"routing": {"a": "P"}, "storage": {"a": "P"}}, release="7.0")
    assert completed("regtracker", "gate", "--release", "") == ["7.0"]
    assert completed("regtracker", "export", "runs", "--environment", "p") == ["prod"]
    assert completed("regtracker", "gate", "--module", "s") == ["storage"]
    assert completed("regtracker", "poll", "--source", "") == ["ci"]
    assert "maintain" in completed("regtracker", "ma")
    monkeypatch.setenv("REGTRACKER_CONFIG", str(tmp_path / "nowhere.toml"))
    assert completed("regtracker", "poll", "--source", "") == []


def test_a_wrong_key_is_named_with_what_is_allowed(tmp_path, monkeypatch):
    config = tmp_path / "regtracker.toml"
    config.write_text('[store]\nmemori = "1GB"\n[web]\nport = 99999\n')
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))
    answer = subprocess.run([sys.executable, "-m", "regtracker", "poll"], capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 2
    assert "store.memori: unknown key" in answer.stderr
    assert "web.port = 99999" in answer.stderr and "65535" in answer.stderr
    assert "Traceback" not in answer.stderr


def every(url: str) -> list[dict]:
    """All items of a list route, page by page."""
    items, cursor = [], None
    while True:
        page = requests.get(url, params={"limit": 200, **({"cursor": cursor} if cursor else {})}, timeout=60).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def test_the_demo_shows_what_its_jenkins_planted_and_ends_whole(tmp_path, usual_threads):
    port = free_port()
    demo = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "regtracker",
            "demo",
            "--no-live",
            "--size",
            "tiny",
            "--port",
            str(port),
            "--home",
            str(tmp_path / "home"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        truth_url = next(line for line in demo.stdout if "truth.json" in line).split("faults: ")[1].rstrip(")\n")
        for line in demo.stdout:
            if line.startswith("Ctrl-C"):
                break
        api = f"http://127.0.0.1:{port}/api/v1"
        assert requests.get(f"{api}/health/ready", timeout=30).status_code == 200
        truth = requests.get(truth_url, timeout=60).json()
        tiles = requests.get(f"{api}/releases", timeout=60).json()["items"]
        assert {tile["release"] for tile in tiles} == {regression["release"] for regression in truth["regressions"]}
        builds = [build for build in every(f"{api}/builds") if build["state"] == "final"]
        assert len(builds) == truth["counts"]["builds"]
        assert sum(build["total"] for build in builds) == truth["counts"]["results"]
        assert "Regression Tracker" in requests.get(f"http://127.0.0.1:{port}/", timeout=30).text
        assert requests.get(f"{api}/runs/{tiles[0]['latest_run']['id']}/priorities", timeout=60).json()["items"]
        assert any(bug["failing"] for bug in requests.get(f"{api}/bugs", timeout=60).json()["items"])
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    assert demo.returncode == 0
    eventually(lambda: not is_listening(port))


@pytest.mark.parametrize("options", [[], ["--dev"]])
def test_the_demo_passes_dev_on_to_its_web_process(tmp_path, monkeypatch, options):
    started: dict[str, list[str]] = {}

    class WithoutServers(Children):
        """Starts the simulator only, and ends where the demo would wait."""

        def start(self, name: str, *arguments: str, **how: Any) -> IO[str] | None:
            started[name] = list(arguments)
            return super().start(name, *arguments, **how) if name == "simulator" else None

        def wait(self) -> None: ...

    for name in ("REGTRACKER_HOME", "REGTRACKER_CONFIG"):
        monkeypatch.setenv(name, "")  # the demo sets them
    monkeypatch.setattr("regtracker.processes.Children", WithoutServers)
    monkeypatch.setattr("regtracker.processes.wait_ready", lambda *_: None)
    monkeypatch.setattr("regtracker.demo._quietly", lambda *_: "")
    port = str(free_port())
    arguments = ["demo", "--no-live", "--port", port, "--home", str(tmp_path), *options]
    assert CliRunner().invoke(regtracker.main, arguments, catch_exceptions=False).exit_code == 0
    assert started["web"] == ["web", "--port", port, *options]


def test_the_benchmark_measures_what_it_fills(tmp_path, monkeypatch):
    monkeypatch.setenv("REGTRACKER_WEB__WORKERS", "1")
    monkeypatch.setattr("regtracker.bench.routes.SECONDS", 0.2)
    monkeypatch.setattr("regtracker.bench.routes.ROUNDS", 2)
    monkeypatch.setattr("regtracker.bench.queries.ROUNDS", 1)
    monkeypatch.setattr("regtracker.bench.arrivals.SECONDS", 1.0)
    monkeypatch.setattr("regtracker.bench.arrivals.EVERY_S", 0.2)
    document = tmp_path / "performance.md"
    document.write_text(f"Before.\n{MARKS[0]}\nold\n{MARKS[1]}\nAfter.\n")
    shutil.copytree(empty_store(), tmp_path / "2000")
    arguments = [
        "bench",
        "--size",
        "2000",
        "--ingest",
        "tiny",
        "--home",
        str(tmp_path),
        "--write",
        str(document),
        "--json",
    ]
    figures = json.loads(CliRunner().invoke(regtracker.main, arguments, catch_exceptions=False).stdout)
    assert figures["ingest"]["attempts"] > 1_000 and figures["ingest"]["requests"] > 0
    assert len(figures["reading"]) > 5
    assert all(row["results"] == 1_000 and row["bare"] > row["read"] > row["both"] > 0 for row in figures["reading"])
    without, arriving = figures["arrivals"]
    assert without["commits"] == 0 < arriving["commits"]
    assert all(row["per_second"] > 0 and row["p95_ms"] >= row["p50_ms"] for row in figures["arrivals"])
    [store] = figures["stores"]
    assert round(store["results"], -3) == 2_000
    assert {row["question"] for row in store["questions"]} >= {"overview", *PREDECESSOR}
    assert all(row["p95_ms"] >= row["p50_ms"] > 0 for row in store["http_computed"])
    assert [row["clients"] for row in store["load_remembered"]] == [1, 8, 32]
    assert store["memory_mb_computed"] > 50 and store["bytes_per_result"] > 1
    text = document.read_text()
    assert text.startswith("Before.\n") and text.endswith("After.\n") and "old" not in text
    assert "| one test's history | 2.8 |" in text
