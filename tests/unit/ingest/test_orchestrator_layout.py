"""An orchestrator's runs: a build map, order logs with reruns and JUnit files; releases, parents, latecomers."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.fake_server import Answer, ReceivedRequest, WebServer, source_of, store_of

from data.lake.store import Store
from data.queries import ingest_status
from data.settings import SourceSettings
from data.tasks.ledger import RUN, LedgerEntry
from ingest.pipeline import Pipeline

pytestmark = pytest.mark.slow

HOUR = 3_600_000
START = 1_767_888_104_000  # ms: 2026-01-08 16:01:44 UTC

MAIN_LOG = """\
  1  [10.20.30.11] PASSED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_neighbor_up
  2  [10.20.30.11] FAILED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_route_flap[5-site]
  3  [10.20.30.11] ERROR  data_plane/tests/routing/ospf/ospf_test.py::TestOspf::test_area_mismatch
  4  [10.20.30.12] SKIPPED data_plane/tests/business_policy/pbnat/pbnat_test.py::TestPbnat::test_many_to_one
  5  [10.20.30.12] PASSED data_plane/tests/routing/bgp/bgp_basic_test.py::test_without_a_class
"""
RERUN_LOG = """\
  1  [10.20.30.13] PASSED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_route_flap[5-site]
  2  [10.20.30.13] FAILED data_plane/tests/routing/ospf/ospf_test.py::TestOspf::test_area_mismatch
"""
OTHER_TOPOLOGY = """\
  1  [10.20.30.21] PASSED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_route_flap[5-site]
"""
JUNIT = """<testsuites><testsuite name="pytest" tests="2" failures="1" errors="1">
  <testcase classname="data_plane.tests.routing.bgp.bgp_basic_test.TestBgpBasic" name="test_route_flap[5-site]"
            file="data_plane/tests/routing/bgp/bgp_basic_test.py" line="40" time="12.5">
    <failure message="AssertionError: flap count 3 != 0">def test_route_flap...
E   AssertionError</failure></testcase>
  <testcase classname="data_plane.tests.routing.ospf.ospf_test.TestOspf" name="test_area_mismatch"
            file="data_plane/tests/routing/ospf/ospf_test.py" time="1.5">
    <error message="fixture boom">traceback</error></testcase>
