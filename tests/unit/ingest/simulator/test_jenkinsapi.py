"""jenkinsapi walks the simulator as it would a Jenkins. It reads api/python."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
import requests
from jenkinsapi.custom_exceptions import JenkinsAPIException, NoResults, NotFound, UnknownJob, UnknownNode
from jenkinsapi.jenkins import Jenkins
from jenkinsapi.job import Job

from ingest.simulator import SimulatorServer

PARENT, MODULE, WAITING = "qa/7.1/MODULE-RUN", "qa/7.1/PARTNER-GATEWAY-ESXI", "qa/7.1/IPV6"
USER, TOKEN = "reader", "11a7c0ffee"


@pytest.fixture(scope="module")
def client(closed_jenkins: SimulatorServer) -> Iterator[Jenkins]:
    client = Jenkins(closed_jenkins.url, USER, TOKEN)
    yield client
    client.requester.session.close()


@pytest.fixture(scope="module")
def parent(client: Jenkins) -> Job:
    return client[PARENT]


@pytest.fixture(scope="module")
def libcore(client: Jenkins) -> Job:
    return client["libcore-nightly"]


def test_the_server(client: Jenkins) -> None:
    assert client.version == "2.528.2"
    assert client.is_quieting_down is False
    assert client.has_plugin("git") and not client.has_plugin("none")
    assert client.plugins["junit"].longName == "JUnit Plugin"
    assert client.get_master_data()["displayName"] == "Nodes"


def test_jobs_in_folders(client: Jenkins, parent: Job) -> None:
    assert {PARENT, "platform/nightly/api/unit", "suite", "webapp/main"} <= set(client.keys())
    assert client.has_job(PARENT) and not client.has_job("qa/none")
    assert parent.get_full_name() == PARENT and parent.is_enabled()
    assert sorted(parent.get_params_list()) == ["BRANCH", "PRIO", "RUN_STAGING_TESTS_ONLY"]
    with pytest.raises(UnknownJob):
        client["qa/none"]


def test_builds(client: Jenkins, parent: Job, libcore: Job) -> None:
    assert list(libcore.get_build_ids()) == list(range(120, 0, -1))
    assert (parent.get_first_buildnumber(), parent.get_last_buildnumber()) == (96, 105)
    assert (parent.get_last_stable_buildnumber(), parent.get_last_good_buildnumber()) == (102, 104)
    assert (parent.get_last_failed_buildnumber(), parent.get_last_completed_buildnumber()) == (101, 104)
    assert (parent.get_next_build_number(), parent.is_running(), parent.is_queued()) == (106, True, False)
    build = parent.get_build(104)
    assert build.get_status() == "UNSTABLE" and not build.is_good() and not build.is_running()
    assert build.get_params() == {"RUN_STAGING_TESTS_ONLY": False, "BRANCH": "master", "PRIO": "ALL"}
    assert build.get_timestamp() < datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
    assert build.get_duration() > datetime.timedelta(hours=1) and not build.is_kept_forever()
    with pytest.raises(NotFound):
        parent.get_build(95)
    with pytest.raises(requests.HTTPError, match="404"):
        libcore.get_build(97)


def test_causes_and_changes(client: Jenkins, parent: Job) -> None:
    build = client[MODULE].get_last_build()
    assert (build.get_upstream_job_name(), build.get_upstream_build_number()) == (PARENT, 105)
    assert build.get_upstream_build() == parent.get_build(105)
    assert build.get_slave() == "agent-09" and build.get_revision() == parent.get_build(105).get_revision()
    assert build.get_repo_url() == "git@git.internal:product/core.git"
    assert {item["author"]["fullName"] for item in build.get_changeset_items()}
    assert [run.get_number() for run in client["compat-matrix"].get_build(30).get_matrix_runs()] == [30, 30, 30]


def test_what_builds_leave(parent: Job, libcore: Job) -> None:
    build = libcore.get_build(115)
    artifacts = build.get_artifact_dict()
    assert len(artifacts) == 8
    for path, artifact in artifacts.items():
        assert path.startswith("target/surefire-reports/TEST-") and artifact.get_data().startswith(b"<testsuite ")
    build = parent.get_build(104)
    console = build.get_console()
    assert console.endswith("Finished: UNSTABLE\n")
    streamed = "".join(build.stream_logs())
    assert streamed.splitlines()[1:] == console.splitlines()[1:]


def test_reports(client: Jenkins, parent: Job, libcore: Job) -> None:
    results = libcore.get_build(115).get_resultset()
    broken = results["com.example.libcore_nightly.Part0Test.keepsProfile5"]
    assert (len(results), broken.status, broken.age) == (64, "FAILED", 4)
    assert len(client["compat-matrix"].get_build(29).get_resultset()) > 0
    with pytest.raises(NoResults):
        parent.get_build(104).get_resultset()


def test_nodes_and_queue(client: Jenkins) -> None:
    nodes = client.nodes
    assert [name for name, node in nodes.items() if not node.is_online()] == ["agent-13"]
    assert [name for name, node in nodes.items() if not node.is_idle()] == ["Built-In Node", "agent-09"]
    assert "agent-99" not in nodes and not client.has_node("agent-99")
    with pytest.raises(UnknownNode):
        client.get_node("agent-99")
    busy, idle, *_ = client.get_executors("agent-09")
    assert not busy.is_idle() and 0 < busy.get_progress() < 100 and not busy.likely_stuck()
    assert busy.get_current_executable() and idle.is_idle() and idle.get_current_executable() is None
    ((number, item),) = client.get_queue().iteritems()
    assert item.get_job().get_full_name() == WAITING and item.is_queued() and item.is_buildable
    assert client[WAITING].get_queue_item().queue_id == number
    assert item.get_parameters() == {"BRANCH": "master", "TESTBED": "tb-v6"} and item.get_age() > 0
    assert item.get_causes()[0]["upstreamProject"] == PARENT


def test_views(client: Jenkins) -> None:
    assert client.views.keys() == ["all", "nightly"]
    assert list(client.views["nightly"].keys()) == ["libcore-nightly", "compat-matrix", "suite-unit"]
    assert client.views["nightly"]["libcore-nightly"].get_last_buildnumber() == 120


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client[PARENT].invoke(build_params={"BRANCH": "master"}),
        lambda client: client["suite"].invoke(),
        lambda client: client[MODULE].get_last_build().stop(),
        lambda client: client[PARENT].get_config(),
        lambda client: client.create_job("new", "<project/>"),
        lambda client: client.quiet_down(),
    ],
)
def test_a_reader_changes_nothing(client: Jenkins, change) -> None:
    with pytest.raises(JenkinsAPIException, match="status=403"):
        change(client)


def test_without_credentials_and_with_wrong_ones(
    closed_jenkins: SimulatorServer, open_jenkins: SimulatorServer
) -> None:
    for arguments, status in (((), 403), ((USER, "old"), 401)):
        client = Jenkins(closed_jenkins.url, *arguments, lazy=True)
        with client.requester.session, pytest.raises(requests.HTTPError, match=str(status)):
            client.poll()
    client = Jenkins(open_jenkins.url)
    with client.requester.session:
        assert client.version == "2.528.2"
        with pytest.raises(JenkinsAPIException, match="anonymous is missing the Job/Build permission"):
            client["suite"].invoke()
