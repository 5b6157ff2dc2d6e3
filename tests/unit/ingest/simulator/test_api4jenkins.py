"""api4jenkins walks the simulator as it would a Jenkins."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import api4jenkins
import pytest
from api4jenkins.exceptions import AuthenticationError, ItemNotFoundError
from api4jenkins.job import FreeStyleProject, WorkflowJob

from ingest.simulator import SimulatorServer

PARENT, MODULE = "qa/7.1/MODULE-RUN", "qa/7.1/PARTNER-GATEWAY-ESXI"
USER, TOKEN = "reader", "11a7c0ffee"


@pytest.fixture(scope="module")
def client(closed_jenkins: SimulatorServer) -> Iterator[api4jenkins.Jenkins]:
    client = api4jenkins.Jenkins(closed_jenkins.url, auth=(USER, TOKEN))
    yield client
    client.http_client.close()


@pytest.fixture(scope="module")
def parent(client: api4jenkins.Jenkins) -> WorkflowJob:
    return client.get_job(PARENT)


@pytest.fixture(scope="module")
def libcore(client: api4jenkins.Jenkins) -> FreeStyleProject:
    return client.get_job("libcore-nightly")


def test_the_server(client: api4jenkins.Jenkins) -> None:
    assert client.version == "2.528.2"
    assert list(client.crumb) == ["Jenkins-Crumb"]
    assert client.exists() and client.user.full_name == USER
    assert not client.quieting_down and client.use_crumbs
    assert client.plugins.get("git").long_name == "Git plugin" and client.plugins.get("none") is None
    assert {plugin.short_name for plugin in client.plugins} > {"junit", "workflow-job"}


def test_jobs_in_folders(client: api4jenkins.Jenkins, parent: WorkflowJob) -> None:
    found = {job.full_name: type(job).__name__ for job in client.iter(3)}
    assert found[PARENT] == "WorkflowJob" and found["platform/nightly/api/unit"] == "FreeStyleProject"
    assert found["webapp"] == "WorkflowMultiBranchProject" and found["webapp/feature%2Fx"] == "WorkflowJob"
    assert (found["compat-matrix"], found["suite"]) == ("MatrixProject", "MultiJobProject")
    assert str(parent.parent) == f"<Folder: {client.url}job/qa/job/7.1/>"
    assert parent.full_display_name == "qa » 7.1 » MODULE-RUN" and parent.display_name == "MODULE-RUN"
    branch = next(job for job in client.get_job("webapp") if job.display_name == "feature/x")
    assert branch.url == f"{client.url}job/webapp/job/feature%252Fx/" and branch.exists()
    assert client.get_job("qa/none") is None and client.get_job("none/at/all") is None
    assert parent.buildable and parent.building and parent.next_build_number == 106
    assert [parameter["name"] for parameter in parent.get_parameters()] == ["RUN_STAGING_TESTS_ONLY", "BRANCH", "PRIO"]


def test_builds_with_a_name(parent: WorkflowJob, libcore: FreeStyleProject) -> None:
    names = ("first", "last", "last_completed", "last_failed", "last_stable", "last_unstable", "last_successful")
    numbers = {name: getattr(parent, f"get_{name}_build")().number for name in (*names, "last_unsuccessful")}
    assert numbers == {
        "first": 96,
        "last": 105,
        "last_completed": 104,
        "last_failed": 101,
        "last_stable": 102,
        "last_unstable": 104,
        "last_successful": 104,
        "last_unsuccessful": 104,
    }
    results = {build.number: build.result for build in parent}
    assert (results[101], results[102], results[103], results[104], results[105]) == (
        "FAILURE",
        "SUCCESS",
        "UNSTABLE",
        "UNSTABLE",
        None,
    )
    assert libcore.get_last_failed_build() is None
    assert (len(list(libcore)), len(list(libcore.iter_all_builds()))) == (100, 120)


def test_a_build(client: api4jenkins.Jenkins, parent: WorkflowJob) -> None:
    build = parent.get(104)
    assert type(build).__name__ == "WorkflowRun" and build.project == parent
    assert (build.get_previous_build().number, build.get_next_build().number) == (103, 105)
    assert parent.get_last_build().get_next_build() is None
    assert parent.get_first_build().get_previous_build() is None
    module = client.get_job(MODULE).get_last_build()
    assert (module.building, module.result, module.duration) == (True, None, 0)
    assert module.get_causes()[0]["upstreamProject"] == PARENT
    assert {parameter.name: parameter.value for parameter in module.get_parameters()} == {
        "BRANCH": "master",
        "TESTBED": "tb-pg",
    }
    with pytest.raises(ItemNotFoundError):
        client.get_job("libcore-nightly").get(97).number  # noqa: B018


def test_artifacts(parent: WorkflowJob, libcore: FreeStyleProject, tmp_path: Path) -> None:
    build = parent.get(104)
    (artifact,) = build.artifacts
    artifact.save(str(tmp_path / "map.json"))
    assert (tmp_path / "map.json").stat().st_size == artifact.size
    build.save_artifacts(str(tmp_path / "all.zip"))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == ["archive/build_map.json"]
    paths = [artifact["relativePath"] for artifact in libcore.get(115).api_json()["artifacts"]]
    answer = libcore.get(115).handle_req("GET", "artifact/**/TEST-*.xml/*zip*/reports.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert [f"target/surefire-reports/{name.rsplit('/', 1)[-1]}" for name in archive.namelist()] == paths


def test_console(parent: WorkflowJob, monkeypatch: pytest.MonkeyPatch) -> None:
    build = parent.get(104)
    lines = list(build.console_text())
    assert (lines[0], lines[-1]) == ("Started by timer", "Finished: UNSTABLE")
    monkeypatch.setattr("api4jenkins.build.time", SimpleNamespace(sleep=lambda seconds: None))
    pieces = list(build.progressive_output())
    assert pieces[0].startswith("\x1b[8mha:") and pieces[1:] == lines[1:]
    running = parent.get(105).handle_req("GET", "logText/progressiveText", params={"start": 0})
    assert running.headers["X-More-Data"] == "true" and int(running.headers["X-Text-Size"]) > 0


def test_reports(parent: WorkflowJob, libcore: FreeStyleProject) -> None:
    report = libcore.get(115).get_test_report()
    cases = [case for suite in report for case in suite]
    assert len(cases) == report.pass_count + report.fail_count + report.skip_count == 64
    assert report.get("libcore-nightly").get("keepsProfile5").status == "FAILED"
    assert parent.get(104).get_test_report() is None
    assert libcore.get(115).get_coverage_report() is None


def test_nodes_and_queue(client: api4jenkins.Jenkins) -> None:
    nodes = list(client.nodes)
    assert [type(node).__name__ for node in nodes] == ["MasterComputer"] + 13 * ["SlaveComputer"]
    assert [node.display_name for node in client.nodes.filter_node_by_status(online=False)] == ["agent-13"]
    assert client.nodes.get("agent-09").num_executors == 8 and client.nodes.get("agent-99") is None
    building = {build.project.full_name for build in client.nodes.iter_building_builds()}
    assert building == {PARENT, MODULE}
    assert [build.project.full_name for build in client.nodes.get("agent-09")] == [MODULE]
    (item,) = client.queue
    assert item.api_json()["task"]["url"] == f"{client.url}job/qa/job/7.1/job/IPV6/"
    assert item.get_causes()[0]["upstreamBuild"] == 105
    assert [parameter.name for parameter in item.get_parameters()] == ["BRANCH", "TESTBED"]
    assert client.queue.get(item.id) == item and item.get_build() is None


def test_views(client: api4jenkins.Jenkins) -> None:
    assert [view.name for view in client.views] == ["all", "nightly"]
    assert [job.name for job in client.views.get("nightly")] == ["libcore-nightly", "compat-matrix", "suite-unit"]
    assert client.views.get("all").get("suite").full_name == "suite"
    assert [view.name for view in client.get_job("qa").views] == ["All"]
    assert [job.name for job in client.get_job("qa").views.get("All")] == ["7.0", "7.1", "8.0"]


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.build_job(PARENT),
        lambda client: client.build_job(PARENT, BRANCH="master"),
        lambda client: client.get_job(MODULE).get_last_build().stop(),
        lambda client: client.get_job(PARENT).disable(),
        lambda client: client.get_job(PARENT).configure(),
        lambda client: client.create_job("new", "<project/>"),
        lambda client: client.system.quiet_down(),
        lambda client: client.nodes.get("agent-03").disable("broken"),
    ],
)
def test_a_reader_changes_nothing(client: api4jenkins.Jenkins, change) -> None:
    with pytest.raises(PermissionError, match="403"):
        change(client)


def test_without_credentials_and_with_wrong_ones(
    closed_jenkins: SimulatorServer, open_jenkins: SimulatorServer
) -> None:
    for auth, error in ((None, PermissionError), ((USER, "old"), AuthenticationError)):
        client = api4jenkins.Jenkins(closed_jenkins.url, auth=auth)
        with client.http_client, pytest.raises(error):
            client.version  # noqa: B018
    client = api4jenkins.Jenkins(open_jenkins.url)
    with client.http_client:
        assert client.version == "2.528.2" and client.crumb
        with pytest.raises(PermissionError):
            client.build_job("libcore-nightly")
