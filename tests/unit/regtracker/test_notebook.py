"""`regtracker.connect`: the questions of the screens as pandas data frames."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import regression_scenario
from support.paths import ROOT
from support.store_builder import World

import regtracker
from data.lake.connection import StoreError
from data.sql_console.rules import RefusedError
from regtracker.notebook import CATEGORIES, TIMES, Tracker

PAGE = ROOT / "docs" / "python.md"
METHODS = [
    name
    for name, method in inspect.getmembers(Tracker, inspect.isfunction)
    if not name.startswith("_") and name not in ("at", "close")
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World.at(tmp_path_factory.mktemp("notebook"))
    regression_scenario.fill(world)
    world.store.close()
    return Path(world.store.settings.home)


@pytest.fixture(scope="module")
def tracker(home: Path) -> Iterator[Tracker]:
    with regtracker.connect(home) as tracker:
        yield tracker


def arguments(tracker: Tracker) -> dict[str, tuple[str, ...]]:
    newest = tracker.runs(limit=2).id
    return {
        "modules": (newest[0],),
        "results": (newest[0],),
        "tests": ("breaks",),
        "history": (tracker.tests("breaks").test[0],),
        "rates": ("7.0",),
        "compare": (newest[1], newest[0]),
        "sql": ("SELECT * FROM results",),
    }


@pytest.mark.parametrize("method", METHODS)
def test_every_question_answers_a_frame_with_typed_columns(tracker: Tracker, method: str) -> None:
    frame = getattr(tracker, method)(*arguments(tracker).get(method, ()))
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) or method == "bugs"
    for name in frame.columns.intersection([*TIMES]):
        assert str(frame[name].dtype) == "datetime64[ns, UTC]", name
    if method != "sql":
        assert all(frame[name].dtype == "category" for name in frame.columns.intersection([*CATEGORIES]))


@pytest.mark.parametrize("method", sorted({*METHODS} - {"releases", "sql", "rates", "compare", "modules", "results"}))
def test_an_empty_answer_keeps_its_columns(tracker: Tracker, method: str) -> None:
    given = arguments(tracker).get(method, ())
    nowhere = {"release": "6.0", "module": "nvs"}  # of another release
    whole, empty = (getattr(tracker, method)(*given, **scope) for scope in ({}, nowhere))
    if empty.empty and len(whole):
        assert set(whole.columns) <= set(empty.columns)


def test_frames_say_what_the_screens_say(tracker: Tracker) -> None:
    verdicts = tracker.verdicts("regression", release="7.0", environment="prod")
    assert "breaks" in set(verdicts.name)
    assert all("regression" in kinds for kinds in verdicts.kinds)
    newest = tracker.runs(release="7.0", environment="prod").id[0]
    assert set(tracker.results(newest, status="failed").status) == {"failed"}
    assert tracker.gate(release="7.0", environment="prod").attrs["state"] in ("passed", "closed")
    counted = tracker.sql("SELECT count(*) AS results FROM results")
    assert counted.results[0] == tracker.sql("SELECT * FROM results").shape[0]


def test_a_run_is_named_by_its_number_and_a_test_by_its_key(tracker: Tracker) -> None:
    run = tracker.runs(release="7.0", limit=1).iloc[0]
    assert len(tracker.modules(f"7.0 #{run.number}")) == len(tracker.modules(run.id))
    assert len(tracker.modules("7.0")) == len(
        tracker.modules(tracker.releases().set_index("release").latest_run["7.0"]["id"])
    )
    test = tracker.tests("breaks").iloc[0]
    assert len(tracker.history(test.key)) == len(tracker.history(test.test))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda tracker: tracker.verdicts(release="9.9"), "No release '9.9'.*7.0"),
        (lambda tracker: tracker.verdicts(module="ruoting"), "No module 'ruoting'.*did you mean 'routing'"),
        (lambda tracker: tracker.gate(release="7.0", environment="prdo"), "No environment 'prdo'.*'prod'"),
        (lambda tracker: tracker.verdicts("broken"), "No verdict kind 'broken'.*regression"),
        (lambda tracker: tracker.results("#999"), "No run '#999'"),
        (lambda tracker: tracker.history("a.py::A::b"), "No test"),
    ],
)
def test_a_name_that_is_not_in_the_store_is_refused(tracker: Tracker, question, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        question(tracker)


@pytest.mark.parametrize(
    "statement", ["DROP TABLE results", "DELETE FROM results", "SELECT * FROM read_csv('/etc/passwd')"]
)
def test_sql_only_reads_the_tables(tracker: Tracker, statement: str) -> None:
    with pytest.raises(RefusedError):
        tracker.sql(statement)


def test_the_past_is_the_store_as_it_was(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.run({"routing": {"a": "P"}})
    before = world.store.snapshot()
    world.run({"routing": {"a": "F"}})
    world.store.close()
    with regtracker.connect(tmp_path) as tracker:
        assert len(tracker.runs()) == 2
        assert len(tracker.at(before.id).runs()) == 1
        assert len(tracker.at(before.committed_at).sql("SELECT * FROM runs")) == 1
    with regtracker.connect(tmp_path, as_of=f"{before.committed_at.isoformat()}Z") as tracker:
        assert len(tracker.runs()) == 1
        assert tracker.snapshot == before.id


def test_without_a_store_the_error_says_what_to_do_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"There is no store at .*regtracker demo"):
        regtracker.connect(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_configuration_names_the_store(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "regtracker.toml"
    config.write_text(f'home = "{home}"\n')
    with regtracker.connect(config) as tracker:
        assert len(tracker.runs()) > regression_scenario.RUNS


def test_importing_the_package_imports_neither_pandas_nor_duckdb() -> None:
    code = "import sys, regtracker; assert regtracker.connect; print({'pandas', 'duckdb', 'dash'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_documented_example_runs(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo").symlink_to(home)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    for name in ("releases", "broken", "by_module", "failed", "changes", "history", "pass_rates", "slowest"):
        assert len(names[name]), name


def test_the_page_lists_the_methods() -> None:
    rows = dict(re.findall(r"^\| `(\w+)\([\w, ]*\)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    assert set(rows) == set(METHODS)
    for name, line in rows.items():
        described = " ".join((inspect.getdoc(getattr(Tracker, name)) or "").split())
        assert described.startswith(line), name
