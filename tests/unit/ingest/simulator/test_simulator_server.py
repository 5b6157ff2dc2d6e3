"""The fake Jenkins over HTTP: what it serves is what its truth says, with the difficulties of the real one."""

import io
import re
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests
from lxml import etree

from ingest.simulator import Programme, SimulatorServer

START = datetime(2026, 11, 20, tzinfo=UTC)
LINE = re.compile(r"^ *\d+  \[(\S+)\] (PASSED|FAILED|SKIPPED|ERROR) +(.+)$")


class Client:
    def __init__(self, server: SimulatorServer) -> None:
        self.server, self.session = server, requests.Session()

    def get(self, path: str, **options) -> requests.Response:
        return self.session.get(self.server.url + path, timeout=10, **options)

    def json(self, path: str, tree: str | None = None) -> dict:
        response = self.get(f"{path}api/json", params={"tree": tree} if tree else None)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, value: object) -> requests.Response:
        return self.session.post(self.server.url + path, json=value, timeout=10)


@pytest.fixture
def jenkins():
    with SimulatorServer(Programme("tiny", 5, START)) as server:
        client = Client(server)
        with client.session:
            yield client


def path_of(full_name: str) -> str:
    return "".join(f"job/{name.replace('%', '%25')}/" for name in full_name.split("/"))