</testsuite></testsuites>"""
ROUTING = {
    "hapy/logs/1767888104_rt_5s.order.txt": MAIN_LOG,
    "hapy/logs/re_run_rt_5s.order.txt": RERUN_LOG,
    "hapy/logs/1767888999_rt_3s_ipv6.order.txt": OTHER_TOPOLOGY,
    "hapy/reports/junit/5s/report_1.xml": JUNIT,
    "hapy/logs/console.log": "not requested",
}


class Server:
    """A folder of jobs on a web server; `zips` off, it answers 404 to every zip, as some artifact storages do."""

    def __init__(self, web: WebServer, zips: bool = True) -> None:
        self.web, self.zips = web, zips

    def job(self, name: str, *numbers: int) -> None:
        builds = [{"number": number, "timestamp": START + number * HOUR} for number in sorted(numbers, reverse=True)]
        self.web.routes[f"/job/qa/job/{name}/api/json"] = {
            "nextBuildNumber": max(numbers, default=0) + 1,
            "builds": builds,
        }

    def build(self, name: str, number: int, files: dict[str, str] | None = None, **facts: Any) -> None:
        base = f"/job/qa/job/{name}/{number}/"
        files = files or {}
        artifacts = [{"relativePath": path, "fileName": path.rpartition("/")[2]} for path in files]
        document = {"number": number, "building": False, "result": "UNSTABLE", "duration": 60_000}
        document |= {"timestamp": START + number * HOUR, "displayName": f"#{number}", "artifacts": artifacts}
        self.web.routes[f"{base}api/json"] = document | facts
        for path, text in files.items():
            self.web.routes[f"{base}artifact/{path}"] = Answer(text.encode())
        if self.zips:
            for glob, ending in (("**/*.order.txt", ".order.txt"), ("**/junit/**/*.xml", ".xml")):
                chosen = {path: text for path, text in files.items() if path.endswith(ending)}
                self.web.routes[f"{base}artifact/{glob}/*zip*/r.zip"] = Answer(zipped(chosen))

    def run(self, number: int, build_map: str, name: str = "MODULE-RUN", **facts: Any) -> None:
        facts = {"displayName": "REL: x | VER: 7.0.0.0 | MOD: FULL-RUN"} | facts
        self.build(name, number, {"out/build_map.json": build_map}, **facts)


def one_run(web: WebServer, *absent: str, zips: bool = True) -> Server:
    """Run 1 of the module ROUTING, with all of its files; it also lists builds 1 of the `absent` modules."""
    server = Server(web, zips)
    server.job("MODULE-RUN", 1)
    server.run(1, json.dumps(dict.fromkeys(("ROUTING", *absent), 1)))
    server.build("ROUTING", 1, ROUTING)
    return server


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return buffer.getvalue()


def source(web: WebServer, **values: Any) -> SourceSettings:
    return source_of(
        web.url,
        **{
            "layout": "orchestrator",
            "job": "qa/MODULE-RUN",
            "release_fixed": None,
            "owner": "tests/(?P<module>[^/]+)/",
            "environment": {"parameter": "RUN_STAGING_TESTS_ONLY", "map": {"true": "staging"}, "default": "prod"},
            "results": ["junit:**/junit/**/*.xml", "order:**/*.order.txt", "test_report"],
        }
        | values,
    )


def runs(store: Store) -> list[tuple]:
    rows = store.rows(
        """SELECT r.number, r.release, list(b.job || '#' || b.number ORDER BY b.job) AS listed, count(b.build) AS built
        FROM runs r LEFT JOIN run_builds b USING (run) GROUP BY ALL ORDER BY number, release"""
    )
    return [(row["number"], row["release"], row["listed"], row["built"]) for row in rows]


@pytest.mark.parametrize("zips", [True, False])
def test_logs_reruns_and_reports_become_attempts(web: WebServer, tmp_path: Path, zips: bool) -> None:
    server = Server(web, zips)
    server.job("MODULE-RUN", 216)
    server.run(216, '{"ROUTING_MODULE_ESXI": 12}')
    server.build("ROUTING-MODULE-ESXI", 12, ROUTING)
    with store_of(tmp_path, source(web)) as store:
        poll = Pipeline(store, source(web)).poll()
        assert (poll.found, poll.ingested, poll.failed, poll.results) == (2, 1, 0, 8)
        rows = store.rows(
            """SELECT t.base_name AS test, r.topology, r.attempt, r.is_final, r.status, r.kind, r.host, r.module,
                f.message FROM results r JOIN tests t USING (test)
            LEFT JOIN failures f USING (build, test, topology, attempt)
            ORDER BY r.topology DESC, r.position"""
        )
        names = ("test", "topology", "attempt", "is_final", "status", "kind", "host")
        found = [tuple(row[name] for name in names) for row in rows]
        assert found == [
            ("test_neighbor_up", "5s", 1, True, "passed", None, "10.20.30.11"),
            ("test_route_flap", "5s", 1, False, "failed", "failure", "10.20.30.11"),
            ("test_route_flap", "5s", 2, True, "passed", None, "10.20.30.13"),
            ("test_area_mismatch", "5s", 1, False, "failed", "error", "10.20.30.11"),
            ("test_area_mismatch", "5s", 2, True, "failed", rows[4]["kind"], "10.20.30.13"),
            ("test_many_to_one", "5s", 1, True, "skipped", None, "10.20.30.12"),
            ("test_without_a_class", "5s", 1, True, "passed", None, "10.20.30.12"),
            ("test_route_flap", "3s_ipv6", 1, True, "passed", None, "10.20.30.21"),
        ]
        assert rows[1]["message"] == "AssertionError: flap count 3 != 0"
        assert {row["message"] for row in rows if row["status"] != "failed"} == {None}
        assert {row["test"]: row["module"] for row in rows}["test_many_to_one"] == "business_policy"
        (build,) = store.rows("SELECT * FROM builds")
        assert (build["module"], build["release"], build["version"]) == ("routing", "7.0", "7.0.0.0")
        assert (build["total"], build["passed"], build["failed"], build["skipped"]) == (6, 4, 1, 1)
        assert build["url"] == f"{web.url}job/qa/job/ROUTING-MODULE-ESXI/12/"


def test_names_environments_and_numbers_as_a_map_gives_them(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    server.job("MODULE-RUN", 3)
    parameters = [{"parameters": [{"name": "RUN_STAGING_TESTS_ONLY", "value": True}, {"name": "BRANCH", "value": "m"}]}]
    build_map = '{"BUSINESS_POLICY_ESXI": "8", "PARTNER-GATEWAY_ESXI": 5, "NVS_MODULE": 3, "IPV6": 9, "LATE": null}'
    server.run(3, build_map, actions=[*parameters, {}, None])
    for job, number in (("BUSINESS-POLICY-ESXI", 8), ("PARTNER-GATEWAY-ESXI", 5), ("NVS-MODULE", 3), ("IPV6", 9)):
        server.build(job, number)
    with store_of(tmp_path, source(web)) as store:
        poll = Pipeline(store, source(web)).poll()
        assert (poll.ingested, poll.failed) == (4, 0)
        rows = store.rows("SELECT module, build IS NULL AS missing FROM run_builds ORDER BY module")
        assert [row["module"] for row in rows] == ["business_policy", "ipv6", "late", "nvs", "partner_gateway"]
        assert [row["module"] for row in rows if row["missing"]] == ["late"]
        assert store.rows("SELECT DISTINCT environment, flags FROM builds") == [
            {"environment": "staging", "flags": "no_results"}
        ]


def test_a_build_that_two_parents_list_belongs_to_both(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    server.job("MODULE-RUN", 1, 2)
    server.run(1, '{"ROUTING": 1}')
    server.run(2, '{"ROUTING": 1, "IPV6": 2}')
    server.build("ROUTING", 1)
    server.build("IPV6", 2)
    with store_of(tmp_path, source(web)) as store:
        Pipeline(store, source(web)).poll()
        assert runs(store) == [(1, "7.0", ["qa/ROUTING#1"], 1), (2, "7.0", ["qa/IPV6#2", "qa/ROUTING#1"], 2)]
        assert store.value("SELECT count(*) FROM builds") == 2


def test_a_build_goes_to_the_release_of_its_own_version(web: WebServer, tmp_path: Path) -> None:
    """A parent whose builds tested two releases is two runs; read again, nothing moves back."""
    server = Server(web)
    server.job("MODULE-RUN", 1)
    server.run(1, '{"ROUTING": 1, "IPV6": 1, "NVS": 1}', building=True, result=None)
    server.build("ROUTING", 1, displayName="VER: 7.0.0.1")
    server.build("IPV6", 1, displayName="VER: 7.1.0.0")
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        assert pipeline.poll().failed == 1
        expected = [(1, "7.0", ["qa/NVS#1", "qa/ROUTING#1"], 1), (1, "7.1", ["qa/IPV6#1"], 1)]
        assert runs(store) == expected
        server.run(1, '{"ROUTING": 1, "IPV6": 1, "NVS": 1}')
        pipeline.poll(eager=True)
        assert runs(store) == expected
        assert store.rows("SELECT DISTINCT state FROM runs") == [{"state": "final"}], "of both releases"
        server.build("NVS", 1)
        pipeline.poll(eager=True)
        assert runs(store) == [(1, "7.0", ["qa/NVS#1", "qa/ROUTING#1"], 2), (1, "7.1", ["qa/IPV6#1"], 1)]


def test_a_parent_without_a_version_has_the_release_of_its_builds(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    server.job("MODULE-RUN", 1, 2)
    server.run(1, '{"ROUTING": 1, "IPV6": 1}', displayName="nightly")
    server.build("ROUTING", 1)
    server.build("IPV6", 1, displayName="VER: 7.1.0.0")
    server.run(2, "{}", displayName="nightly", building=True, result=None)
    with store_of(tmp_path, source(web)) as store:
        Pipeline(store, source(web)).poll()
        assert runs(store) == [(1, "7.1", ["qa/IPV6#1", "qa/ROUTING#1"], 2)]
        assert store.rows("SELECT release FROM releases") == [{"release": "7.1"}], "no placeholder is left behind"


def test_a_map_that_comes_late_and_one_that_never_comes(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    now = time.time_ns() // 10**6
    server.job("MODULE-RUN", 1, 2)
    server.build("MODULE-RUN", 1, displayName="VER: 7.0.0.1")
    server.build("MODULE-RUN", 2, displayName="VER: 7.0.0.2", timestamp=now)
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        poll = pipeline.poll()
        assert (poll.failed, poll.error, pipeline.tally.runs) == (0, None, 2), "nothing is wrong with Jenkins"
        (row,) = store.rows("SELECT number, state, attempts, error FROM ledger")
        assert (row["number"], row["state"], row["attempts"]) == (2, "retry", 1)
        assert "build_map.json" in row["error"] and "404" not in row["error"]
        assert [number for number, *_ in runs(store)] == [1, 2], "the runs are there to be seen"
        assert [row["number"] for row in ingest_status.empty_runs(store)] == [2, 1]
        server.run(2, '{"ROUTING": 1}', displayName="VER: 7.0.0.2", timestamp=now)
        server.build("ROUTING", 1)
        poll = pipeline.poll(eager=True)
        assert (poll.failed, poll.ingested) == (0, 1)
        assert runs(store)[1] == (2, "7.0", ["qa/ROUTING#1"], 1)
        assert [(row["job"], row["number"]) for row in ingest_status.empty_runs(store)] == [("qa/MODULE-RUN", 1)]


def test_a_map_that_was_read_outlives_its_artifact(web: WebServer, tmp_path: Path) -> None:
    server = one_run(web)
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        pipeline.poll()
        server.build("MODULE-RUN", 1, displayName="VER: 7.0.0.0")
        del web.routes["/job/qa/job/MODULE-RUN/1/artifact/out/build_map.json"]
        pipeline.read([LedgerEntry("ci", "qa/MODULE-RUN", 1, RUN)], force=True)
        assert runs(store) == [(1, "7.0", ["qa/ROUTING#1"], 1)]
        assert ingest_status.empty_runs(store) == ingest_status.ledger(store) == []
        assert store.value("SELECT count(*) FROM raw_files WHERE kind = 'build_map'") == 1, "rebuild needs it"


def test_module_builds_that_are_gone_or_late_leave_the_run_incomplete(web: WebServer, tmp_path: Path) -> None:
    one_run(web, "IPV6")
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        for _ in range(7):
            pipeline.poll(eager=True)
        assert runs(store) == [(1, "7.0", ["qa/IPV6#1", "qa/ROUTING#1"], 1)]
        (row,) = store.rows("SELECT state, attempts, error FROM ledger WHERE kind = 'build'")
        assert (row["state"], row["attempts"]) == ("gone", 5) and "404" in row["error"]


def test_a_build_that_jenkins_has_deleted_is_no_failure(web: WebServer, tmp_path: Path) -> None:
    """It is reported as gone, looked for some more times, and read should it come back after all."""
    server = one_run(web, "IPV6")
    server.job("IPV6", 2, 3)
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        poll = pipeline.poll(eager=True)
        assert (poll.ingested, poll.failed, poll.error, pipeline.tally.gone) == (1, 0, None, 1)
        (row,) = store.rows("SELECT state, error FROM ledger WHERE kind = 'build'")
        assert row["state"] == "retry" and "Deleted in Jenkins" in row["error"]
        server.build("IPV6", 1, ROUTING)
        poll = pipeline.poll(eager=True)
        assert (poll.ingested, poll.failed, pipeline.tally.gone) == (1, 0, 0)


def test_a_recreated_job_with_its_old_numbers(web: WebServer, tmp_path: Path) -> None:
    """Both generations stay, each in the run that meant it."""
    server = one_run(web)
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        pipeline.poll()
        server.job("MODULE-RUN", 1)
        later = START + 100 * HOUR
        route = web.routes["/job/qa/job/MODULE-RUN/api/json"]
        route["builds"][0]["timestamp"] = later
        route["nextBuildNumber"] = 2
        web.routes["/job/qa/job/MODULE-RUN/api/json"] = route
        server.run(1, '{"ROUTING": 1}', timestamp=later)
        server.build("ROUTING", 1, {"a.order.txt": OTHER_TOPOLOGY}, timestamp=later + HOUR)
        # The next number has not changed, so only the periodic listing finds it.
        store.transact("test", "time goes by", lambda cursor: cursor.execute("UPDATE jobs SET seen_at = '2020-01-01'"))
        assert pipeline.poll().ingested == 1
        rows = store.rows(
            """SELECT r.started_at AS run_start, b.started_at AS build_start, b.total FROM runs r
            JOIN run_builds USING (run) JOIN builds b USING (build) ORDER BY 1"""
        )
        assert [row["total"] for row in rows] == [6, 1]
        assert all(row["run_start"] <= row["build_start"] for row in rows)


def test_running_builds_show_what_they_have_and_are_completed(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    server.job("MODULE-RUN", 1)
    server.run(1, '{"ROUTING": 1}', building=True, result=None)
    partial = {"hapy/logs/1767888104_rt_5s.order.txt": MAIN_LOG}
    server.build("ROUTING", 1, partial, building=True, result="UNSTABLE", duration=0)
    with store_of(tmp_path, source(web)) as store:
        pipeline = Pipeline(store, source(web))
        assert pipeline.poll().running == 1
        assert store.rows("SELECT state, result, total, flags FROM builds") == [
            {"state": "running", "result": None, "total": 5, "flags": "partial"}
        ], "a result while it runs is not yet its result"
        snapshot = store.snapshot().id
        assert pipeline.poll(eager=True).running == 1
        assert store.snapshot().id == snapshot, "nothing has changed, and nothing is written"
        server.build("ROUTING", 1, ROUTING, building=False, inProgress=True)
        assert pipeline.poll(eager=True).running == 1
        assert store.value("SELECT count(*) FROM results") == 8, "replaced, not added to"
        server.build("ROUTING", 1, ROUTING)
        server.run(1, '{"ROUTING": 1}')
        poll = pipeline.poll(eager=True)
        assert (poll.ingested, poll.running) == (1, 0)
        assert store.value("SELECT count(*) FROM results") == 8
        assert store.rows("SELECT state, result, flags FROM builds") == [
            {"state": "final", "result": "UNSTABLE", "flags": ""}
        ]


def test_a_final_build_is_read_once_more(web: WebServer, tmp_path: Path) -> None:
    now = time.time_ns() // 10**6
    server = Server(web)
    server.job("MODULE-RUN", 1)
    server.run(1, '{"ROUTING": 1, "IPV6": 1}')
    for job in ("ROUTING", "IPV6"):
        server.build(job, 1, ROUTING, timestamp=now - 90_000)
    with store_of(tmp_path, source(web)) as store:
        Pipeline(store, source(web)).poll()
        rows = store.rows("SELECT job, state, next_try > now()::TIMESTAMP AS later FROM ledger ORDER BY job")
        assert rows == [{"job": f"qa/{job}", "state": "recheck", "later": True} for job in ("IPV6", "ROUTING")]
        server.build("IPV6", 1, {"a.order.txt": OTHER_TOPOLOGY}, timestamp=now - 90_000, result="FAILURE")
        store.transact("test", "10 minutes later", lambda cursor: cursor.execute("UPDATE ledger SET next_try = now()"))
        web.received.clear()
        poll = Pipeline(store, source(web)).poll()
        assert poll.ingested == 1, "only the one that changed"
        assert not [request for request in web.received if "ROUTING" in request.path and "artifact" in request.path]
        assert store.rows("SELECT job, result, total FROM builds ORDER BY job") == [
            {"job": "qa/IPV6", "result": "FAILURE", "total": 1},
            {"job": "qa/ROUTING", "result": "UNSTABLE", "total": 6},
        ]
        assert store.value("SELECT count(*) FROM ledger") == 0


def test_jenkins_counts_are_compared_with_ours(web: WebServer, tmp_path: Path) -> None:
    server = Server(web)
    server.job("MODULE-RUN", 1)
    server.run(1, '{"A": 1, "B": 1}')
    counters = {"failCount": 2, "skipCount": 0, "totalCount": 2, "urlName": "testReport"}
    files = {"reports/junit/5s/report_1.xml": JUNIT, "reports/junit/5s/empty.xml": "<testsuites/>"}
    server.build("A", 1, files, actions=[counters])
    server.build("B", 1, files, actions=[counters | {"totalCount": 3}])
    with store_of(tmp_path, source(web)) as store:
        Pipeline(store, source(web)).poll()
        assert store.rows("SELECT job, flags, declared_total FROM builds ORDER BY job") == [
            {"job": "qa/A", "flags": "", "declared_total": 2},
            {"job": "qa/B", "flags": "count_mismatch", "declared_total": 3},
        ]
        assert store.rows("SELECT path, message FROM warnings") == [
            {"path": "", "message": "Jenkins counts 3 tests, 2 were read"}
        ]


def test_a_deleted_artifact_is_reported(web: WebServer, tmp_path: Path) -> None:
    one_run(web, zips=False)
    del web.routes["/job/qa/job/ROUTING/1/artifact/hapy/logs/re_run_rt_5s.order.txt"]
    with store_of(tmp_path, source(web)) as store:
        poll = Pipeline(store, source(web)).poll()
        assert (poll.ingested, poll.results) == (1, 6)
        assert store.rows("SELECT flags FROM builds") == [{"flags": "unreadable"}]
        assert store.rows("SELECT path FROM warnings") == [{"path": "hapy/logs/re_run_rt_5s.order.txt"}]


def test_one_request_for_all_files_of_a_kind(web: WebServer, tmp_path: Path) -> None:
    one_run(web)
    with store_of(tmp_path, source(web)) as store:
        Pipeline(store, source(web)).poll()
        received: list[ReceivedRequest] = [request for request in web.received if "/ROUTING/" in request.path]
        assert len(received) == 3, "its description, a zip of three logs, the one report"
        assert "console.log" not in {request.path.rpartition("/")[2] for request in received}
