"""Which run a build belongs to and which run comes first, through the commands that read results."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.fake_server import Answer, WebServer
from support.ingest_fixtures import store_upload

from data.lake.store import Store
from data.model.filters import Filter
from data.queries import gate, runs
from data.verdicts import verdicts
from data.write import raw_files

Run = Callable[..., Result]
DAY = 86_400_000
BASE = 1_793_000_000_000  # ms: 2026-10-26
REPORT = '<testsuite name="s" timestamp="{at}"><testcase classname="T" name="a">{failure}</testcase></testsuite>'


def report(folder: Path, name: str, letter: str, at: str = "2026-11-02T08:00:00") -> str:
    path = folder / name
    path.write_text(REPORT.format(at=at, failure="<failure>no</failure>" if letter == "F" else ""))
    return str(path)


def runs_and_builds(store: Store) -> list[tuple[int, str, list[str]]]:
    """(number, environment, environments of its builds) of each run."""
    rows = store.rows(
        """SELECT r.number, r.environment, list(b.environment ORDER BY b.job) AS builds
        FROM runs r JOIN run_builds rb USING (run) JOIN builds b USING (build)
        GROUP BY r.run, r.number, r.environment ORDER BY 1, 2"""
    )
    return [tuple(row.values()) for row in rows]


def kinds(store: Store) -> list[tuple[str, int, int]]:
    """(kind, first bad run, last good run) of every verdict."""
    found = verdicts.verdicts(store, Filter("main"))
    return [(row["kind"], row["first_bad"]["number"], row["last_good"]["number"]) for row in found]


class Jenkins:
    """Jobs on a web server, whose builds each have a test `a`."""

    def __init__(self, web: WebServer) -> None:
        self.web = web

    def job(self, name: str, *builds: dict[str, Any]) -> None:
        """`builds`: their API objects, where `letter` is the status of the test."""
        path = "/job/" + name.replace("/", "/job/")
        shown = [{"number": build["number"], "timestamp": build["timestamp"]} for build in reversed(builds)]
        numbers = [build["number"] for build in builds]
        self.web.routes[f"{path}/api/json"] = {"nextBuildNumber": max(numbers) + 1, "builds": shown}
        for build in builds:
            answer = {"building": False, "result": "SUCCESS", "displayName": f"#{build['number']}", **build}
            letter = answer.pop("letter", None)
            if letter is not None:
                text = REPORT.format(at="", failure="<failure>no</failure>" if letter == "F" else "")
                answer["artifacts"] = [{"relativePath": "r.xml"}]
                self.web.routes[f"{path}/{build['number']}/artifact/r.xml"] = Answer(text.encode())
            self.web.routes[f"{path}/{build['number']}/api/json"] = answer

    def folder(self, name: str, *jobs: str) -> None:
        path = "/job/" + name.replace("/", "/job/")
        found = [{"name": job, "fullName": f"{name}/{job}", "_class": "x.FreeStyleProject"} for job in jobs]
        self.web.routes[f"{path}/api/json"] = {"jobs": found}

    def source(self, **values: Any) -> dict[str, Any]:
        environment = {"parameter": "ENV", "default": "prod"}
        return {"name": "ci", "url": self.web.url, "release_fixed": "main", "environment": environment} | values


@pytest.fixture
def jenkins(web: WebServer) -> Jenkins:
    return Jenkins(web)


def build(number: int, letter: str | None = "P", env: str = "", days: float = 0, **more: Any) -> dict[str, Any]:
    parameters = [{"parameters": [{"name": "ENV", "value": env}]}] if env else []
    actions = [*parameters, *more.pop("actions", [])]
    return {"number": number, "letter": letter, "timestamp": BASE + int(days * DAY), "actions": actions} | more


def test_two_environments_of_one_number_are_two_runs_by_import(regtracker: Run, tmp_path: Path, store: Store) -> None:
    one, other = report(tmp_path, "a.xml", "P"), report(tmp_path, "b.xml", "F")
    names = ("--release", "9.2", "--module", "routing", "--build", "7")
    for _ in range(2):
        assert regtracker("import", one, *names, "--environment", "prod").exit_code == 0
        assert regtracker("import", other, *names, "--environment", "staging").exit_code == 0
        assert regtracker("import", other, *names).exit_code == 0
    assert regtracker("import", one, *names[:2], "--module", "ui", *names[4:], "--environment", "prod").exit_code == 0
    alone = [(7, "default", ["default"]), (7, "prod", ["prod", "prod"]), (7, "staging", ["staging"])]
    assert runs_and_builds(store) == alone
    failed = store.rows("SELECT environment, failed FROM builds WHERE module = 'routing' ORDER BY environment")
    assert [tuple(row.values()) for row in failed] == [("default", 1), ("prod", 0), ("staging", 1)]
    assert regtracker("rebuild").exit_code == 0
    assert runs_and_builds(store) == alone


def test_two_environments_of_one_number_are_two_runs_by_upload(regtracker: Run, store: Store) -> None:
    for environment in ("prod", "staging", "prod"):
        content = REPORT.format(at="2026-11-02T08:00:00", failure="").encode()
        names = {"release": "9.2", "module": "routing", "number": 7, "environment": environment}
        store_upload(store, names, [raw_files.pack("r.xml", "file", content)])
    assert runs_and_builds(store) == [(7, "prod", ["prod"]), (7, "staging", ["staging"])]


def test_each_environment_counts_its_own_builds(regtracker: Run, tmp_path: Path, store: Store) -> None:
    for index, environment in enumerate(("prod", "staging", "prod")):
        file = report(tmp_path, "a.xml", "P", f"2026-11-0{index + 2}T08:00:00")
        names = ("--release", "9.2", "--module", "routing", "--environment", environment)
        assert regtracker("import", file, *names).exit_code == 0
    assert runs_and_builds(store) == [(1, "prod", ["prod"]), (1, "staging", ["staging"]), (2, "prod", ["prod"])]


def test_two_environments_of_one_job_are_runs_of_their_own(regtracker: Run, jenkins: Jenkins, store: Store) -> None:
    jenkins.job("x", build(1, env="prod"), build(2, env="staging", days=1), build(3, days=2))
    assert regtracker("poll", source=jenkins.source(layout="job", job="x")).exit_code == 0
    assert runs_and_builds(store) == [(1, "prod", ["prod"]), (2, "staging", ["staging"]), (3, "prod", ["prod"])]


@pytest.mark.parametrize("group_by", ["parameter:NIGHT", "upstream"])
def test_a_folder_groups_builds_of_one_environment(
    regtracker: Run, jenkins: Jenkins, group_by: str, store: Store
) -> None:
    night = {"parameters": [{"name": "NIGHT", "value": "41"}]}
    cause = {"causes": [{"shortDescription": "up", "upstreamProject": "top", "upstreamBuild": 41}]}
    jenkins.folder("qa", "a", "b", "c")
    jenkins.job("qa/a", build(3, env="prod", actions=[night, cause]))
    jenkins.job("qa/b", build(9, env="staging", actions=[night, cause]))
    jenkins.job("qa/c", build(5, env="staging", actions=[night, cause]))
    jenkins.job("top", build(41, None))
    assert regtracker("poll", source=jenkins.source(layout="folder", job="qa", group_by=group_by)).exit_code == 0
    assert runs_and_builds(store) == [(41, "prod", ["prod"]), (41, "staging", ["staging", "staging"])]


def test_builds_that_a_name_groups_need_no_common_number(regtracker: Run, jenkins: Jenkins, store: Store) -> None:
    night = {"parameters": [{"name": "NIGHT", "value": "monday"}]}
    jenkins.folder("qa", "a", "b")
    jenkins.job("qa/a", build(3, actions=[night]))
    jenkins.job("qa/b", build(9, actions=[night]))
    source = jenkins.source(layout="folder", job="qa", group_by="parameter:NIGHT")
    assert regtracker("poll", source=source).exit_code == 0
    ((number, environment, builds),) = runs_and_builds(store)
    assert (number in (3, 9), environment, builds) == (True, "prod", ["prod", "prod"])


def test_an_orchestrating_build_of_two_environments_has_two_runs(
    regtracker: Run, jenkins: Jenkins, store: Store
) -> None:
    """A module build belongs to the environment that it names itself, else to that of its parent; a rebuild follows
    changed rules."""
    parent = build(812, None, env="prod", artifacts=[{"relativePath": "build_map.json"}])
    jenkins.job("qa/RUN", parent)
    jenkins.web.routes["/job/qa/job/RUN/812/artifact/build_map.json"] = {"a": 3, "b": 4, "c": 5}
    jenkins.job("qa/a", build(3, env="prod", days=0.01))
    jenkins.job("qa/b", build(4, env="staging", days=0.01))
    jenkins.job("qa/c", build(5, days=0.01))
    source = jenkins.source(layout="orchestrator", job="qa/RUN")
    assert regtracker("poll", source=source).exit_code == 0
    wanted = [(812, "prod", ["prod", "prod"]), (812, "staging", ["staging"])]
    assert runs_and_builds(store) == wanted
    assert regtracker("rebuild").exit_code == 0
    assert runs_and_builds(store) == wanted
    renamed = source | {"environment": {"parameter": "ENV", "map": {"prod": "live", "staging": "test"}}}
    assert regtracker("rebuild", source=renamed).exit_code == 0
    assert runs_and_builds(store) == [(812, "live", ["live", "live"]), (812, "test", ["test"])]


def test_two_imports_of_one_second_are_ordered_by_number(regtracker: Run, tmp_path: Path, store: Store) -> None:
    passed, failed = report(tmp_path, "p.xml", "P"), report(tmp_path, "f.xml", "F")
    for number in (52, 41, 47):
        names = ("--release", "main", "--module", "routing", "--build", str(number))
        assert regtracker("import", failed if number == 52 else passed, *names).exit_code == 0
    answer = gate.gate(store, Filter("main"))
    assert (answer["run"]["number"], answer["baseline"]["number"], answer["state"]) == (52, 47, "closed")


def test_the_numbers_of_a_job_decide_where_its_clock_went_back(regtracker: Run, jenkins: Jenkins, store: Store) -> None:
    hours = (120, 121, 118, 119, 122)
    builds = [build(n, letter, days=at / 24) for n, (at, letter) in enumerate(zip(hours, "PPFFF", strict=True), 1)]
    jenkins.job("x", *builds)
    assert regtracker("poll", source=jenkins.source(layout="job", job="x")).exit_code == 0
    assert kinds(store) == [("regression", 3, 2)]
    assert [run["number"] for run in runs.runs(store, Filter("main"))] == [5, 4, 3, 2, 1]


def test_a_time_near_the_epoch_or_in_the_future_is_none(regtracker: Run, jenkins: Jenkins, store: Store) -> None:
    """One job for each such time; a second poll finds no second build."""
    times = (0, 1, 86_400_000, 315_532_800_000, 4_000_000_000_000, -5, None)
    for number, timestamp in enumerate(times):
        jenkins.job(f"f/x{number}", build(1, timestamp=timestamp))
    jenkins.folder("f", *(f"x{number}" for number in range(len(times))))
    for _ in range(2):
        assert regtracker("poll", source=jenkins.source(layout="folder", job="f")).exit_code == 0
    rows = store.rows(
        """SELECT job, flags, started_at BETWEEN '2026-01-01' AND now()::TIMESTAMP AS recent
        FROM builds ORDER BY job"""
    )
    assert [row["job"] for row in rows] == [f"f/x{number}" for number in range(len(times))]
    for row, timestamp in zip(rows, times, strict=True):
        assert "no_start_time" in row["flags"].split() and row["recent"], timestamp


def test_a_future_time_that_has_come_is_no_second_build(
    regtracker: Run, jenkins: Jenkins, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    jenkins.job("x", build(1, timestamp=4_000_000_000_000))
    source = jenkins.source(layout="job", job="x")
    assert regtracker("poll", source=source).exit_code == 0
    monkeypatch.setattr("data.model.input_checks.AHEAD_S", 1e12)
    jenkins.job("x", build(1, timestamp=4_000_000_000_000, displayName="renamed"))
    assert regtracker("backfill", "--source", "ci", "--from", "1", "--to", "1").exit_code == 0
    assert regtracker("rebuild").exit_code == 0
    (row,) = store.rows("SELECT number, flags FROM builds")
    assert "no_start_time" in row["flags"].split()


@pytest.mark.parametrize("text", ["1970-01-01", "1980-01-01T00:00:00Z", "2999-01-01", "2026-13-01"])
def test_an_import_cannot_start_near_the_epoch_or_in_the_future(regtracker: Run, tmp_path: Path, text: str) -> None:
    names = ("--release", "9.2", "--module", "routing", "--started-at", text)
    answer = regtracker("import", report(tmp_path, "a.xml", "P"), *names)
    assert answer.exit_code == 2
    assert text[:4] in answer.stderr
    assert any(words in answer.stderr for words in ("before 2001", "in the future", "not an ISO 8601 time"))


def test_a_library_is_not_the_commit_of_a_build(regtracker: Run, jenkins: Jenkins, store: Store) -> None:
    def checkout(revision: str, remote: str) -> dict[str, Any]:
        return {"lastBuiltRevision": {"SHA1": revision}, "remoteUrls": [remote]}

    library = checkout("a" * 40, "https://git.example.com/jenkins-shared-library.git")
    own = [checkout(str(n) * 40, "https://git.example.com/shop.git") for n in range(5)]
    builds = [
        build(n, letter, days=n, actions=[library, own[n]][:: 1 if n % 2 else -1]) for n, letter in enumerate("PPFF", 1)
    ]
    jenkins.job("x", *builds)
    assert regtracker("poll", source=jenkins.source(layout="job", job="x")).exit_code == 0
    assert kinds(store) == [("regression", 3, 2)]
    revisions = store.rows("SELECT revision FROM builds ORDER BY number")
    assert [row["revision"] for row in revisions] == [str(n) * 40 for n in range(1, 5)]
    (verdict,) = verdicts.verdicts(store, Filter("main"))
    assert verdict["kinds"] == ["regression"]


@pytest.mark.parametrize(("job", "revisions"), [("skew", [None] * 4), ("libfirst", [str(n) * 40 for n in range(1, 5)])])
def test_the_given_jobs(cases: Path, regtracker: Run, job: str, revisions: list[str | None], store: Store) -> None:
    spec = importlib.util.spec_from_file_location("replay", cases / "jenkins" / "replay.py")
    assert spec and spec.loader
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    server = replay.serve(0)
    try:
        url = f"http://127.0.0.1:{server.server_port}/ci/jenkins/"
        source = {"name": "ci", "url": url, "layout": "job", "job": job, "release_fixed": "main"}
        answer = regtracker("poll", "--json", source=source | {"results": ["test_report"]})
        assert json.loads(answer.stdout)["ingested"] == 4
    finally:
        server.shutdown()
        server.server_close()
    assert kinds(store) == [("regression", 3, 2)]
    found = store.rows("SELECT revision FROM builds ORDER BY number")
    assert [row["revision"] for row in found] == revisions
    (verdict,) = verdicts.verdicts(store, Filter("main"))
    assert verdict["kinds"] == ["regression"]
