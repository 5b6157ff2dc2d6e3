"""docs/examples/five_questions.py: the API returns what plain DuckDB finds in the lake."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from support.live_server import served
from support.paths import ROOT

SCRIPT = ROOT / "docs" / "examples" / "five_questions.py"


@pytest.fixture
def ask(monkeypatch, capsys):
    """Run the script; return its exit code and its output."""
    spec = importlib.util.spec_from_file_location("five_questions", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(address: str, home: Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), address, str(home / "catalog.sqlite"), str(home / "lake")])
        return script.main(), capsys.readouterr().out

    return run


def test_five_questions_have_one_answer_each(ask, address, filled):
    code, output = ask(address, filled.store.settings.home)
    assert code == 0, output
    assert output.count("the same") == 5 and "all five agree" in output
    assert "the same: 0 rows" not in output


def test_a_small_run_elsewhere_does_not_speak_for_its_release(ask, world, serve):
    world.history({"broken": "PFF", "steady": "PPP"})
    world.run({"routing": {"steady": "F"}}, environment="staging")
    world.run({"routing": {"steady": "P", "broken": "P"}, "storage": None}, state="running")
    with served(serve(world.store.settings.home)) as address:
        code, output = ask(address, world.store.settings.home)
    assert code == 0, output
    assert "7.0 3 2 1 0.5 " in output  # release, number, total, failed, pass rate


def test_another_lake_is_found_to_differ(ask, address, filled, world):
    """The server answers of one store, DuckDB reads another one with as many snapshots."""
    world.history({"broken": "PF", "steady": "PP", "other": "FF"})

    def commit(cursor) -> None:
        cursor.execute("INSERT INTO releases SELECT 'r' || count(*), true, now() FROM releases")

    while world.store.snapshot().id < filled.store.snapshot().id:
        world.store.transact("test", "one more snapshot", commit)
    code, output = ask(address, world.store.settings.home)
    assert code == 1 and "DIFFERENT" in output


def test_an_empty_store_has_no_answers(ask, world, serve):
    with served(serve(world.store.settings.home)) as address:
        code, output = ask(address, world.store.settings.home)
    assert code == 2 and "no run yet" in output
