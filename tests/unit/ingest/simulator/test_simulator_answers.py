"""What a Jenkins answers beside jobs and builds: headers, accounts, crumbs, the queue, nodes, plugins, formats."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests

from ingest.simulator import Programme, SimulatorServer

PARENT = "job/qa/job/7.1/job/MODULE-RUN/"
ACCOUNT = ("reader", "11a7c0ffee")
JOB = "actions description displayName displayNameOrNull fullDisplayName fullName name url buildable builds color "
JOB += "firstBuild healthReport inQueue keepDependencies lastBuild lastCompletedBuild lastFailedBuild lastStableBuild "
JOB += "lastSuccessfulBuild lastUnstableBuild lastUnsuccessfulBuild nextBuildNumber property queueItem concurrentBuild"
PROJECT = f"{JOB} disabled downstreamProjects labelExpression scm upstreamProjects"
RUN = "actions artifacts building description displayName duration estimatedDuration executor fullDisplayName id "
RUN += "inProgress keepLog number queueId result timestamp url culprits"
BUILD = f"{RUN} builtOn changeSet"
FOLDER = "actions description displayName displayNameOrNull fullDisplayName fullName name url healthReport jobs "
FOLDER += "primaryView views"
COMPUTER = "actions assignedLabels description displayName executors icon iconClassName idle jnlpAgent launchSupported "
COMPUTER += "loadStatistics manualLaunchAllowed monitorData numExecutors offline offlineCause offlineCauseReason "
COMPUTER += "oneOffExecutors temporarilyOffline"
ITEM = "actions blocked buildable id inQueueSince params stuck task url why"
CLASSES = {
    "crumbIssuer/": ("hudson.security.csrf.DefaultCrumbIssuer", "crumb crumbRequestField"),
    "whoAmI/": ("hudson.security.WhoAmI", "anonymous authenticated authorities name"),
    "me/": ("hudson.model.User", "absoluteUrl description fullName id property"),
    "user/reader/": ("hudson.model.User", "absoluteUrl description fullName id property"),
    "queue/": ("hudson.model.Queue", "discoverableItems items"),
    "computer/": ("hudson.model.ComputerSet", "busyExecutors computer displayName totalExecutors"),
    "computer/(built-in)/": ("hudson.model.Hudson$MasterComputer", COMPUTER),
    "computer/agent-03/": ("hudson.slaves.SlaveComputer", f"{COMPUTER} absoluteRemotePath"),
    "computer/agent-03/executors/0/": (
        "hudson.model.Executor",
        "currentExecutable idle likelyStuck number progress",
    ),
    "pluginManager/": ("hudson.LocalPluginManager", "plugins"),
    "view/all/": ("hudson.model.AllView", "description jobs name property url"),
    "view/nightly/": ("hudson.model.ListView", "description jobs name property url"),
    "job/qa/": ("com.cloudbees.hudson.plugins.folder.Folder", FOLDER),
    "job/qa/view/All/": ("hudson.model.AllView", "description jobs name property url"),
    "job/webapp/": (
        "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject",
        f"{FOLDER} sources",
    ),
    PARENT: ("org.jenkinsci.plugins.workflow.job.WorkflowJob", f"{JOB} resumeBlocked"),
    "job/libcore-nightly/": ("hudson.model.FreeStyleProject", PROJECT),
    "job/compat-matrix/": ("hudson.matrix.MatrixProject", f"{PROJECT} activeConfigurations"),
    "job/suite/": ("com.tikal.jenkins.plugins.multijob.MultiJobProject", PROJECT),
    f"{PARENT}104/": (
        "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        f"{RUN} changeSets nextBuild previousBuild",
    ),
    "job/libcore-nightly/115/": ("hudson.model.FreeStyleBuild", BUILD),
    "job/compat-matrix/29/": ("hudson.matrix.MatrixBuild", f"{BUILD} runs"),
    "job/compat-matrix/os=debian12,python=3.11/29/": ("hudson.matrix.MatrixRun", BUILD),
    "job/suite/12/": ("com.tikal.jenkins.plugins.multijob.MultiJobBuild", f"{BUILD} subBuilds"),
    "job/libcore-nightly/115/testReport/": (
        "hudson.tasks.junit.TestResult",
        "testActions duration empty failCount passCount skipCount suites",
    ),
}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("path", CLASSES)
def test_every_object_has_its_class_and_properties(
    closed_jenkins: SimulatorServer, session: requests.Session, path: str
) -> None:
    answer = session.get(f"{closed_jenkins.url}{path}api/json", auth=ACCOUNT, timeout=10).json()
    kind, names = CLASSES[path]
    assert answer.pop("_class") == kind
    assert sorted(answer) == sorted(names.split())
    assert session.get(f"{closed_jenkins.url}{path}", auth=ACCOUNT, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "auth", "status"),
    [
        ("GET", "", ACCOUNT, 200),
        ("HEAD", "api/json", ACCOUNT, 200),
        ("GET", f"{PARENT}104/artifact/build_map.json", ACCOUNT, 200),
        ("GET", "job/qa", ACCOUNT, 302),
        ("GET", "api/json", None, 403),
        ("GET", "whoAmI/api/json", None, 200),
        ("GET", "api/json", ("reader", "old"), 401),
        ("GET", "whoAmI/api/json", ("reader", "old"), 401),
        ("POST", f"{PARENT}build", ACCOUNT, 403),
        ("POST", f"{PARENT}none", ACCOUNT, 404),
        ("POST", "job/none/build", ACCOUNT, 404),
        ("POST", "api/json", ACCOUNT, 200),
        ("GET", f"{PARENT}build", ACCOUNT, 405),
        ("GET", f"{PARENT}config.xml", ACCOUNT, 403),
        ("DELETE", PARENT, ACCOUNT, 405),
        ("GET", "job/none/api/json", ACCOUNT, 404),
        ("GET", "queue/item/7/api/json", ACCOUNT, 404),
        ("GET", "computer/agent-99/api/json", ACCOUNT, 404),
        ("GET", "computer/agent-03/executors/99/api/json", ACCOUNT, 404),
        ("GET", "user/nobody/api/json", ACCOUNT, 404),
        ("GET", "view/none/api/json", ACCOUNT, 404),
        ("GET", f"{PARENT}104/testReport/api/json", ACCOUNT, 404),
        ("GET", f"{PARENT}lastSaturdaysBuild/api/json", ACCOUNT, 404),
        ("GET", "job/libcore-nightly/lastFailedBuild/api/json", ACCOUNT, 404),
        ("GET", "job/libcore-nightly/115/wfapi/describe", ACCOUNT, 404),
        ("GET", "api/json?tree=jobs[", ACCOUNT, 500),
    ],
)
def test_every_answer_names_the_version(
    closed_jenkins: SimulatorServer,
    session: requests.Session,
    method: str,
    path: str,
    auth: tuple[str, str] | None,
    status: int,
) -> None:
    answer = session.request(method, closed_jenkins.url + path, auth=auth, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["X-Jenkins"]) == (status, "2.528.2")
    assert answer.headers["X-Jenkins-Session"]


def test_a_server_that_starts_names_the_version(session: requests.Session) -> None:
    rule = {"kind": "status", "status": 503}
    with SimulatorServer(Programme("tiny", 5, datetime(2026, 11, 20, tzinfo=UTC)), faults=[rule]) as server:
        answer = session.get(f"{server.url}api/json", timeout=10)
        assert (answer.status_code, answer.headers["X-Jenkins"]) == (503, "2.528.2")


def test_who_asks(closed_jenkins: SimulatorServer, open_jenkins: SimulatorServer, session: requests.Session) -> None:
    def who(server: SimulatorServer, auth: tuple[str, str] | None) -> tuple[str, bool, list[str]]:
        answer = session.get(f"{server.url}whoAmI/api/json", auth=auth, timeout=10).json()
        return answer["name"], answer["anonymous"], answer["authorities"]

    assert who(closed_jenkins, ACCOUNT) == ("reader", False, ["authenticated"])
    assert who(closed_jenkins, None) == who(open_jenkins, None) == ("anonymous", True, ["anonymous"])
    assert session.get(f"{open_jenkins.url}me/api/json", timeout=10).status_code == 403


def test_a_crumb_belongs_to_its_session(open_jenkins: SimulatorServer, session: requests.Session) -> None:
    def crumb(of: requests.Session) -> dict[str, str]:
        answer = of.get(f"{open_jenkins.url}crumbIssuer/api/json", timeout=10).json()
        return {answer["crumbRequestField"]: answer["crumb"]}

    def refused(headers: dict[str, str]) -> str:
        answer = session.post(f"{open_jenkins.url}{PARENT}build", headers=headers, timeout=10)
        assert answer.status_code == 403
        return answer.text

    assert "No valid crumb" in refused({})
    mine = crumb(session)
    assert crumb(session) == mine and "Job/Build permission" in refused(mine)
    with requests.Session() as other:
        assert "No valid crumb" in refused(crumb(other))


def test_builds_wait_run_and_end(session: requests.Session) -> None:
    with SimulatorServer(Programme("tiny", 5, datetime(2026, 11, 20, tzinfo=UTC))) as server:

        def get(path: str) -> dict:
            return session.get(f"{server.url}{path}", timeout=10).json()

        def advance(**how: object) -> None:
            session.post(f"{server.url}_sim/advance", json=how, timeout=10)

        (item,) = get("queue/api/json")["items"]
        assert sorted(item) == sorted(f"_class {ITEM} buildableStartMilliseconds pending".split())
        waiting = f"queue/item/{item['id']}/api/json"
        job = get("job/qa/job/7.1/job/IPV6/api/json?tree=inQueue,queueItem[id],lastBuild[number]")
        assert (job["inQueue"], job["queueItem"]["id"]) == (True, item["id"])
        before = get("computer/api/json")["busyExecutors"]
        while get(waiting)["_class"] == "hudson.model.Queue$BuildableItem":
            advance(seconds=60)
        left = get(waiting)
        assert (left["_class"], left["why"], left["cancelled"]) == ("hudson.model.Queue$LeftItem", None, False)
        assert left["executable"]["number"] == job["lastBuild"]["number"] + 1
        build = get("job/qa/job/7.1/job/IPV6/lastBuild/api/json")
        assert (build["number"], build["queueId"]) == (left["executable"]["number"], item["id"])
        assert get("queue/api/json")["items"] == []
        assert before <= get("computer/api/json")["busyExecutors"] <= before + 1
        node = get(f"computer/{build['builtOn']}/api/json?depth=2")
        running = [executor["currentExecutable"] for executor in node["executors"] if not executor["idle"]]
        assert build["url"] in [executable["url"] for executable in running] and not node["idle"]
        controller = get("computer/(built-in)/api/json?depth=2")
        assert [task["currentExecutable"]["building"] for task in controller["oneOffExecutors"]] == [True]
        assert get("computer/(master)/api/json")["displayName"] == "Built-In Node"
        advance(seconds=600)
        assert session.get(f"{server.url}{waiting}", timeout=10).status_code == 404
        advance(finish=True)
        assert get("computer/api/json")["busyExecutors"] == 0
        assert all(computer["idle"] for computer in get("computer/api/json")["computer"])


def test_python_is_json_with_other_constants(open_jenkins: SimulatorServer, session: requests.Session) -> None:
    for path in ("", PARENT, f"{PARENT}104/", "job/compat-matrix/29/", "computer/", "view/nightly/"):
        text = session.get(f"{open_jenkins.url}{path}api/python?depth=1", timeout=10)
        assert text.headers["Content-Type"] == "text/x-python;charset=utf-8"
        data = session.get(f"{open_jenkins.url}{path}api/json?depth=1", timeout=10).json()
        assert ast.literal_eval(text.text) == data


def test_a_tree_selects_within_plain_objects_too(open_jenkins: SimulatorServer, session: requests.Session) -> None:
    def get(path: str, tree: str) -> dict:
        return session.get(f"{open_jenkins.url}{path}api/json", params={"tree": tree}, timeout=10).json()

    (git,) = [
        action for action in get(f"{PARENT}104/", "actions[lastBuiltRevision[SHA1]]")["actions"] if len(action) > 1
    ]
    assert list(git["lastBuiltRevision"]) == ["SHA1"]
    monitors = get("computer/agent-03/", "monitorData[size]")["monitorData"]
    assert monitors["hudson.node_monitors.DiskSpaceMonitor"].keys() == {"_class", "size"}
    offline = get("computer/agent-13/", "offline,icon,monitorData[*]")
    assert offline["offline"] and offline["icon"] == "computer-x.png" and set(offline["monitorData"].values()) == {None}


def test_failed_tests_say_since_when(open_jenkins: SimulatorServer, session: requests.Session) -> None:
    def broken(path: str) -> tuple[int, int]:
        report = session.get(f"{open_jenkins.url}{path}testReport/api/json", timeout=10).json()
        cases = [case for suite in report["suites"] for case in suite["cases"]]
        assert all(case["age"] == case["failedSince"] == 0 for case in cases if case["status"] != "FAILED")
        case = next(case for case in cases if case["name"] == "keepsProfile5")
        return case["failedSince"], case["age"]

    assert broken("job/libcore-nightly/111/") == (0, 0)
    assert broken("job/libcore-nightly/112/") == (112, 1)
    assert broken("job/libcore-nightly/120/") == (112, 9)
    assert broken("job/compat-matrix/os=debian12,python=3.11/30/") == (27, 4)


def test_the_health_of_a_job(open_jenkins: SimulatorServer, session: requests.Session) -> None:
    def health(path: str) -> tuple[str, int, str]:
        (report,) = session.get(f"{open_jenkins.url}{path}api/json", timeout=10).json()["healthReport"]
        return report["description"], report["score"], report["iconUrl"]

    assert health("job/libcore-nightly/") == ("Build stability: No recent builds failed.", 100, "health-80plus.png")
    assert health(PARENT) == ("Build stability: 1 out of the last 5 builds failed.", 80, "health-60to79.png")
