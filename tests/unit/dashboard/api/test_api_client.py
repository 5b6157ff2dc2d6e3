"""docs/examples/five_questions.py: what the API says is what plain DuckDB finds in the lake."""

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
    """Runs the script; gives its exit code and what it prints."""
    spec = importlib.util.spec_from_file_location("five_questions", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(address: str, home: Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), address, str(home / "catalog.sqlite"), str(home / "lake")])
        return script.main(), capsys.readouterr().out

    return run


def test_five_questions_have_one_answer_each(ask, address, filled):
    code, said = ask(address, filled.store.settings.home)
    assert code == 0, said
    assert said.count("the same") == 5 and "all five agree" in said
    assert "the same: 0 rows" not in said


def test_a_small_run_elsewhere_does_not_speak_for_its_release(ask, world, serve):
    world.history({"broken": "PFF", "steady": "PPP"})
    world.run({"routing": {"steady": "F"}}, environment="staging")
    world.run({"routing": {"steady": "P", "broken": "P"}, "storage": None}, state="running")
    with served(serve(world.store.settings.home)) as address:
        code, said = ask(address, world.store.settings.home)
    assert code == 0, said
    assert "7.0 3 2 1 0.5 " in said  # release, number, total, failed, pass rate


def test_another_lake_is_found_to_differ(ask, address, filled, world):
    """The server answers of one store, DuckDB reads another one with as many snapshots."""
    world.history({"broken": "PF", "steady": "PP", "other": "FF"})

    def commit(cursor) -> None:
        cursor.execute("INSERT INTO releases SELECT 'r' || count(*), true, now() FROM releases")

    while world.store.snapshot().id < filled.store.snapshot().id:
        world.store.transact("test", "one more snapshot", commit)
    code, said = ask(address, world.store.settings.home)
    assert code == 1 and "DIFFERENT" in said


def test_an_empty_store_has_no_answers(ask, world, serve):
    with served(serve(world.store.settings.home)) as address:
        code, said = ask(address, world.store.settings.home)
    assert code == 2 and "no run yet" in said
