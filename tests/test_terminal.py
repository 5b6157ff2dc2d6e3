"""How every verb fails: in one shape, and without a trace in the file system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import regtracker


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(regtracker.main, arguments)

    return invoke


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gate", "--release", "7.0"), "There is no store at"),
        (("sql", "SELECT 1"), "There is no store at"),
        (("maintain",), "There is no store at"),
        (("poll",), "No [[source]] is configured."),
        (("backfill", "--source", "ci", "--from", "1"), "There is no source 'ci'"),
        (("bugs",), "No feed"),
    ],
)
def test_what_could_not_be_done_is_told_as_json_and_in_words(run, arguments: tuple[str, ...], words: str) -> None:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 2
    told = json.loads(answer.stdout)
    assert told.keys() == {"error"} and words in told["error"]
    assert answer.stderr == told["error"] + "\n"
    plain = run(*arguments)
    assert (plain.exit_code, plain.stdout, plain.stderr) == (2, "", answer.stderr)


def test_check_makes_no_store(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run("check", "--json")
    assert answer.exit_code == 0 and json.loads(answer.stdout)["store"]["snapshot"] is None
    assert "not there yet" in run("check").stdout
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "file" / "home"))
    answer = run("check", "--json")
    assert answer.exit_code == 2 and "file is no folder that one may write to" in json.loads(answer.stdout)["error"]
