"""Reports and jobs after public bug threads, through `import` and `poll`: which results are of one test."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from data.lake.store import Store
from data.model.filters import Filter
from data.verdicts import verdicts

Run = Callable[..., Result]


@pytest.fixture
def import_build(cases: Path, regtracker: Run) -> Callable[..., dict[str, Any]]:
    """`regtracker import` of a path below reports/ as a build, with its number as the day."""

    def run(path: str, number: int = 1) -> dict[str, Any]:
        started = f"2026-11-{number:02d}T08:00:00Z"
        names = ("--release", "9.1", "--module", "m", "--build", str(number), "--started-at", started)
        return json.loads(regtracker("import", str(cases / "reports" / path), *names, "--json").stdout)

    return run


@pytest.fixture
def poll(cases: Path, regtracker: Run) -> Iterator[Callable[..., dict[str, Any]]]:
    """`regtracker poll` of a given job."""
    spec = importlib.util.spec_from_file_location("replay", cases / "jenkins" / "replay.py")
    assert spec and spec.loader
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    server = replay.serve(0)

    def run(job: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{server.server_port}/ci/jenkins/"
        source = {"name": "ci", "url": url, "layout": "job", "job": job, "release_fixed": "9.1"}
        return json.loads(regtracker("poll", "--json", source=source).stdout)

    yield run
    server.shutdown()
    server.server_close()


def kinds(store: Store) -> dict[str, list[str]]:
    """The verdict kinds of the release's tests, by name or file::name."""
    keys = {verdict["key"]: verdict["kinds"] for verdict in verdicts.verdicts(store, Filter("9.1"))}
    return {key.replace("::shop.PriceTest::", "").replace("::InjectedTest::", "::"): kind for key, kind in keys.items()}


@pytest.mark.parametrize("folder", ["abs_file", "bats_junit_path", "object_names"])
def test_a_test_is_the_same_in_both_runs(import_build, folder, store):
    for number in (1, 2):
        import_build(f"{folder}/run{number}.xml", number)
    assert list(kinds(store).values()) == [["new_failure"]]
    tests = store.rows("SELECT file, class, name FROM tests")
    assert len(tests) == (1 if folder == "object_names" else 2)


def test_twins_are_no_retries(import_build):
    answer = import_build("paramclass/TEST-shop.PriceTest.xml")
    assert (answer["total"], answer["failed"]) == (4, 1)


def test_a_job_with_twins(poll, store):
    assert poll("paramclass")["ingested"] == 4
    counts = store.rows("SELECT total, failed FROM builds ORDER BY number")
    assert [tuple(row.values()) for row in counts] == [(4, 0), (4, 0), (4, 1), (4, 1)]
    assert kinds(store) == {'[1] amount = "0"': ["regression"]}


def test_the_files_of_one_retried_run(import_build, store):
    answer = import_build("trx_retries/TestResults")
    assert (answer["total"], answer["failed"]) == (4, 0)
    finals = store.rows("SELECT name, attempt FROM results JOIN tests USING (test) WHERE is_final AND attempt > 1")
    assert {row["name"]: row["attempt"] for row in finals} == {"Removes": 2, "Empties": 3}


@pytest.mark.parametrize(
    ("folder", "total", "failed", "tests", "attempts"),
    [("two_files_same_test", 2, 1, 1, 1), ("fail_error_pass", 1, 0, 1, 3), ("same_name_classes", 2, 1, 2, 1)],
)
def test_repeats(import_build, folder, total, failed, tests, attempts, store):
    answer = import_build(folder)
    assert (answer["total"], answer["failed"]) == (total, failed)
    (row,) = store.rows("SELECT count(DISTINCT test) AS tests, max(attempt) AS attempts FROM results")
    assert (row["tests"], row["attempts"]) == (tests, attempts)


def test_the_modules_of_a_job(poll, store):
    assert poll("modules")["ingested"] == 4
    tests = store.rows("SELECT file, class, name FROM tests ORDER BY file")
    assert [tuple(row.values()) for row in tests] == [
        ("core", "InjectedTest", "boots"),
        ("ui", "InjectedTest", "boots"),
    ]
    assert kinds(store) == {"ui::boots": ["regression"]}


def test_a_glob_of_a_shell_keeps_the_modules(regtracker, tmp_path, monkeypatch, store):
    suite = '<testsuite name="InjectedTest"><testcase classname="InjectedTest" name="boots">{}</testcase></testsuite>'
    for module, inner in (("core", ""), ("ui", "<failure/>")):
        folder = tmp_path / module / "target" / "surefire-reports"
        folder.mkdir(parents=True)
        (folder / "TEST-InjectedTest.xml").write_text(suite.format(inner))
    monkeypatch.chdir(tmp_path)
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.glob("*/target/surefire-reports/*.xml"))
    regtracker("import", *files, "--release", "9.1", "--module", "m")
    assert [row["file"] for row in store.rows("SELECT file FROM tests ORDER BY file")] == ["core", "ui"]
