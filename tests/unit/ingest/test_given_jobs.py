"""Jobs of a Jenkins after public bug threads, read by `poll` as one folder, and what their tests are judged to be."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from data.lake.store import Store
from data.model.filters import Filter
from data.queries import matrix, releases, tests
from data.settings import load
from data.verdicts import verdicts

MAIN = Filter(release="main")


@pytest.fixture
def replayed(cases: Path) -> Iterator[str]:
    """The address of the Jenkins of jenkins/replay.py."""
    spec = importlib.util.spec_from_file_location("replay", cases / "jenkins" / "replay.py")
    assert spec is not None and spec.loader is not None
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    server = replay.serve(0)
    yield f"http://127.0.0.1:{server.server_address[1]}/ci/jenkins/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(
    replayed: str, regtracker: Callable[..., Result], tmp_path: Path
) -> Iterator[Callable[..., tuple[Store, dict[str, dict[str, Any]]]]]:
    """Polls these jobs as one folder; the store, and its verdicts by the name of the test."""
    stores = []

    def read(*jobs: str) -> tuple[Store, dict[str, dict[str, Any]]]:
        source = {"name": "ci", "url": replayed, "layout": "folder", "job": "", "include": jobs}
        regtracker("poll", source=source | {"release_fixed": "main", "results": ["junit:**/*.xml", "test_report"]})
        stores.append(Store.open(load(home=tmp_path / "home")))
        return stores[-1], {row["key"]: row for row in verdicts.verdicts(stores[-1], MAIN)}

    yield read
    for store in stores:
        store.close()


def test_a_folder_of_nightly_jobs_is_judged_job_by_job(folder):
    store, found = folder("farm-*")
    assert {key: row["kind"] for key, row in found.items()} == {
        f"::farm.N{job:02}::starts": "regression" for job in range(1, 26)
    }
    assert {row["first_bad"]["number"] for row in found.values()} == {2}
    assert releases.tiles(store, MAIN)[0]["regressions"] == 25
    answer = matrix.matrix(store, "main")
    assert [answer["tests"], {row["state"] for row in answer["rows"]}] == [25, {"failing"}]


def test_builds_between_that_say_nothing_hide_no_regression(folder):
    _, found = folder("*")
    for key in ("::pkg.One::works", "::pkg.Skip::reads", "::pkg.Ch::b"):
        assert [found[key]["kind"], found[key]["first_bad"]["number"]] == ["regression", 2], key


def test_a_failure_in_an_aborted_build_is_named_and_not_judged(folder):
    store, found = folder("abortpart")
    assert found == {}
    (test,) = [row["test"] for row in tests.find(store, "t2")]
    newest, *earlier = tests.history(store, test, MAIN)
    assert [newest["status"], newest["unfinished"]] == ["failed", "aborted"]
    assert {row["unfinished"] for row in earlier} == {None}
    assert list(verdicts.excluded_runs(store, test, MAIN)[0].values()) == ["aborted"]
