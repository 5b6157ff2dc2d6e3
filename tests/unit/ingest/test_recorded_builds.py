"""Recorded builds of a public Jenkins, served again and polled the ordinary way."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from support.fake_server import WebServer, source_of, store_of

from ingest.pipeline import Pipeline

pytestmark = pytest.mark.slow

RECORDED = "jenkins_api/nodejs+node-core-utils/test/fixtures/jenkins"


def serve(web: WebServer, folder: Path) -> dict[str, list[int]]:
    """Serve every recorded build below a folder under its job; the server honours no tree, and lists numbers and
    addresses only. Returns job -> numbers."""
    jobs: dict[str, list[int]] = {}
    for file in sorted(folder.rglob("*.json")):
        found = re.fullmatch(r"(.+?)-(\d+)(-testReport)?", file.stem)
        document = json.loads(file.read_text())
        if not found or "_class" not in document:
            continue
        job, number = found[1], int(found[2])
        if found[3]:
            web.routes[f"/job/{job}/{number}/testReport/api/json"] = document
        else:
            web.routes[f"/job/{job}/{number}/api/json"] = document
            jobs.setdefault(job, []).append(number)
    for job, numbers in jobs.items():
        builds = [{"number": n, "url": f"https://ci.example.org/job/{job}/{n}/"} for n in sorted(numbers, reverse=True)]
        web.routes[f"/job/{job}/api/json"] = {"name": job, "nextBuildNumber": max(numbers) + 1, "builds": builds}
    return jobs


def test_matrix_builds_have_the_counts_that_jenkins_reported(corpus: Path, web: WebServer, tmp_path: Path) -> None:
    expected = {
        re.sub(r".*/|-testReport\.json", "", entry["file"]): entry
        for entry in json.loads((corpus / "jenkins_api/expected_testreports.json").read_text())
        if "nodejs" in entry["file"]
    }
    jobs = serve(web, corpus / RECORDED)
    checked = 0
    for job in [job for job in jobs if job.startswith("citgm")]:
        source = source_of(web.url, name=job, job=job, results=["test_report"])
        with store_of(tmp_path / job, source) as store:
            poll = Pipeline(store, source).poll()
            assert (poll.failed, poll.error, poll.ingested) == (0, None, len(jobs[job]))
            for row in store.rows("SELECT * FROM builds"):
                want = expected[f"{job}-{row['number']}"]
                assert row["total"] == want["totalCount"]
                assert row["failed"] == want["failCount"]
                assert row["skipped"] == want["skipCount"]
                assert row["passed"] == sum(want["status_counts"].get(word, 0) for word in ("PASSED", "FIXED"))
                assert (row["release"], row["state"], row["result"]) == ("main", "final", "FAILURE")
                report = web.routes[f"/job/{job}/{row['number']}/testReport/api/json"]
                cases = Counter(
                    (child["child"]["url"].split("/")[-3], case["name"])
                    for child in report["childReports"]
                    for suite in child["result"]["suites"]
                    for case in suite["cases"]
                )
                stored = Counter(
                    (result["topology"], result["name"])
                    for result in store.rows(
                        "SELECT topology, name FROM results JOIN tests USING (test) WHERE build = ?", [row["build"]]
                    )
                )
                assert stored == cases
                checked += 1
    assert checked == len(expected) == 4


def test_what_a_build_does_not_tell_is_no_obstacle(corpus: Path, web: WebServer, tmp_path: Path) -> None:
    """Builds without a timestamp keep the time of their discovery, and are the same builds at the next look."""
    jobs = serve(web, corpus / RECORDED / "no-compiler-error")
    job = "node-test-pull-request"
    source = source_of(web.url, job=job, results=["test_report"])
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        assert pipeline.poll().ingested == len(jobs[job]) == 1
        (first,) = store.rows("SELECT * FROM builds")
        assert first["flags"].split() == ["no_results", "no_start_time"]
        pipeline.poll()
        with_again = store.rows("SELECT build, started_at FROM builds")
        assert with_again == [{"build": first["build"], "started_at": first["started_at"]}]
        (commit,) = store.rows("SELECT author, message FROM commits")
        assert commit["author"] == "James M Snell"


def test_a_build_that_was_recorded_while_it_ran(corpus: Path, web: WebServer, tmp_path: Path) -> None:
    serve(web, corpus / RECORDED / "pending")
    source = source_of(web.url, job="node-test-pull-request")
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        poll = pipeline.poll()
        assert (poll.ingested, poll.running) == (0, 1)
        assert store.rows("SELECT state, result, flags FROM builds") == [
            {"state": "running", "result": None, "flags": "partial"}
        ]
        assert store.rows("SELECT state FROM runs") == [{"state": "running"}]
        before = store.snapshot().id
        assert pipeline.poll(eager=True).running == 1
        assert store.snapshot().id == before, "nothing has changed, and nothing is written"
        document = web.routes["/job/node-test-pull-request/32777/api/json"]
        web.routes["/job/node-test-pull-request/32777/api/json"] = document | {"building": False, "result": "SUCCESS"}
        assert pipeline.poll(eager=True).ingested == 1
        assert store.rows("SELECT state, result FROM runs") == [{"state": "final", "result": "SUCCESS"}]


@pytest.mark.parametrize("folder", ["git-failure-1", "no-compiler-error", "success"])
def test_a_multijob_lists_its_module_builds(corpus: Path, web: WebServer, tmp_path: Path, folder: str) -> None:
    """As an orchestrating build, without any build_map.json: a run is never complete without all that it started."""
    serve(web, corpus / RECORDED / folder)
    source = source_of(web.url, job="node-test-pull-request", layout="orchestrator", module="(?P<module>.+)")
    document = next(
        document
        for path, document in web.routes.items()
        if re.fullmatch(r"/job/node-test-pull-request/\d+/api/json", path)
    )
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
        named = {row["job"] for row in store.rows("SELECT job FROM run_builds")}
        text = json.dumps(document["subBuilds"])
        assert named and all(f'"{job}"' in text for job in named)
        assert store.value("SELECT count(*) FROM ledger WHERE kind = 'build' AND state = 'retry'") > 0
