"""Finding builds: the cut at 100, history and its floor, numbers that go backwards, and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.fake_server import Answer, ReceivedRequest, WebServer, source_of, store_of

from data.lake.store import Store
from data.tasks.jobs import JobRow, update_jobs
from ingest.backfill import BuildRange, find, run
from ingest.clock import utc_now
from ingest.pipeline import Pipeline

pytestmark = pytest.mark.slow

START = 1_700_000_000_000
HOUR = 3_600_000


class Jobs:
    """Jobs whose builds end at once without results; ranges and the cut at 100 are as Jenkins has them."""

    def __init__(self, web: WebServer, folder: str = "") -> None:
        self.builds: dict[str, dict[int, int]] = {}  # job -> number -> timestamp
        self.folder = folder
        self.without_next = False
        web.answer = self.answer

    def add(self, job: str, *numbers: int, start: int = START) -> None:
        self.builds.setdefault(job, {}).update({number: start + number * HOUR for number in numbers})

    def answer(self, request: ReceivedRequest) -> Any:
        names = re.findall(r"/job/([^/]+)", request.path)
        build = re.search(r"/(\d+)/api/json$", request.path)
        job = "/".join(names)
        if job == self.folder:
            jobs = [{"name": name.rpartition("/")[2], "fullName": name, **self.next(name)} for name in self.builds]
            return Answer({"jobs": jobs})
        if job not in self.builds or (build and int(build[1]) not in self.builds[job]):
            return Answer(b"", 404)
        if build:
            number = int(build[1])
            document = {"number": number, "building": False, "result": "SUCCESS", "duration": 1000}
            return Answer(document | {"timestamp": self.builds[job][number], "actions": [{"totalCount": 0}]})
        tree = request.query["tree"]
        if "uilds" not in tree:
            return Answer(self.next(job))
        builds = sorted(self.builds[job].items(), reverse=True)
        field, first, last = re.match(r"(builds|allBuilds)\[[^\]]*\]\{(\d+),(\d+)\}", tree).groups()
        builds = (builds[:100] if field == "builds" else builds)[int(first) : int(last)]
        return Answer({field: [{"number": number, "timestamp": stamp} for number, stamp in builds]})

    def next(self, job: str) -> dict[str, int]:
        return {} if self.without_next else {"nextBuildNumber": max(self.builds[job], default=0) + 1}


def numbers(store: Store) -> list[int]:
    return [row["number"] for row in store.rows("SELECT number FROM builds ORDER BY started_at, number")]


def test_history_beyond_the_cut_at_100(web: WebServer, tmp_path: Path) -> None:
    Jobs(web).add("x", *range(1, 141))
    source = source_of(web.url, history=120)
    with store_of(tmp_path, source) as store:
        assert Pipeline(store, source).poll().ingested == 120
        assert numbers(store) == list(range(21, 141))


def test_no_build_is_passed_over_however_many_came_at_once(web: WebServer, tmp_path: Path) -> None:
    jobs = Jobs(web)
    jobs.add("x", *range(1, 11))
    source = source_of(web.url, history=5)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        assert pipeline.poll().ingested == 5
        jobs.add("x", *range(11, 131))
        assert pipeline.poll().ingested == 120
        assert numbers(store) == list(range(6, 131)), "what is older than the first sight is left to backfill"


@pytest.mark.parametrize("without_next", [False, True])
def test_a_build_that_was_hidden_for_a_while_is_found(web: WebServer, tmp_path: Path, without_next: bool) -> None:
    """Jenkins leaves out of a list what it cannot load just then."""
    jobs = Jobs(web)
    jobs.without_next = without_next
    jobs.add("x", 1, 2, 4)
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        pipeline.poll()
        jobs.add("x", 3, 5)
        assert pipeline.poll().ingested == 2
        assert numbers(store) == [1, 2, 3, 4, 5]


def test_a_recreated_job_starts_again_at_1(web: WebServer, tmp_path: Path) -> None:
    jobs = Jobs(web)
    jobs.add("x", *range(1, 8))
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        pipeline.poll()
        jobs.builds["x"] = {}
        jobs.add("x", 1, 2, start=START + 1000 * HOUR)
        assert pipeline.poll().ingested == 2
        assert numbers(store) == [*range(1, 8), 1, 2], "results outlive their job"
        assert pipeline.poll().ingested == 0


def test_deleted_builds_and_jobs_lose_no_data(web: WebServer, tmp_path: Path) -> None:
    jobs = Jobs(web, folder="f")
    jobs.add("f/a", 1, 2)
    jobs.add("f/b", 1)
    source = source_of(web.url, layout="folder", job="f")
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        pipeline.poll()
        del jobs.builds["f/b"], jobs.builds["f/a"][1]
        jobs.add("f/a", 3)
        for _ in range(5):
            assert pipeline.poll().error is None
        assert store.value("SELECT count(*) FROM builds") == 4
        assert store.rows("SELECT missing FROM jobs WHERE job = 'f/b'") == [{"missing": 3}]


def test_a_thousand_jobs_that_stand_still_cost_one_request(web: WebServer, tmp_path: Path) -> None:
    jobs = Jobs(web, folder="f")
    for number in range(1000):
        jobs.add(f"f/job{number}", 7)
    source = source_of(web.url, layout="folder", job="f", history=1)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        seen = [JobRow("ci", f"f/job{number}", next_build=8) for number in range(1000)]
        store.transact("test", "seen before", lambda cursor: update_jobs(cursor, seen, utc_now()))
        pipeline.poll()
        before = store.snapshot().id
        poll = pipeline.poll()
        assert (poll.requests, poll.found) == (1, 0)
        assert store.snapshot().id == before
        jobs.add("f/job500", 8)
        poll = pipeline.poll()
        assert poll.ingested == 2 and poll.requests == 4, "the sweep, one list, two builds"


def test_jobs_that_cannot_be_listed_do_not_hide_the_others(web: WebServer, tmp_path: Path, quick: None) -> None:
    jobs = Jobs(web, folder="f")
    jobs.add("f/a", 1)
    jobs.add("f/b", 1)
    answer = web.answer
    web.answer = lambda request: Answer(b"", 500) if request.path.startswith("/job/f/job/a/") else answer(request)
    source = source_of(web.url, layout="folder", job="f")
    with store_of(tmp_path, source) as store:
        poll = Pipeline(store, source).poll()
        assert poll.ingested == 1
        (logged,) = store.rows("SELECT error FROM poll_log")
        assert "500" in logged["error"]
        web.answer = answer
        assert Pipeline(store, source).poll().ingested == 1


def test_backfill_by_numbers_goes_on_where_it_was_stopped(web: WebServer, tmp_path: Path) -> None:
    Jobs(web).add("x", *range(1, 201))
    source = source_of(web.url, history=10)
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
        pipeline = Pipeline(store, source)
        found = [entry.number for part in find(pipeline, BuildRange.read("50", "149")) for entry in part]
        assert sorted(found) == list(range(50, 150))
        reported: list[tuple[int, int]] = []
        again = Pipeline(store, source)
        run(again, BuildRange.read("50", "149"), lambda done, total: reported.append((done, total)))
        assert again.tally.found == 0 and again.tally.ingested == 100
        assert numbers(store) == [*range(50, 150), *range(191, 201)]
        assert reported[-1][0] == reported[-1][1]


def test_what_was_read_back_first_does_not_hide_the_history_of_the_first_poll(web: WebServer, tmp_path: Path) -> None:
    Jobs(web).add("x", *range(1, 21))
    source = source_of(web.url, history=10)
    with store_of(tmp_path, source) as store:
        run(Pipeline(store, source), BuildRange.read("19", "20"), lambda *_: None)
        assert Pipeline(store, source).poll().ingested == 8
        assert numbers(store) == list(range(11, 21))


def test_backfill_by_dates(web: WebServer, tmp_path: Path) -> None:
    Jobs(web).add("x", *range(1, 101))
    source = source_of(web.url, history=1)
    first = datetime.fromtimestamp((START + 20 * HOUR) / 1000, UTC)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        run(pipeline, BuildRange.read(first.isoformat(), first.date().isoformat()), lambda *_: None)
        held = store.rows("SELECT min(number) AS first, max(started_at) AS last FROM builds WHERE number < 100")
        assert held[0]["first"] == 20
        assert held[0]["last"].date() == first.date()


@pytest.mark.parametrize(("first", "last"), [("5", "2025-01-01"), ("yesterday", None)])
def test_a_range_that_is_none(first: str, last: str | None) -> None:
    with pytest.raises(ValueError):
        BuildRange.read(first, last)
