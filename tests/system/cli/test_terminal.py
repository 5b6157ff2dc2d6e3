"""How every verb fails: in one shape, and without a trace in the file system."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.paths import ROOT
from support.store_builder import World

import regtracker

GATE = ("gate", "--release", "7.0", "--json")
HELLO = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(regtracker.main, arguments)

    return invoke


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store with a release 7.0 of two runs, which the tests only read."""
    home = tmp_path_factory.mktemp("terminal") / "home"
    World.at(home).history({"steady": "PP"})
    return home


@pytest.fixture
def on_filled(filled: Path, run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGTRACKER_HOME", str(filled))
    return run


@pytest.fixture
def start(filled: Path, tmp_path: Path, request: pytest.FixtureRequest):
    """Starts a verb on the filled store as a process."""
    environment = os.environ | {"REGTRACKER_HOME": str(filled), "PYTHONPATH": str(ROOT)}

    def process(*arguments: str, **streams) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "regtracker", *arguments]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | streams
        # What runs in the background of a shell ignores Ctrl-C, and so does what it starts.
        heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        started = subprocess.Popen(command, text=True, cwd=tmp_path, env=environment, preexec_fn=heeds, **pipes)
        request.addfinalizer(lambda: (started.kill(), started.communicate()))
        return started

    return process


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gate", "--release", "7.0"), "There is no store at"),
        (("sql", "SELECT 1"), "There is no store at"),
        (("maintain",), "There is no store at"),
        (("rebuild",), "There is no store at"),
        (("backtest",), "There is no store at"),
        (("poll",), "No [[source]] is configured."),
        (("backfill", "--source", "ci", "--from", "1"), "There is no source 'ci'"),
        (("bugs",), "No feed"),
    ],
)
def test_a_failure_is_reported_as_json_and_as_text(run, arguments: tuple[str, ...], words: str) -> None:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 2
    output = json.loads(answer.stdout)
    assert output.keys() == {"error"} and words in output["error"]
    assert answer.stderr == output["error"] + "\n"
    plain = run(*arguments)
    assert (plain.exit_code, plain.stdout, plain.stderr) == (2, "", answer.stderr)


def test_check_makes_no_store(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run("check", "--json")
    assert answer.exit_code == 0 and json.loads(answer.stdout)["store"]["snapshot"] is None
    assert "does not exist yet" in run("check").stdout
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "file" / "home"))
    answer = run("check", "--json")
    assert answer.exit_code == 2 and "file is not a writable folder" in json.loads(answer.stdout)["error"]


def test_a_gate_that_is_interrupted_is_not_closed(start) -> None:
    gate = start(*GATE, "--run", "99999", "--wait", "600")
    assert "Waiting" in gate.stderr.readline()
    gate.send_signal(signal.SIGINT)
    stdout, stderr = gate.communicate(timeout=60)
    assert (gate.returncode, json.loads(stdout), stderr) == (130, {"error": "Stopped."}, "Stopped.\n")


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (RuntimeError("Query interrupted"), 130, "Stopped."),
        (KeyError("state"), 2, "This is a bug in regtracker: KeyError: 'state'"),
    ],
)
def test_what_breaks_off_a_gate_does_not_close_it(on_filled, monkeypatch, broken, code: int, words: str) -> None:
    if isinstance(broken, RuntimeError):  # as DuckDB reports Ctrl-C
        broken.__cause__ = KeyboardInterrupt()

    def ask(*_, **__):
        raise broken

    monkeypatch.setattr("data.lake.store.Store.rows", ask)
    answer = on_filled(*GATE)
    assert (answer.exit_code, json.loads(answer.stdout)) == (code, {"error": words})
    assert answer.stderr.endswith(words + "\n") and ("Traceback" in answer.stderr) is (code == 2)


def test_a_server_of_pipes_is_stopped_while_it_waits_for_its_client(start) -> None:
    server = start("mcp")
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}) + "\n")
    server.stdin.flush()
    assert "regtracker" in server.stdout.readline()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == -signal.SIGINT  # which a shell calls 130


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "arguments", [("export", "builds"), ("sql", "FROM builds"), ("sql", "FROM builds", "--json"), GATE]
)
def test_a_full_disk_is_one_line(start, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        verb = start(*arguments, stdout=full)
        _, stderr = verb.communicate(timeout=60)
    assert verb.returncode == 2
    assert stderr == "Cannot write the output: No space left on device.\n"


def test_a_gate_without_a_reader_is_not_closed(start) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as nobody:
        gate = start(*GATE, stdout=nobody)
    _, stderr = gate.communicate(timeout=60)
    assert (gate.returncode, stderr) == (141, "")


def test_an_unknown_release_or_environment_is_named(on_filled) -> None:
    answer = on_filled("export", "runs", "--release", "9.9", "--where", "environment=moon")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Unknown release '9.9'; known: 7.0.\nUnknown environment 'moon'; known: prod.\n")
    assert answer.stderr.endswith("no such release: '9.9'\n")
    assert on_filled("export", "runs", "--release", "7.0", "--environment", "prod").stderr == ""
    refused = on_filled("backtest", "--release", "7.0", "--release", "9.9", "--json")
    assert refused.exit_code == 2
    assert json.loads(refused.stdout) == {"error": "Unknown release '9.9'; known: 7.0."}


def test_a_pivot_without_its_values_names_what_it_needs(on_filled) -> None:
    refused = on_filled("sql", "PIVOT results ON status USING count(*)")
    assert refused.exit_code == 2 and "PIVOT needs its values: ON status IN (" in refused.stderr
    assert on_filled("sql", "PIVOT results ON status IN ('passed', 'failed') USING count(*)").exit_code == 0


def test_the_simulator_reports_a_port_in_use_and_a_wrong_time(run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run("simulator", "--size", "tiny", "--port", str(taken.getsockname()[1]))
    assert answer.exit_code == 2 and "Address already in use" in answer.stderr and "Traceback" not in answer.stderr
    answer = run("simulator", "--size", "tiny", "--started", "noon")
    assert answer.exit_code == 2 and answer.stderr == "Invalid isoformat string: 'noon'\n"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"# Title\n\nsome *text* & more\n", "not_junit"),
        (b"# Title\n\nwith <b>tags</b>\n", "not_junit"),
        (b"Segmentation fault\n", "not_junit"),
        (b"<?xml version='1.0'?>\n", "error"),
        (b"<testsuite><testca", "error"),
        (b"a remark\n<testsuite><testca", "error"),
        (b"", "error"),
        (b"\0" * 99, "error"),
    ],
)
def test_what_is_not_a_report_is_distinguished_from_a_broken_one(
    run, tmp_path: Path, content: bytes, status: str
) -> None:
    (tmp_path / "file.xml").write_bytes(content)
    answer = run("parse", "--json", "file.xml")
    assert (json.loads(answer.stdout)["status"], answer.exit_code) == (status, int(status == "error"))


@pytest.mark.parametrize("arguments", [("gate", "--release", "7.0", "--max-new", "-1"), ("gate",), ("--unknown",)])
def test_wrong_arguments_without_a_reader_are_wrong_arguments(start, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as nobody:
        command = start(*arguments, stdout=nobody, stderr=nobody)
    assert command.wait(timeout=60) == 2
