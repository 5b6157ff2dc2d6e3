"""The simulator's answers have the shape of recorded ones: the same question has the same keys, classes and types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ingest.simulator import SimulatorServer

API4 = "joelee2012+api4jenkins/tests/unit/tests_data"
NODE = "nodejs+node-core-utils/test/fixtures/jenkins"
FREESTYLE, MATRIX, MULTIJOB = "job/libcore-nightly/115/", "job/compat-matrix/29/", "job/suite/12/"
PIPELINE = "job/qa/job/7.1/job/MODULE-RUN/"
# Of answers recorded in full: what the simulated server, which is newer, adds to them.
NEWER = {"healthReport", "inProgress", "flakyFailures", "rerunFailures", "properties"}
# Classes that may be in each other's place: it depends on the build which one is.
ALTERNATIVES = (
    {"hudson.scm.EmptyChangeLogSet", "hudson.plugins.git.GitChangeSetList"},
    {
        "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$PlaceholderTask",
        "hudson.model.FreeStyleProject",
    },
    {
        "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$PlaceholderTask$PlaceholderExecutable",
        "hudson.model.FreeStyleBuild",
    },
    {
        "com.tikal.jenkins.plugins.multijob.MultiJobBuild",
        "hudson.matrix.MatrixBuild",
        "hudson.model.FreeStyleBuild",
    },
)
COMPARED = 20  # elements of an array
# recorded file -> the simulator's path of the same thing, and its query
FULL = {
    f"{API4}/job/folder.json": ("job/platform/", ""),
    f"{API4}/job/mbranch.json": ("job/webapp/", ""),
    f"{API4}/queue/queue.json": ("queue/", ""),
    f"{API4}/view/allview.json": ("view/all/", ""),
    f"{API4}/run/freestylebuild.json": (FREESTYLE, ""),
    f"{API4}/run/workflowrun.json": (f"{PIPELINE}lastCompletedBuild/", ""),
    f"{API4}/report/test_report.json": (f"{FREESTYLE}testReport/", ""),
    f"{API4}/node/nodes.json": ("computer/", "?depth=2"),
    f"{API4}/node/node.json": ("computer/(built-in)/", "?depth=2"),
    f"{NODE}/citgm-compare/citgm-smoker-2390.json": (MATRIX, ""),
}
# The same, recorded with a tree, or later cut down: the simulator is asked for what was recorded.
SELECTED = {
    f"{API4}/jenkins/jenkins.json": "",
    f"{API4}/jenkins/crumb.json": "crumbIssuer/",
    f"{API4}/job/pipeline.json": PIPELINE,
    f"{API4}/run/workflowrun.json": f"{PIPELINE}lastBuild/",
    f"{NODE}/citgm-compare/citgm-smoker-2390-testReport.json": f"{MATRIX}testReport/",
    f"{NODE}/citgm-compare-nobuild/citgm-smoker-nobuild-880.json": MATRIX,
    f"{NODE}/git-failure-1/node-test-commit-linuxone-2220.json": MATRIX,
    f"{NODE}/git-failure-1/node-test-commit-linuxone-label=rhel72-s390x-2220.json": (
        "job/compat-matrix/os=debian12,python=3.11/29/"
    ),
    f"{NODE}/pending/node-test-pull-request-32777.json": MULTIJOB,
    f"{NODE}/success/node-test-commit-18960.json": MULTIJOB,
}


def type_of(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "array", dict: "object"}
    return names[type(value)]


def class_of(value: object) -> str:
    return str(value.get("_class", "")) if isinstance(value, dict) else ""


def differences(recorded: object, simulated: object, path: str = "") -> Iterator[str]:
    """A null says nothing about a type. Elements of arrays are compared with those of the same class."""
    if recorded is None or simulated is None:
        return
    if type_of(recorded) != type_of(simulated):
        yield f"{path}: {type_of(recorded)} recorded, {type_of(simulated)} simulated"
    elif isinstance(recorded, dict) and isinstance(simulated, dict):
        classes = {class_of(recorded), class_of(simulated)}
        if len(classes) > 1:
            if not any(classes <= known for known in ALTERNATIVES):
                yield f"{path}: {class_of(recorded)!r} recorded, {class_of(simulated)!r} simulated"
            return
        yield from (f"{path}.{name}: missing" for name in recorded.keys() - simulated.keys())
        yield from (f"{path}.{name}: added" for name in simulated.keys() - recorded.keys())
        for name in recorded.keys() & simulated.keys():
            yield from differences(recorded[name], simulated[name], f"{path}.{name}")
    elif isinstance(recorded, list) and isinstance(simulated, list):
        for here in recorded[:COMPARED]:
            for there in [item for item in simulated if class_of(item) == class_of(here)][:COMPARED]:
                yield from differences(here, there, f"{path}[{class_of(here).rpartition('.')[-1]}]")


def tree_of(value: object) -> str:
    """The tree that asks for what the value has."""
    selected: dict[str, dict] = {}

    def collect(value: object, into: dict) -> None:
        for item in value if isinstance(value, list) else [value]:
            for name, inner in item.items() if isinstance(item, dict) else ():
                if name != "_class":
                    collect(inner, into.setdefault(name, {}))

    def write(names: dict) -> str:
        return ",".join(f"{name}[{write(inner)}]" if inner else name for name, inner in names.items())

    collect(value, selected)
    return write(selected)


def recorded_in(corpus: Path, file: str) -> dict:
    return json.loads((corpus / "jenkins_api" / file).read_text(encoding="utf-8"))


def get(server: SimulatorServer, path: str, **query: str) -> dict:
    answer = requests.get(f"{server.url}{path}", params=query, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("file", FULL)
def test_whole_answers(open_jenkins: SimulatorServer, corpus: Path, file: str) -> None:
    path, query = FULL[file]
    simulated = get(open_jenkins, f"{path}api/json{query}")
    found = set(differences(recorded_in(corpus, file), simulated))
    assert {line for line in found if not line.endswith(tuple(f".{name}: added" for name in NEWER))} == set()


@pytest.mark.parametrize("file", SELECTED)
def test_answers_to_a_tree(open_jenkins: SimulatorServer, corpus: Path, file: str) -> None:
    recorded = recorded_in(corpus, file)
    simulated = get(open_jenkins, f"{SELECTED[file]}api/json", tree=tree_of(recorded))
    if file.endswith("crumb.json"):
        recorded["_class"] = "hudson.security.csrf.DefaultCrumbIssuer"  # recorded without it
    assert set(differences(recorded, simulated)) == set()


@pytest.mark.parametrize(
    ("file", "paths"),
    [
        ("_raw_jenkins_api_builds.json", [FREESTYLE, f"{PIPELINE}lastCompletedBuild/"]),
        ("_raw_jenkins_api_builds_multibranch.json", ["job/webapp/job/main/14/"]),
        ("_raw_jenkins_api_jobs_multibranch.json", ["job/webapp/job/main/"]),
    ],
)
def test_rows_of_a_collector(open_jenkins: SimulatorServer, corpus: Path, file: str, paths: list[str]) -> None:
    rows = [row["data"] for row in recorded_in(corpus, f"devlake_extracted/{file}")]
    simulated = [get(open_jenkins, f"{path}api/json", tree=tree_of(rows)) for path in paths]
    assert {class_of(row) for row in rows} == {class_of(answer) for answer in simulated}
    # One tree for all kinds of builds: what a row lacks, its build does not have.
    assert {line for line in differences(rows, simulated) if not line.endswith(": added")} == set()


def test_stages_of_pipelines(open_jenkins: SimulatorServer, corpus: Path) -> None:
    stages = get(open_jenkins, f"{PIPELINE}lastCompletedBuild/wfapi/describe")["stages"]
    rows = [row["data"] for row in recorded_in(corpus, "devlake_extracted/_raw_jenkins_api_stages.json")]
    assert set(differences([row for row in rows if "error" not in row], stages)) == set()
