"""python-jenkins walks the simulator as it would a Jenkins."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import jenkins
import pytest

from ingest.simulator import SimulatorServer

PARENT, MODULE, WAITING = "qa/7.1/MODULE-RUN", "qa/7.1/PARTNER-GATEWAY-ESXI", "qa/7.1/IPV6"
USER, TOKEN = "reader", "11a7c0ffee"


@pytest.fixture(scope="module")
def client(closed_jenkins: SimulatorServer) -> Iterator[jenkins.Jenkins]:
    client = jenkins.Jenkins(closed_jenkins.url, USER, TOKEN, timeout=10)
    client.get_info()  # logs in, which get_version does not do by itself
    yield client
    client._session.close()


def test_the_server(client: jenkins.Jenkins) -> None:
    assert client.get_version() == "2.528.2"
    me = client.get_whoami()
    assert (me["id"], me["fullName"], me["absoluteUrl"]) == (USER, USER, f"{client.server}user/{USER}")
    assert client.get_info()["nodeDescription"] == "the Jenkins controller's built-in node"
    plugins = client.get_plugins()
    assert plugins["git"] is plugins["Git plugin"] and plugins["git"]["version"] > "5"
    assert client.get_plugin_info("junit")["dependencies"][0]["shortName"] == "workflow-api"


def test_jobs_in_folders(client: jenkins.Jenkins) -> None:
    names = [job["fullname"] for job in client.get_all_jobs()]
    assert {PARENT, "platform/nightly/api/unit", "webapp/feature%2Fx"} <= set(names)
    assert client.jobs_count() == len(names) == len(set(names))
    assert client.job_exists("webapp/feature%2Fx") and not client.job_exists("webapp/feature/x")
    assert client.is_folder("platform/nightly") and not client.is_folder(PARENT)
    assert client.get_job_info("webapp/feature%2Fx")["displayName"] == "feature/x"
    assert [job["name"] for job in client.get_job_info_regex("^libcore")] == ["libcore-nightly"]
    with pytest.raises(jenkins.JenkinsException, match="does not exist"):
        client.get_job_info("qa/none")


def test_builds(client: jenkins.Jenkins) -> None:
    assert len(client.get_job_info("libcore-nightly")["builds"]) == 100
    builds = client.get_job_info("libcore-nightly", fetch_all_builds=True)["builds"]
    assert [build["number"] for build in builds] == list(range(120, 0, -1))
    build = client.get_build_info(MODULE, client.get_job_info(MODULE)["lastCompletedBuild"]["number"])
    causes, parameters = (action for action in build["actions"][:2])
    assert causes["causes"][0]["upstreamProject"] == PARENT
    assert parameters["parameters"][0] == {
        "_class": "hudson.model.StringParameterValue",
        "name": "BRANCH",
        "value": "master",
    }
    deep = client.get_job_info(PARENT, depth=1)
    assert {build["result"] for build in deep["builds"]} == {None, "SUCCESS", "UNSTABLE", "FAILURE"}
    with pytest.raises(jenkins.JenkinsException, match="does not exist"):
        client.get_build_info("libcore-nightly", 97)


def test_what_builds_leave(client: jenkins.Jenkins) -> None:
    number = client.get_job_info(PARENT)["lastCompletedBuild"]["number"]
    assert client.get_build_artifact(PARENT, number, "build_map.json").keys() == {
        "ROUTING_MODULE_ESXI",
        "PARTNER-GATEWAY_ESXI",
        "IPV6",
    }
    assert client.get_build_artifact(PARENT, number, "none.json") is None
    body = client.get_build_artifact_as_bytes("libcore-nightly", 115, "**/TEST-*.xml/*zip*/reports.zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 8
    assert client.get_build_console_output(PARENT, number).endswith("Finished: UNSTABLE\n")
    assert [stage["name"] for stage in client.get_build_stages(PARENT, number)["stages"]] == [
        "Checkout",
        "Tests",
        "Report",
    ]
    assert client.get_build_stages("libcore-nightly", 115) is None
    assert client.get_build_env_vars("libcore-nightly", 115) is None


def test_reports(client: jenkins.Jenkins) -> None:
    report = client.get_build_test_report("libcore-nightly", 115)
    assert report["passCount"] + report["failCount"] + report["skipCount"] == 64
    broken = next(case for suite in report["suites"] for case in suite["cases"] if case["name"] == "keepsProfile5")
    assert (broken["status"], broken["failedSince"], broken["age"]) == ("FAILED", 112, 4)
    assert client.get_build_test_report("libcore-nightly", 115, tree="failCount").keys() == {"_class", "failCount"}
    assert client.get_build_test_report(PARENT, 104) is None


def test_nodes_and_queue(client: jenkins.Jenkins) -> None:
    nodes = client.get_nodes()
    assert [node["name"] for node in nodes if node["offline"]] == ["agent-13"]
    assert nodes[0]["name"] == "Built-In Node" and client.node_exists("(master)")
    assert client.node_exists("agent-03") and not client.node_exists("agent-99")
    assert {label["name"] for node in client.get_nodes_with_info() for label in node["assignedLabels"]} > {"testbed"}
    running = client.get_running_builds()
    assert [(build["name"], build["node"]) for build in running] == [("qa", "agent-09")]
    assert client.get_job_info(MODULE)["lastBuild"]["number"] == running[0]["number"]
    (item,) = client.get_queue_info()
    assert item["task"]["url"] == client.get_job_info(WAITING)["url"]
    assert client.get_job_info(WAITING)["inQueue"] and not client.get_job_info(MODULE)["inQueue"]
    assert client.get_queue_item(item["id"])["why"].startswith("Waiting for next available executor on ")
    with pytest.raises(jenkins.JenkinsException, match="does not exist"):
        client.get_queue_item(1)


def test_views(client: jenkins.Jenkins) -> None:
    assert [view["name"] for view in client.get_views()] == ["all", "nightly"]
    assert client.view_exists("nightly") and client.view_exists("qa/All") and not client.view_exists("none")
    assert [job["name"] for job in client.get_jobs(view_name="nightly")] == [
        "libcore-nightly",
        "compat-matrix",
        "suite-unit",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.build_job(PARENT, {"BRANCH": "master"}),
        lambda client: client.build_job("libcore-nightly"),
        lambda client: client.stop_build(MODULE, 39),
        lambda client: client.create_job("new", jenkins.EMPTY_CONFIG_XML),
        lambda client: client.cancel_queue(1),
        lambda client: client.run_script("1"),
        lambda client: client.get_job_config(PARENT),
    ],
)
def test_a_reader_changes_nothing(client: jenkins.Jenkins, change) -> None:
    with pytest.raises(jenkins.JenkinsException, match=r"\[403\](.|\n)*reader is missing the"):
        change(client)


def test_without_credentials_and_with_wrong_ones(
    closed_jenkins: SimulatorServer, open_jenkins: SimulatorServer
) -> None:
    for arguments, status in (((), "403"), ((USER, "old"), "401")):
        client = jenkins.Jenkins(closed_jenkins.url, *arguments, timeout=10)
        with client._session, pytest.raises(jenkins.JenkinsException, match=rf"\[{status}\]"):
            client.get_info()
    client = jenkins.Jenkins(open_jenkins.url, timeout=10)
    with client._session:
        assert client.get_version() == "2.528.2"
        with pytest.raises(jenkins.JenkinsException, match=r"\[403\]"):
            client.get_whoami()  # nobody has logged in
        with pytest.raises(jenkins.JenkinsException, match="anonymous is missing the Job/Build permission"):
            client.build_job("libcore-nightly")