def unzip(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def order_counts(files: dict[str, bytes]) -> Counter:
    """Final statuses of a build by its logs, one per test and topology."""
    final = {}
    for prefix in ("", "re_run_"):
        for name, content in files.items():
            base = name.rsplit("/", 1)[-1]
            if base.startswith("re_run_") == bool(prefix):
                topology = base.removesuffix(".order.txt").removeprefix("re_run_").split("_", 2 - bool(prefix))[-1]
                for line in content.decode().splitlines():
                    _, status, test = LINE.match(line).groups()
                    final[topology, test] = status
    return Counter(final.values())


def module_builds(client: Client, release: str) -> set[tuple[str, int]]:
    """Every module build that a parent build lists."""
    folder = f"job/qa/job/{release}/"
    found = set()
    for parent in client.json(f"{folder}job/MODULE-RUN/", "allBuilds[number]")["allBuilds"]:
        answer = client.get(f"{folder}job/MODULE-RUN/{parent['number']}/artifact/build_map.json")
        if answer.status_code == 200:
            found |= {(key.replace("_", "-"), number) for key, number in answer.json().items()}
    return found


def test_what_is_served_is_what_the_truth_says(jenkins):
    jenkins.post("_sim/advance", {"finish": True})
    expected_truth = jenkins.get("truth.json", params={"detail": 1}).json()
    expected = {(b["job"], b["build"]): b for b in expected_truth["builds"]}
    served, gone = {}, 0
    for release in ("7.0", "7.1", "8.0"):
        for job, number in module_builds(jenkins, release):
            full_name = f"qa/{release}/{job}"
            path = f"{path_of(full_name)}{number}/"
            if jenkins.get(f"{path}api/json").status_code == 404:
                gone += 1
                continue
            build = jenkins.json(path, "result,building,artifacts[relativePath]")
            assert build["building"] is False
            files = {}
            if build["artifacts"]:
                files = unzip(jenkins.get(f"{path}artifact/**/*.order.txt/*zip*/logs.zip").content)
            counts = order_counts(files)
            wanted = expected[full_name, number]
            found = [counts["PASSED"], counts["FAILED"] + counts["ERROR"], counts["ERROR"], counts["SKIPPED"]]
            assert found == [wanted[name] for name in ("passed", "failed", "errors", "skipped")]
            assert build["result"] == wanted["result"]
            served[full_name, number] = counts.total()
    assert gone == 6
    assert len(served) == expected_truth["counts"]["builds"]
    assert sum(served.values()) == expected_truth["counts"]["results"]


def test_xml_holds_the_first_attempts_of_the_same_tests(jenkins):
    path = "job/qa/job/8.0/job/ROUTING-MODULE-ESXI/lastCompletedBuild/artifact/"
    files = unzip(jenkins.get(f"{path}**/*.xml,**/*.order.txt/*zip*/all.zip").content)
    for topology in ("5s", "3s"):
        log = next(c for n, c in files.items() if n.endswith(f"_{topology}.order.txt") and "re_run" not in n)
        suite = etree.fromstring(files[f"results/reports/junit/{topology}/report_1.xml"])[0]
        cases = suite.findall("testcase")
        statuses = {"failure": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}
        by_xml = [(c.get("name"), statuses[c[0].tag] if len(c) else "PASSED") for c in cases]
        by_log = [LINE.match(line).groups()[1:] for line in log.decode().splitlines()]
        for (name, status), (logged, test) in zip(by_xml, by_log, strict=True):
            assert (status, True) == (logged, test.endswith(f"::{name}"))
        assert int(suite.get("tests")) == len(cases)


def test_published_reports_agree_with_their_counts_and_with_the_xml(jenkins):
    path = "job/qa/job/8.0/job/PARTNER-GATEWAY-ESXI/lastCompletedBuild/"
    counts = jenkins.json(path, "actions[failCount,skipCount,totalCount,urlName]")["actions"][-1]
    report = jenkins.json(f"{path}testReport/")
    assert (counts["failCount"], counts["skipCount"]) == (report["failCount"], report["skipCount"])
    cases = [case for suite in report["suites"] for case in suite["cases"]]
    assert len(cases) == counts["totalCount"] == report["passCount"] + report["failCount"] + report["skipCount"]
    assert {case["status"] for case in cases} <= {"PASSED", "FAILED", "SKIPPED"}
    assert jenkins.get("job/qa/job/8.0/job/ROUTING-MODULE-ESXI/lastBuild/testReport/api/json").status_code == 404


def test_lists_are_cut_at_100_without_a_word(jenkins):
    job = jenkins.json("job/libcore-nightly/", "builds[number],allBuilds[number],nextBuildNumber")
    assert (len(job["builds"]), len(job["allBuilds"]), job["nextBuildNumber"]) == (100, 120, 121)
    assert "allBuilds" not in jenkins.json("job/libcore-nightly/")
    page = jenkins.json("job/libcore-nightly/", "allBuilds[number]{100,110}")["allBuilds"]
    assert [build["number"] for build in page] == list(range(20, 10, -1))


def test_a_listed_build_may_be_gone(jenkins):
    builds = jenkins.json("job/libcore-nightly/", "builds[number]")["builds"]
    assert 97 in [build["number"] for build in builds]
    assert jenkins.get("job/libcore-nightly/97/api/json").status_code == 404


def test_urls_name_another_host_unless_told_otherwise(jenkins):
    job = jenkins.json("job/qa/job/7.1/job/MODULE-RUN/", "url,lastBuild[url]")
    assert job["url"] == "http://jenkins.internal:8080/job/qa/job/7.1/job/MODULE-RUN/"
    assert job["lastBuild"]["url"].startswith(job["url"])
    through_view = jenkins.json("view/nightly/job/libcore-nightly/", "url")["url"]
    assert through_view == "http://jenkins.internal:8080/view/nightly/job/libcore-nightly/"
    with SimulatorServer(Programme("tiny", 5, START), root_url=None) as server:
        answer = requests.get(f"{server.url}api/json?tree=url", timeout=10).json()
        assert answer["url"] == server.url


def test_branch_names_are_encoded_twice(jenkins):
    project = jenkins.json("job/webapp/", "jobs[name,fullName,displayName,url]")
    branch = next(job for job in project["jobs"] if job["displayName"] == "feature/x")
    assert (branch["name"], branch["fullName"]) == ("feature%2Fx", "webapp/feature%2Fx")
    assert branch["url"].endswith("/job/webapp/job/feature%252Fx/")
    assert jenkins.json("job/webapp/job/feature%252Fx/", "name") == {"_class": branch["_class"], "name": "feature%2Fx"}
    assert jenkins.get("job/webapp/job/feature%2Fx/api/json").status_code == 404


def test_bad_trees_give_a_500_page_and_unknown_names_nothing(jenkins):
    bad = jenkins.get("api/json", params={"tree": "jobs[name"})
    assert (bad.status_code, bad.headers["Content-Type"]) == (500, "text/html;charset=utf-8")
    assert jenkins.json("", "nonsense, mode") == {"_class": "hudson.model.Hudson"}


def test_every_answer_says_that_it_is_jenkins(jenkins):
    for path in ("api/json", "nothing/here", "job/none/api/json", "login"):
        assert jenkins.get(path).headers["X-Jenkins"] == "2.528.2"
    assert jenkins.get("JOB/QA/api/json").status_code == 404
    assert jenkins.json("job/QA/job/7.1/job/module-run/", "fullName")["fullName"] == "qa/7.1/MODULE-RUN"


def test_running_builds_become_final_by_way_of_post_production(jenkins):
    tree = "building,inProgress,result,duration,artifacts[fileName]"
    running = {
        job: jenkins.json(f"job/qa/job/7.1/job/{job}/", f"lastBuild[number,{tree}]")["lastBuild"]
        for job in ("ROUTING-MODULE-ESXI", "PARTNER-GATEWAY-ESXI")
    }
    job, build = next((job, build) for job, build in running.items() if build["building"])
    assert (build["inProgress"], build["duration"]) == (True, 0)
    parent = jenkins.json("job/qa/job/7.1/job/MODULE-RUN/", f"lastBuild[{tree}]")["lastBuild"]
    assert (parent["building"], parent["result"], parent["duration"]) == (True, None, 0)
    states = []
    while not states or states[-1] != (False, False):
        jenkins.post("_sim/advance", {"seconds": 45})
        later = jenkins.json(f"job/qa/job/7.1/job/{job}/{build['number']}/", tree)
        states.append((later["building"], later["inProgress"]))
    assert list(dict.fromkeys(states)) == [(True, True), (False, True), (False, False)]
    assert later["result"] in ("SUCCESS", "UNSTABLE") and later["duration"] > 0
    assert len(later["artifacts"]) > len(build["artifacts"])


def test_console_is_read_piece_by_piece(jenkins):
    path = "job/qa/job/7.1/job/PARTNER-GATEWAY-ESXI/lastBuild/"
    first = jenkins.get(f"{path}logText/progressiveText", params={"start": 0})
    assert first.headers["X-More-Data"] == "true"
    assert b"\x1b[8mha:" in first.content and b"\r\n" in first.content
    size = int(first.headers["X-Text-Size"])
    assert size != len(first.content)
    jenkins.post("_sim/advance", {"finish": True})
    rest = jenkins.get(f"{path}logText/progressiveText", params={"start": size})
    assert "X-More-Data" not in rest.headers
    whole = jenkins.get(f"{path}consoleText").content
    assert b"ha:" not in whole
    assert whole.endswith(rest.content.replace(b"\r\n", b"\n")) and b"Finished: " in rest.content
    again = jenkins.get(f"{path}logText/progressiveText", params={"start": 10**9})
    assert again.content.startswith(b"\x1b[8mha:")


def test_artifacts_can_be_asked_for_in_part_or_only_if_changed(jenkins):
    path = "job/qa/job/8.0/job/MODULE-RUN/lastCompletedBuild/artifact/build_map.json"
    whole = jenkins.get(path)
    assert whole.headers["Content-Type"] == "application/json"
    part = jenkins.get(path, headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, whole.content[2:10])
    same = jenkins.get(path, headers={"If-Modified-Since": whole.headers["Last-Modified"]})
    assert (same.status_code, same.content) == (304, b"")
    assert jenkins.get(f"{path}/none").status_code == 404


def test_answers_are_compressed_where_the_client_can_read_it(jenkins):
    assert jenkins.get("api/json").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in jenkins.get("api/json", headers={"Accept-Encoding": "identity"}).headers


def test_matrix_reports_tell_axes_and_inherit_older_ones(jenkins):
    build = jenkins.json("job/compat-matrix/30/", "runs[number,url]")
    assert sorted(run["number"] for run in build["runs"]) == [29, 30, 30, 30]
    report = jenkins.json("job/compat-matrix/30/testReport/")
    assert report["_class"] == "hudson.tasks.test.MatrixTestResult" and "passCount" not in report
    assert [child["child"]["number"] for child in report["childReports"]] == [30, 30, 30, 29]
    for child in report["childReports"]:
        path = child["child"]["url"].removeprefix("http://jenkins.internal:8080/")
        axis = jenkins.get(f"{path}testReport/api/json").json()
        assert axis["suites"] == child["result"]["suites"]


def test_folders_multijobs_and_views_list_their_jobs(jenkins):
    tree = "jobs[name,jobs[name,jobs[fullName]]]"
    platform = next(job for job in jenkins.json("", f"jobs[name,{tree}]")["jobs"] if job["name"] == "platform")
    nightly = next(job for job in platform["jobs"] if job["name"] == "nightly")
    assert {job["name"] for job in nightly["jobs"]} == {"api", "ui"}
    unit = jenkins.json("job/platform/job/nightly/job/api/job/unit/20/", "actions[causes[*],parameters[name,value]]")
    assert unit["actions"][0]["causes"][0]["upstreamProject"] == "platform/trigger"
    assert {"name": "RUN_ID", "value": "nightly-020"}.items() <= unit["actions"][1]["parameters"][0].items()
    subs = jenkins.json("job/suite/12/", "subBuilds[jobName,buildNumber,url,result]")["subBuilds"]
    assert [(sub["jobName"], sub["buildNumber"]) for sub in subs] == [("suite-unit", 12), ("suite-system", 12)]
    assert subs[0]["url"] == "job/suite-unit/12/"
    view = jenkins.json("view/nightly/", "jobs[name]")
    assert [job["name"] for job in view["jobs"]] == ["libcore-nightly", "compat-matrix", "suite-unit"]


def test_some_runs_take_over_a_module_build_of_the_run_before():
    with SimulatorServer(Programme("small", 7, START)) as server:
        mentions = Counter((r["release"], b["job"], b["build"]) for r in server.truth()["runs"] for b in r["builds"])
    assert 2 in mentions.values()


def test_side_jobs_serve_what_the_truth_counts(jenkins):
    expected_truth = jenkins.get("truth.json").json()["sources"]["libcore"]
    counts, builds = Counter(), 0
    for number in range(1, 121):
        answer = jenkins.get(f"job/libcore-nightly/{number}/artifact/**/TEST-*.xml/*zip*/r.zip")
        if answer.status_code == 404:
            continue
        builds += 1
        for content in unzip(answer.content).values():
            for case in etree.fromstring(content).iter("testcase"):
                outcome = {child.tag for child in case} & {"failure", "skipped"}
                counts[outcome.pop() if outcome else "passed"] += 1
    assert builds == expected_truth["builds"] == 119
    assert counts == {
        "passed": expected_truth["passed"],
        "failure": expected_truth["failed"],
        "skipped": expected_truth["skipped"],
    }


def test_jobs_can_be_recreated_edited_and_lose_builds(jenkins):
    job = "webapp/main"
    assert jenkins.post("_sim/delete", {"job": job, "number": 14}).status_code == 200
    assert jenkins.get("job/webapp/job/main/14/api/json").status_code == 404
    assert jenkins.json("job/webapp/job/main/", "nextBuildNumber,lastBuild[number]")["lastBuild"]["number"] == 13
    jenkins.post("_sim/edit", {"job": job, "number": 13, "set": {"result": "FAILURE", "description": "redone"}})
    edited = jenkins.json("job/webapp/job/main/13/", "result,description")
    assert (edited["result"], edited["description"]) == ("FAILURE", "redone")
    before = jenkins.json("job/webapp/job/main/", "builds[number,timestamp]")["builds"]
    jenkins.post("_sim/recreate", {"job": job})
    after = jenkins.json("job/webapp/job/main/", "builds[number,timestamp],nextBuildNumber")
    assert after["nextBuildNumber"] == 4
    assert {b["number"]: b["timestamp"] for b in before}[3] < after["builds"][0]["timestamp"]
    assert jenkins.post("_sim/recreate", {"job": "none"}).status_code == 404


def test_who_may_ask():
    with SimulatorServer(Programme("tiny", 5, START), user="reader", token="s3cret") as server:
        url = f"{server.url}api/json"
        anonymous = requests.get(url, timeout=10)
        assert anonymous.status_code == 403
        assert anonymous.headers["X-You-Are-Authenticated-As"] == "anonymous"
        assert "/login?from=" in anonymous.text
        wrong = requests.get(url, auth=("reader", "old"), timeout=10)
        assert (wrong.status_code, wrong.headers["WWW-Authenticate"]) == (401, 'Basic realm="Jenkins"')
        right = requests.get(url, auth=("reader", "s3cret"), timeout=10)
        assert right.json()["_class"] == "hudson.model.Hudson"
        assert requests.get(f"{server.url}truth.json", timeout=10).status_code == 200


def test_requests_are_counted_by_kind(jenkins):
    jenkins.json("")
    jenkins.json("job/qa/job/7.1/")
    jenkins.json("job/qa/job/7.1/job/MODULE-RUN/lastBuild/")
    jenkins.get("job/libcore-nightly/1/artifact/**/*.xml/*zip*/r.zip")
    seen = jenkins.session.delete(f"{jenkins.server.url}_sim/requests", timeout=10).json()
    assert seen == {"root": 1, "job": 1, "build": 1, "zip": 1, "total": 4, "max_in_flight": 1}
    assert jenkins.get("_sim/requests").json()["total"] == 0


def test_many_at_once(jenkins):
    paths = [f"job/libcore-nightly/{number}/api/json" for number in range(1, 60)]

    def fetch(path: str) -> int:
        return requests.get(jenkins.server.url + path, timeout=10).json()["number"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fetch, paths)) == list(range(1, 60))


def test_sources_name_jobs_that_exist(jenkins):
    sources = jenkins.server.sources()
    assert [source["name"] for source in sources] == ["sim-7.0", "sim-7.1", "sim-8.0"]
    for source in sources + jenkins.server.extra_sources():
        assert source["url"] == jenkins.server.url
        folder = f"view/{source['job']}/" if source["layout"] == "view" else path_of(source["job"])
        assert jenkins.json(folder, "name")["name"] == source["job"].rsplit("/", 1)[-1]
        assert source["name"] in jenkins.get("truth.json").json()["sources"]


def test_a_fleet_of_idle_jobs_can_be_asked_for():
    size = Programme("tiny").size
    fleet = type(size)(size.releases, size.modules, size.tests, fleet=200)
    with SimulatorServer(Programme(fleet, 5, START)) as server:
        tree = "jobs[name,jobs[name,nextBuildNumber]]"
        answer = requests.get(f"{server.url}api/json", params={"tree": tree}, timeout=10).json()
        jobs = next(job for job in answer["jobs"] if job["name"] == "fleet")["jobs"]
        assert len(jobs) == 200 and all(job["nextBuildNumber"] > 1 for job in jobs)
