"""The command line of ingestion: what it prints, its exit codes, and one clear line for whatever can be wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests as http
from click.testing import CliRunner, Result
from webserver import Answer, WebServer, eventually

from data import raw, requests
from data.queries import ingest as queries
from data.settings import load
from data.store import Store
from ingest.simulator import Programme, SimulatorServer
from regtracker import main

Run = Callable[..., Result]
JUNIT = b'<testsuite name="s"><testcase classname="c" name="a"/><testcase classname="c" name="b"><error/></testcase>'
JUNIT += b'<testcase classname="c" name="d"><skipped/></testcase></testsuite>'


@pytest.fixture
def regtracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Run:
    """Runs a verb with a home and a configuration of its own: regtracker("poll", "--json", source={...})."""
    config = tmp_path / "regtracker.toml"
    config.touch()
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))

    def run(*arguments: str, source: dict[str, Any] | None = None) -> Result:
        if source:
            lines = [f"{key} = {toml(value)}" for key, value in source.items()]
            config.write_text("[[source]]\n" + "\n".join(lines))
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    return run


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def job(web: WebServer, *numbers: int) -> dict[str, Any]:
    """A job `x` whose builds each have one JUnit report; the source that reads it."""
    builds = [{"number": number, "timestamp": 1_700_000_000_000 + number} for number in sorted(numbers, reverse=True)]
    web.routes["/job/x/api/json"] = {"nextBuildNumber": max(numbers) + 1, "builds": builds}
    for number in numbers:
        web.routes[f"/job/x/{number}/api/json"] = {
            "building": False,
            "result": "UNSTABLE",
            "displayName": f"VER: 7.0.0.{number}",
            "timestamp": 1_700_000_000_000 + number,
            "artifacts": [{"relativePath": "r.xml"}],
        }
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(JUNIT)
    return {"name": "ci", "url": web.url, "layout": "job", "job": "x"}


def test_poll_answers_with_one_object(web: WebServer, regtracker: Run) -> None:
    result = regtracker("poll", "--json", source=job(web, 1, 2))
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer.pop("seconds") >= 0
    counts = {"found": 2, "runs": 0, "ingested": 2, "running": 0, "failed": 0, "gone": 0, "results": 6}
    assert answer == counts | {"errors": [], "failures": []}
    assert "0 builds found" in regtracker("poll").stdout


def test_poll_says_which_build_failed_and_reads_it_the_next_time(web: WebServer, regtracker: Run) -> None:
    source = job(web, 1, 2)
    good = web.routes["/job/x/1/api/json"]
    web.routes["/job/x/1/api/json"] = Answer(b"", 500)
    result = regtracker("poll", "--json", source=source)
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    (failure,) = answer.pop("failures")
    assert failure in result.stderr and "500" in failure
    assert answer | {"seconds": 0} == {
        "found": 2,
        "runs": 0,
        "ingested": 1,
        "running": 0,
        "failed": 1,
        "gone": 0,
        "results": 3,
        "seconds": 0,
        "errors": [],
    }
    assert result.stderr.count("job/x/1/") == 1 and "500" in result.stderr
    web.routes["/job/x/1/api/json"] = good
    result = regtracker("poll", "--json")
    assert (result.exit_code, json.loads(result.stdout)["ingested"]) == (0, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "cannot be reached"),
        (Answer(b"", 401), "refuses this user or token (401)"),
        (Answer(b"", 403, {"X-You-Are-Authenticated-As": "anonymous"}), "does not let anonymous users read (403)"),
        (Answer(b"", 404), "has nothing (404)"),
        (Answer(b"", 302, {"Location": "https://sso.example.com/"}), "redirects to sso.example.com"),
        (Answer(b"<html>", 503, {"Content-Type": "text/html"}), "is starting, stopping or overloaded (503)"),
        (Answer(b'{"nextBuildNumber": 1', headers={"Content-Type": "application/json"}), "JSON that breaks off"),
        (Answer(b"<html>Welcome</html>", headers={"Content-Type": "text/html"}), "web page instead of JSON"),
    ],
    ids=["unreachable", "401", "403", "404", "302", "503", "truncated", "html"],
)
def test_what_is_wrong_with_a_jenkins_is_one_line(
    web: WebServer, regtracker: Run, answer: Answer | None, words: str
) -> None:
    """check tells it, poll tells it and exits with 2, and when all is well again the next poll goes on."""
    source = job(web, 1)
    if answer is None:
        broken = source | {"url": "http://127.0.0.1:9/"}
    else:
        good = web.routes["/job/x/api/json"]
        web.routes["/job/x/api/json"] = answer
        web.routes["/api/json"] = {"nodeDescription": "the root answers"}
        broken = source
    checked = regtracker("check", "--json", source=broken)
    (finding,) = json.loads(checked.stdout)["sources"]
    assert checked.exit_code == 2 and not finding["ok"]
    assert len(finding["problems"]) == 1 and words in finding["problems"][0]
    polled = regtracker("poll", "--json")
    assert polled.exit_code == 2
    (error,) = json.loads(polled.stdout)["errors"]
    assert words in error and error.startswith("ci: ") and "\n" not in error
    if answer is not None:
        web.routes["/job/x/api/json"] = good
    assert json.loads(regtracker("poll", "--json", source=source).stdout)["ingested"] == 1


def test_check_shows_what_the_rules_make_of_the_last_builds(web: WebServer, regtracker: Run) -> None:
    source = job(web, *range(1, 9)) | {"owner": "tests/(?P<module>[^/]+)/"}
    result = regtracker("check", source=source)
    assert result.exit_code == 0
    assert "x #8 'VER: 7.0.0.8' (final): release 7.0; version 7.0.0.8; environment default; module x" in result.stdout
    assert "3 tests owned by x 3" in result.stdout
    (finding,) = json.loads(regtracker("check", "--json").stdout)["sources"]
    assert [build["number"] for build in finding["builds"]] == [8, 7, 6]
    assert finding["jenkins"] == "2.528"
    web.routes["/job/x/8/api/json"]["displayName"] = "#8"
    assert "remark: no release for x #8" in regtracker("check").stdout
    with closing(Store.open(load())) as store:
        assert store.value("SELECT count(*) FROM builds") == 0
    del web.routes["/job/x/7/api/json"]
    result = regtracker("check")
    assert result.exit_code == 2 and "/job/x/7/" in result.stdout
    assert "x #6 " in result.stdout  # the others are shown all the same


@pytest.mark.parametrize("verb", ["poll", "check", "backfill"])
def test_a_source_that_does_not_exist(regtracker: Run, verb: str) -> None:
    result = regtracker(verb, "--source", "nope", source={"name": "ci", "url": "http://h/", "job": "x"})
    assert result.exit_code == 2 and "There is no source 'nope'; configured: ci." in result.stderr


def test_a_wrong_configuration_is_answered_with_the_key(regtracker: Run) -> None:
    result = regtracker("poll", source={"name": "ci", "url": "ftp://h/", "job": "x"})
    assert result.exit_code == 2 and "url = 'ftp://h/'" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("REGTRACKER_WEB__PORT", "many", "environment variable REGTRACKER_WEB__PORT = 'many': "),
        ("REGTRACKER_SOURCE", "{", 'parsing value for field "source"'),
    ],
)
def test_a_wrong_environment_is_not_blamed_on_the_file(
    regtracker: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = regtracker("poll")
    assert result.exit_code == 2 and words in result.stderr and "toml" not in result.stderr


@pytest.mark.parametrize("verb", ["poll", "ingest", "backfill", "rebuild", "import", "parse", "check"])
def test_every_verb_explains_itself(regtracker: Run, verb: str) -> None:
    result = regtracker(verb, "--help")
    assert result.exit_code == 0 and f"Example: regtracker {verb}" in result.stdout


def test_parse_answers_with_a_line_a_file(tmp_path: Path, regtracker: Run) -> None:
    (tmp_path / "a.xml").write_bytes(JUNIT)
    (tmp_path / "b.xml").write_bytes(b"<html></html>")
    (tmp_path / "c.xml").write_bytes(b"")
    files = [str(tmp_path / name) for name in ("a.xml", "b.xml", "c.xml", "missing.xml")]
    result = regtracker("parse", "--json", *files)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [line["status"] for line in lines] == ["ok", "not_junit", "error", "error"]
    counts = {name: lines[0][name] for name in ("tests", "passed", "failed", "errors", "skipped", "suites")}
    assert counts == {"tests": 3, "passed": 1, "failed": 1, "errors": 1, "skipped": 1, "suites": 1}
    assert set(lines[0]) == {"file", "status", *counts, "duration", "warnings"}
    assert regtracker("parse", files[0]).exit_code == 0


def test_parse_and_import_agree_on_what_a_retry_is(tmp_path: Path, regtracker: Run) -> None:
    case = b'<testcase classname="c" name="a">%s</testcase>'
    suite = b'<testsuite name="s">' + case % b"<failure/>" + case % b"" + b"</testsuite>"
    (tmp_path / "a.xml").write_bytes(suite)
    parsed = json.loads(regtracker("parse", "--json", str(tmp_path / "a.xml")).stdout)
    assert parsed["tests"] == 2
    assert parsed["warnings"] == ["1 of the results count as earlier attempts of a retry: tests in the store: 1"]
    imported = regtracker("import", "--json", str(tmp_path / "a.xml"), "--release", "7.0", "--module", "m")
    assert json.loads(imported.stdout)["total"] == 1


def test_an_archive_within_an_archive_is_named_as_what_it_is(tmp_path: Path, regtracker: Run) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.xml", JUNIT)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.xml", JUNIT)
        archive.writestr("b.xml", inner.getvalue())
        archive.writestr("c.xml", gzip.compress(JUNIT))
    result = regtracker("import", "--json", str(tmp_path / "all.zip"), "--release", "7.0", "--module", "m")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["total"]) == (1, 3)
    assert answer["warnings"] == [
        "b.xml: a zip archive: what is in it is not read",
        "c.xml: a gzip archive: what is in it is not read",
    ]


def test_rebuild_of_what_was_imported_alone(web: WebServer, tmp_path: Path, regtracker: Run) -> None:
    regtracker("poll", source=job(web, 1, 2))
    (tmp_path / "a.xml").write_bytes(JUNIT)
    regtracker("import", str(tmp_path / "a.xml"), "--release", "7.0", "--module", "m")
    answers = [
        json.loads(regtracker("rebuild", "--json", "--source", name).stdout) for name in ("import", "upload", "ci")
    ]
    assert [answer["builds"] for answer in answers] == [1, 0, 2]


def test_rebuild_after_a_change_of_rules_says_what_changed(web: WebServer, regtracker: Run) -> None:
    source = job(web, 1, 2)
    regtracker("poll", source=source)
    unchanged = json.loads(regtracker("rebuild", "--json").stdout)
    assert (unchanged["builds"], unchanged["results"], unchanged["changed"]) == (2, 6, 0)
    changed = source | {"release": r"^(?P<release>\d+\.\d+\.\d+)"}
    told = regtracker("rebuild", "--dry-run", source=changed).stdout
    assert "release: 2 builds" in told and "x #1: release '7.0' -> '7.0.0'" in told
    with closing(Store.open(load())) as store:
        assert store.rows("SELECT DISTINCT release FROM runs") == [{"release": "7.0"}]
    assert json.loads(regtracker("rebuild", "--json").stdout)["changed"] == 2
    with closing(Store.open(load())) as store:
        for table in ("runs", "builds", "results", "build_counts"):
            assert store.rows(f"SELECT DISTINCT release FROM {table}") == [{"release": "7.0.0"}]
        assert store.value("SELECT count(*) FROM run_builds") == store.value("SELECT count(*) FROM runs") == 2


def test_backfill_tells_what_it_did(web: WebServer, regtracker: Run) -> None:
    source = job(web, 1, 2, 3) | {"history": 1}
    assert json.loads(regtracker("poll", "--json", source=source).stdout)["ingested"] == 1
    result = regtracker("backfill", "--source", "ci", "--from", "1", "--to", "2", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0 and (answer["found"], answer["ingested"], answer["results"]) == (2, 2, 6)
    wrong = regtracker("backfill", "--source", "ci", "--from", "1", "--to", "2025-01-01")
    assert wrong.exit_code == 2 and "number to number" in wrong.stderr
    for bounds, words in ((("9", "2"), "is empty"), (("2025-02-01", "2025-01-31"), "is empty"), (("x", "2"), "'x' is")):
        wrong = regtracker("backfill", "--source", "ci", "--from", bounds[0], "--to", bounds[1])
        assert wrong.exit_code == 2 and words in wrong.stderr


def test_an_import_tells_by_its_exit_code_that_a_file_could_not_be_read(tmp_path: Path, regtracker: Run) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "a.xml").write_bytes(JUNIT)
    (reports / "pom.xml").write_bytes(b"<project/>")
    arguments = ("import", str(reports), "--release", "7.0", "--module", "m", "--build", "1", "--json")
    assert regtracker(*arguments).exit_code == 0
    (reports / "b.xml").write_bytes(b"")
    result = regtracker(*arguments)
    answer = json.loads(result.stdout)
    assert result.exit_code == 1 and answer["total"] == 3 and "b.xml: cannot be read" in answer["warnings"][0]
    wrong = regtracker(*arguments, "--started-at", "yesterday")
    assert wrong.exit_code == 2 and "'yesterday' is no ISO 8601 time" in wrong.stderr
    assert "'yesterday'" in json.loads(wrong.stdout)["error"]
    (reports / "a.xml").unlink()
    nothing = regtracker(*arguments)
    answer = json.loads(nothing.stdout)
    assert nothing.exit_code == 1 and answer["paths"] == [str(reports)] and "no test result" in answer["error"]


def test_a_bad_input_leaves_the_good_ones_of_an_import(tmp_path: Path, regtracker: Run) -> None:
    paths = {name: tmp_path / name for name in ("good.zip", "cut.zip", "damaged.zip", "alone.xml", "missing.xml")}
    with zipfile.ZipFile(paths["good.zip"], "w") as archive:
        archive.writestr("a.xml", JUNIT)
    whole = paths["good.zip"].read_bytes()
    paths["cut.zip"].write_bytes(whole[: len(whole) // 2])
    paths["damaged.zip"].write_bytes(whole.replace(b'name="b"', b'name="x"', 1))
    paths["alone.xml"].write_bytes(JUNIT.replace(b'"c"', b'"other"'))
    arguments = ("import", "--release", "7.0", "--module", "m", "--build", "1", "--json")
    result = regtracker(*arguments, *map(str, paths.values()))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    told = {answer["paths"][0]: answer["error"] for answer in answers if "error" in answer}
    assert result.exit_code == 1 and [answer["total"] for answer in answers if "total" in answer] == [6]
    assert told.keys() == {str(paths[name]) for name in ("cut.zip", "damaged.zip", "missing.xml")}
    assert "cut short or no zip" in told[str(paths["cut.zip"])]
    assert all(f"{path}: {why}" in result.stderr for path, why in told.items())
    with closing(Store.open(load())) as store:
        assert store.value("SELECT total FROM builds") == 6
    alone = regtracker(*arguments, str(paths["cut.zip"]))
    assert alone.exit_code == 1 and list(json.loads(alone.stdout)) == ["paths", "error"]


def test_zips_in_a_folder_are_read_and_what_is_left_alone_is_told(tmp_path: Path, regtracker: Run) -> None:
    reports = tmp_path / "reports"
    (reports / "sub").mkdir(parents=True)
    (reports / "a.xml").write_bytes(JUNIT)
    with zipfile.ZipFile(reports / "sub" / "more.zip", "w") as archive:
        archive.writestr("a.xml", JUNIT.replace(b'"c"', b'"other"'))
    whole = (reports / "sub" / "more.zip").read_bytes()
    for name, content in {
        "cut.zip": whole[:60],
        "old.tar.gz": b"\x1f\x8b\x08",
        "packed.jar": whole,
        "result.junit": JUNIT,
        "notes.md": b"no report",
    }.items():
        (reports / name).write_bytes(content)
    arguments = ("--release", "7.0", "--module", "m", "--build", "1", "--json")
    result = regtracker("import", str(reports), *arguments)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    bad, stored = answers
    assert result.exit_code == 1 and (stored["total"], stored["files"]) == (6, 2)
    assert bad["paths"] == [str(reports / "cut.zip")] and "cut short or no zip" in bad["error"]
    told = {Path(warning.split(": ")[0]).name for warning in stored["warnings"]}
    assert told == {"cut.zip", "old.tar.gz", "packed.jar", "result.junit"}
    with closing(Store.open(load())) as store:
        assert store.rows("SELECT total, flags FROM builds") == [{"total": 6, "flags": "unreadable"}]
    (reports / "cut.zip").unlink()
    assert regtracker("import", str(reports), *arguments).exit_code == 0, "what is left alone is no failure"


def test_a_file_that_several_paths_lead_to_counts_once(tmp_path: Path, regtracker: Run) -> None:
    reports = tmp_path / "reports"
    (reports / "sub").mkdir(parents=True)
    (reports / "sub" / "a.xml").write_bytes(JUNIT)
    (tmp_path / "link.xml").symlink_to(reports / "sub" / "a.xml")
    paths = [reports / "sub" / "a.xml", reports, reports / "sub", tmp_path / "link.xml", reports / "sub" / "a.xml"]
    result = regtracker("import", *map(str, paths), "--release", "7.0", "--module", "m", "--json")
    (answer,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (answer["total"], answer["files"], answer["warnings"]) == (3, 1, [])


def test_what_lies_beside_numbered_folders_is_told(tmp_path: Path, regtracker: Run) -> None:
    module = tmp_path / "logs" / "7.0" / "routing"
    (module / "41" / "junit" / "5s").mkdir(parents=True)
    (module / "41" / "junit" / "5s" / "r.xml").write_bytes(JUNIT)
    (module / "42.zip").write_bytes(b"PK")
    (module / "notes.md").write_bytes(b"no report")
    (tmp_path / "alone.xml").write_bytes(JUNIT)
    result = regtracker("import", str(tmp_path / "logs"), str(module), "--json")
    skipped, stored = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0 and (stored["number"], stored["total"]) == (41, 3)
    assert skipped["paths"] == [str(module / "42.zip")] and str(module / "42.zip") in result.stderr
    mixed = regtracker("import", str(module), str(tmp_path / "alone.xml"))
    assert mixed.exit_code == 2 and "release is missing" in mixed.stderr


@pytest.fixture
def ingest(tmp_path: Path, regtracker: Run) -> Iterator[Callable[[dict[str, Any]], subprocess.Popen]]:
    """Starts the ingest process with one source."""
    started: list[subprocess.Popen] = []

    def start(source: dict[str, Any]) -> subprocess.Popen:
        regtracker("--version", source=source)
        process = subprocess.Popen(
            [sys.executable, "-m", "regtracker", "ingest"], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ingest_carries_out_requests_and_ends_when_asked(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    process = ingest(job(web, 1) | {"poll_minutes": 1000})
    with closing(Store.open(load())) as store:
        eventually(lambda: store.value("SELECT count(*) FROM builds") == 1)
        job(web, 1, 2)
        poll = requests.submit(store, "poll", "ci", {}, "someone")
        eventually(lambda: requests.status(store, poll).state == "done")
        assert requests.status(store, poll).payload["ingested"] == 1
        job(web, 1, 2, 3, 4)
        web.routes["/job/x/1/artifact/r.xml"] = Answer(JUNIT.replace(b"<error/>", b""))
        del web.routes["/job/x/4/artifact/r.xml"], web.routes["/job/x/4/api/json"]
        find = requests.submit(store, "discover", "ci", {"from": "2"}, "someone")
        eventually(lambda: requests.status(store, find).state == "done")
        listed = requests.status(store, find).payload["listed"]
        assert [(row["number"], row["held"]) for row in listed] == [(4, False), (3, False), (2, True)]
        picked = requests.submit(store, "build", "ci", {"urls": [row["url"] for row in listed]}, "someone")
        eventually(lambda: requests.status(store, picked).state == "done")
        assert "1 of 3 builds could not be read" in requests.status(store, picked).error
        assert requests.status(store, picked).payload["progress"] == {"done": 3, "total": 3}
        assert store.rows("SELECT number FROM builds WHERE job = 'x' ORDER BY number") == [
            {"number": number} for number in (1, 2, 3)
        ]
        url = "http://wrong.example.com:8080/view/all/job/x/1/"
        one = requests.submit(store, "build", "ci", {"url": url}, "someone")
        nowhere = requests.submit(store, "poll", "nope", {}, "someone")
        late = requests.submit(store, "backfill", "ci", {"from": "1"}, "someone")
        file = raw.pack("r.xml", "file", JUNIT)
        metadata = {"release": "9.0", "module": "m", "number": 3}
        cut = raw.pack_zip("cut.zip", "file", b"PK\x03\x04 and no more")
        upload = requests.submit(store, "upload", "", metadata, "someone", [file, cut])
        bad = requests.submit(store, "upload", "", {"release": "9.0"}, "someone", [file])
        ended = ("done", "failed")
        for request in (one, nowhere, late, upload, bad):
            eventually(lambda request=request: requests.status(store, request).state in ended)
        assert [requests.status(store, request).state for request in (one, nowhere, late, upload, bad)] == [
            *("done", "failed", "done", "done", "failed")
        ]
        assert "no source 'nope'" in requests.status(store, nowhere).error
        assert "module is missing" in requests.status(store, bad).error
        assert "stored, but not all of it could be read: cut.zip: cut short" in requests.status(store, upload).error
        assert store.rows("SELECT failed FROM builds WHERE job = 'x' AND number = 1") == [{"failed": 0}]
        assert store.rows("SELECT source, module, total FROM builds WHERE release = '9.0'") == [
            {"source": "upload", "module": "m", "total": 3}
        ]
        assert store.value("SELECT count(*) FROM raw_files WHERE build IN (SELECT request FROM requests)") == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_quiet_source_is_never_stale(web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]) -> None:
    """Its polls find nothing and leave no snapshot, and yet the last and the next are known."""
    process = ingest(job(web, 1) | {"poll_minutes": 0.02})
    with closing(Store.open(load())) as store:
        eventually(lambda: store.value("SELECT count(*) FROM builds") == 1)
        eventually(lambda: queries.status(store)[0]["next_poll"] is not None)
        before, (first,) = store.snapshot().id, queries.status(store)
        eventually(lambda: queries.status(store)[0]["last_poll"] > first["next_poll"])
        (row,) = queries.status(store)
        assert row["next_poll"] > row["last_poll"] and row["last_error"] is None and row["requests"] == 1
        assert store.value("SELECT count(*) FROM poll_log") == 1 and store.snapshot().id == before
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def change(store: Store, sql: str) -> None:
    store.transact("test", sql, lambda cursor: cursor.execute(sql))


def test_a_picked_build_is_one_build(
    web: WebServer, regtracker: Run, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    """However old: polls go on wanting what they wanted, and the numbers between are no gap."""
    process = ingest(job(web, *range(1, 31)) | {"poll_minutes": 1000, "history": 5})
    with closing(Store.open(load())) as store:

        def held() -> list[int]:
            return [row["number"] for row in store.rows("SELECT number FROM builds ORDER BY number")]

        def done(kind: str, **payload: str) -> None:
            request = requests.submit(store, kind, "ci", payload, "someone")
            eventually(lambda: requests.status(store, request).state == "done")

        eventually(lambda: held() == [*range(26, 31)])
        done("build", url=f"{web.url}job/x/2/")
        done("backfill", **{"from": "4", "to": "4"})
        assert regtracker("backfill", "--source", "ci", "--from", "6", "--to", "6").exit_code == 0
        job(web, *range(1, 32))
        done("poll")
        change(store, "UPDATE jobs SET next_build = 1")  # the job is listed anew
        done("poll")
        assert held() == [2, 4, 6, *range(26, 32)]
        assert queries.gaps(store) == []
        change(store, "DELETE FROM builds WHERE number = 28")
        change(store, "DELETE FROM runs WHERE number = 28")
        assert [(row["first"], row["last"]) for row in queries.gaps(store)] == [(28, 28)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_ingest_ends_in_the_middle_of_a_poll(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    source = job(web, *range(1, 60))
    for number in range(1, 60):
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(JUNIT, pause_s=0.2)
    web.routes["/job/x/30/artifact/r.xml"] = Answer(JUNIT, pause_s=600)
    process = ingest(source | {"poll_minutes": 1000})
    eventually(lambda: len(web.asked) > 20)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0 and time.monotonic() - began < 30
    with closing(Store.open(load())) as store:
        held = store.value("SELECT count(*) FROM builds")
        assert store.value("SELECT count(*) FROM results") == 3 * held
        assert held + store.value("SELECT count(*) FROM ledger") == 59


def test_a_running_build_is_shown_as_it_goes_on_and_completed(
    ingest: Callable[[dict[str, Any]], subprocess.Popen],
) -> None:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        ingest(server.sources()[1] | {"poll_minutes": 0.02})
        with closing(Store.open(load())) as store:
            eventually(lambda: store.value("SELECT count(*) FROM runs WHERE state = 'running'") == 1)
            http.post(f"{server.url}_sim/advance", json={"finish": True}, timeout=30)
            request = requests.submit(store, "poll", server.sources()[1]["name"], {}, "someone")
            eventually(lambda: requests.status(store, request).state == "done")
            truth = server.truth()["sources"]["sim-7.1"]
            eventually(lambda: store.value("SELECT sum(total) FROM builds WHERE state = 'final'") == truth["results"])
            assert store.value("SELECT count(*) FROM runs WHERE state = 'running'") == 0
