"""The command line of ingestion: what it prints, its exit codes, and one clear line for whatever can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from support.fake_server import JUNIT, Answer, WebServer, job

from data.lake.store import Store
from data.settings import load

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


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
        (Answer(b"", 401), "rejects this user or token (401)"),
        (Answer(b"", 403, {"X-You-Are-Authenticated-As": "anonymous"}), "does not let anonymous users read (403)"),
        (Answer(b"", 404), "has nothing (404)"),
        (Answer(b"", 302, {"Location": "https://sso.example.com/"}), "redirects to sso.example.com"),
        (Answer(b"<html>", 503, {"Content-Type": "text/html"}), "is starting, stopping or overloaded (503)"),
        (Answer(b'{"nextBuildNumber": 1', headers={"Content-Type": "application/json"}), "JSON that is cut short"),
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
    reported = regtracker("rebuild", "--dry-run", source=changed).stdout
    assert "release: 2 builds" in reported and "x #1: release '7.0' -> '7.0.0'" in reported
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
    assert wrong.exit_code == 2 and "not one of each" in wrong.stderr
    for bounds, words in ((("9", "2"), "is empty"), (("2025-02-01", "2025-01-31"), "is empty"), (("x", "2"), "'x' is")):
        wrong = regtracker("backfill", "--source", "ci", "--from", bounds[0], "--to", bounds[1])
        assert wrong.exit_code == 2 and words in wrong.stderr


@pytest.mark.parametrize(
    ("catalog", "cause", "advice"),
    [
        ("postgresql://user:secret@127.0.0.1:1/x", "Connection refused", "Start PostgreSQL there"),
        ("postgresql://user:secret@nowhere.invalid/x", "could not translate host name", "Correct the host name"),
        ("{home}/broken.sqlite", "file is not a database", "restore it from a backup"),
        ("{home}/folder.sqlite", "unable to open database file", "The path must be a file"),
    ],
)
def test_check_names_the_cause_of_a_dead_store_and_what_to_do(
    tmp_path: Path, regtracker: Run, monkeypatch: pytest.MonkeyPatch, catalog: str, cause: str, advice: str
) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"not a catalog " * 300)
    (tmp_path / "folder.sqlite").mkdir()
    config = tmp_path / "dead.toml"
    config.write_text(f'[store]\ncatalog = "{catalog.format(home=tmp_path)}"\ndata_path = "{tmp_path}/lake"\n')
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))
    checked = regtracker("check", "--json")
    assert checked.exit_code == 2 and json.loads(checked.stdout)["error"] == checked.stderr.strip()
    assert "\n" not in checked.stderr.strip() and cause in checked.stderr and advice in checked.stderr
    assert "regtracker check" not in checked.stderr and "secret" not in checked.stderr
