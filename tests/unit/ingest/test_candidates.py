"""What a discovery lists: in few requests, bounded, newest first, as the rules read it, and whether it is held."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_server import Answer, WebServer, source_of, store_of

from data.settings import SourceSettings
from data.tasks import requests
from ingest import candidates
from ingest.backfill import BuildRange
from ingest.jenkins.errors import JenkinsError
from ingest.pipeline import Pipeline
from ingest.simulator import Programme, SimulatorServer

pytestmark = pytest.mark.slow

START = 1_700_000_000_000
HOUR = 3_600_000


def jobs(web: WebServer, folder: str = "", **builds: int) -> None:
    """Jobs with so many builds each, which ended at once without results."""

    def answer(request):
        parts = request.path.removesuffix("/api/json").split("/job/")
        name, _, number = parts[-1].partition("/")
        if folder and name == folder:
            return Answer({"jobs": [{"name": one, "nextBuildNumber": last + 1} for one, last in builds.items()]})
        if name not in builds:
            return Answer(b"", 404)
        if number:
            return Answer(build(int(number)))
        field, _, rest = request.query["tree"].partition("[")
        if not rest:
            return Answer({"nextBuildNumber": builds[name] + 1})
        first, last = rest.rpartition("{")[2].rstrip("}").split(",")
        return Answer({field: [build(number) for number in range(builds[name], 0, -1)][int(first) : int(last)]})

    def build(number: int) -> dict:
        version = f"7.{number % 2}.0.{number}"
        return {
            "number": number,
            "result": "SUCCESS",
            "displayName": f"VER: {version}",
            "timestamp": START + number * HOUR,
            "actions": [{"totalCount": 0}, {"parameters": [{"name": "STAGE", "value": "true"}]}],
        }

    web.answer = answer


def list_builds(pipeline: Pipeline, first: str | None = None, last: str | None = None) -> dict:
    found, error = candidates.find(pipeline, BuildRange.read(first, last), lambda *_: None)
    assert error is None and found["found"] == len(found["listed"])
    return found


def test_a_range_is_listed_with_what_the_rules_make_of_it(web: WebServer, tmp_path: Path) -> None:
    jobs(web, x=30)
    environment = {"parameter": "STAGE", "map": {"true": "staging"}, "default": "prod"}
    source = source_of(web.url, history=2, environment=environment, release_fixed=None)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        pipeline.poll()
        web.received.clear()
        answer = list_builds(pipeline, "27", "29")
        assert len(web.received) == 2, "the sweep, and one list"
        assert [(row["number"], row["held"], row["open"]) for row in answer["listed"]] == [
            (29, True, None),
            (28, False, None),
            (27, False, None),
        ]
        assert answer["listed"][1] == {
            "job": "x",
            "number": 28,
            "url": f"{web.url}job/x/28/",
            "display_name": "VER: 7.0.0.28",
            "state": "final",
            "result": "SUCCESS",
            "started_at": "2023-11-16T02:13:20Z",
            "release": "7.0",
            "version": "7.0.0.28",
            "environment": "staging",
            "held": False,
            "open": None,
        }
        assert not answer["cut"]


def test_a_list_is_cut_at_the_newest(web: WebServer, tmp_path: Path) -> None:
    jobs(web, x=400)
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        newest = list_builds(pipeline)
        assert [row["number"] for row in newest["listed"]] == list(range(400, 400 - candidates.NEWEST, -1))
        assert newest["cut"]
        old = list_builds(pipeline, "1", "300")
        assert [row["number"] for row in old["listed"]] == list(range(300, 300 - candidates.MAX_BUILDS, -1))
        assert old["cut"]
        assert not list_builds(pipeline, "1", "200")["cut"]


def test_jobs_of_a_folder_share_a_list_and_an_error_is_reported(web: WebServer, tmp_path: Path, quick: None) -> None:
    jobs(web, folder="f", a=40, b=3, c=4)
    source = source_of(web.url, layout="folder", job="f")
    good = web.answer
    web.answer = lambda request: Answer(b"", 500) if request.path.startswith("/job/f/job/c/") else good(request)
    with store_of(tmp_path, source) as store:
        reported: list[tuple[int, int]] = []
        found, error = candidates.find(
            Pipeline(store, source), BuildRange.read(None, None), lambda *done: reported.append(done)
        )
        assert "500" in str(error) and reported == [(1, 3), (2, 3), (3, 3)]
        assert [row["job"] for row in found["listed"]].count("f/b") == 3
        starts = [row["started_at"] for row in found["listed"]]
        assert starts == sorted(starts, reverse=True)
        web.answer = lambda request: good(request) if request.path == "/job/f/api/json" else Answer(b"", 500)
        with pytest.raises(JenkinsError, match="500"):
            list_builds(Pipeline(store, source))


def test_a_recreated_job_does_not_have_its_old_builds(web: WebServer, tmp_path: Path) -> None:
    jobs(web, x=2)
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
        store.transact("t", "t", lambda cursor: cursor.execute("UPDATE builds SET started_at = '2020-01-01'"))
        store.transact("t", "t", lambda cursor: cursor.execute("UPDATE runs SET started_at = '2020-01-01'"))
        assert [row["held"] for row in list_builds(Pipeline(store, source))["listed"]] == [False, False]


def test_runs_of_an_orchestrator_are_listed_and_the_request_list_stays_small(tmp_path: Path) -> None:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        source = SourceSettings(**server.sources()[0])
        with store_of(tmp_path, source) as store:
            pipeline = Pipeline(store, source)
            answer = list_builds(pipeline)
            assert {row["job"] for row in answer["listed"]} == {source.job}
            assert pipeline.jenkins.requests == 2
            assert all(not row["held"] for row in answer["listed"])
            number = requests.submit(store, "discover", source.name, {}, "me")
            (request,) = requests.claim(store)
            requests.report_progress(store, request, requests.DONE, **answer)
            assert requests.status(store, number).payload["listed"] == answer["listed"]
            assert requests.recent(store)[0].payload == {"found": answer["found"], "cut": False}
