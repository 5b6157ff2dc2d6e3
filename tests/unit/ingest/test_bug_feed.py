"""The bug feed by the command line and the ingest process: what is stored, what is refused, and how it is reported."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.fake_server import Answer, WebServer
from support.store_builder import empty_store

from data.lake.store import Store
from data.queries import bugs
from data.settings import BugSettings, load
from data.tasks import poll_status
from ingest import bug_feed as feeds
from ingest.scheduler import IngestScheduler
from regtracker import main

Run = Callable[..., Result]
URL = "https://tracker.example.com/browse/"


def record(name: str, cases: Any = None, **reported: Any) -> dict[str, Any]:
    info = {"status": "Open", "summary": f"{name} breaks", "priority": "High", "resolution": None} | reported
    return {"defect_id": name, "URL": URL + name, "labels": ["net"], "case_id": cases, "jira_info": info}


FEED = {
    "NET": [record("NET-1", "C1, TC-2"), record("NET-2", None, status="Closed", resolution="Fixed")],
    "LAB": [{"defect_id": "LAB-7", "URL": URL + "LAB-7", "labels": [], "case_id": None, "jira_info": None}],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "regtracker.toml").touch()
    monkeypatch.setenv("REGTRACKER_CONFIG", str(tmp_path / "regtracker.toml"))
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    shutil.copytree(empty_store(), tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def read(home: Path, tmp_path: Path) -> Run:
    """Runs the verb over documents, each in a file of its own, and over addresses."""

    def run(*feeds: Any, options: tuple[str, ...] = ()) -> Result:
        places = []
        for number, feed in enumerate(feeds):
            if isinstance(feed, str):
                places.append(feed)
                continue
            file = tmp_path / f"feed{number}.json"
            file.write_bytes(feed if isinstance(feed, bytes) else json.dumps(feed).encode())
            places.append(str(file))
        return CliRunner().invoke(main, ["bugs", *places, *options], catch_exceptions=False)

    return run


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """The store as another process sees it."""
    with closing(Store.open(load(home=home))) as store:
        yield store


def states(store: Store) -> dict[str, str]:
    return {row["bug"]: row["state"] for state in (None, "gone") for row in bugs.bugs(store, state=state)}


def test_a_feed_is_stored_and_counted(home: Path, read: Run, store: Store) -> None:
    answer = read(FEED, options=("--json",))
    counts = {
        "bugs": 3,
        "added": 3,
        "changed": 0,
        "gone": 0,
        "links": 2,
        "matched": 0,
        "left_out": [],
        "warnings": [],
    }
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, counts)
    assert states(store) == {"NET-1": "open", "NET-2": "closed", "LAB-7": "open"}
    first = bugs.bug(store, "NET-1")
    assert (first["type"], first["url"], first["labels"]) == ("NET", URL + "NET-1", ["net"])
    assert first["case_ids"] == first["unmatched"] == ["C1", "TC-2"]
    assert bugs.bug(store, "NET-99") is None


def test_the_same_feed_commits_nothing_and_another_one_only_what_differs(home: Path, read: Run, store: Store) -> None:
    read(FEED)
    before = store.snapshot().id
    assert "0 new, 0 changed, 0 gone" in read(FEED).stdout
    assert store.snapshot().id == before
    changed = {"NET": [record("NET-1", "C1", status="Resolved"), record("NET-3", "C3")], "LAB": FEED["LAB"]}
    answer = json.loads(read(changed, options=("--json",)).stdout)
    assert (answer["added"], answer["changed"], answer["gone"], answer["links"]) == (1, 1, 1, 2)
    assert states(store) == {"NET-1": "closed", "NET-3": "open", "LAB-7": "open", "NET-2": "gone"}
    read(FEED)
    assert states(store) == {"NET-1": "open", "NET-2": "closed", "LAB-7": "open", "NET-3": "gone"}


def test_a_bad_record_is_reported_and_its_stored_bug_stays(home: Path, read: Run, store: Store) -> None:
    read({"NET": [record("NET-1"), record("NET-4")]})
    bad = [{"defect_id": "NET-4"}, "no record", {"URL": URL}, record("NET-5") | {"URL": "javascript:alert(1)"}]
    bad += [record("a b"), record("NET-6") | {"jira_info": "gone"}]
    answer = read({"NET": [*bad, record("NET-1"), record("NET-8", 8, priority={"name": "Low"})], "X": None})
    assert answer.exit_code == 1 and "2 bugs: 1 new" in answer.stdout
    for reason in (
        "NET[0]: NET-4: URL is missing",
        "NET[1]: is not an object",
        "NET[2]: defect_id is missing",
        "NET-5: URL",
    ):
        assert reason in answer.stderr
    assert "X: is not a list" in answer.stderr and answer.stderr.count("\n") == 7
    assert states(store) == {"NET-1": "open", "NET-4": "open", "NET-8": "open"}
    assert bugs.bug(store, "NET-8")["priority"] == "Low" and bugs.bug(store, "NET-8")["case_ids"] == ["8"]


def test_what_is_no_feed_changes_nothing(home: Path, read: Run, store: Store) -> None:
    read(FEED)
    for content in (b"{}", b'{"NET": []}', b"<html>login</html>", b'{"NET": [', b"7", b"[" * 200_000):
        answer = read(FEED, content)
        if content in (b"{}", b'{"NET": []}'):  # beside another one, an empty feed is one
            assert answer.exit_code == 0, content
            answer = read(content)
        assert answer.exit_code == 2 and "nothing was changed" in answer.stderr, content
        assert "Traceback" not in answer.stderr, content
        assert states(store) == {"NET-1": "open", "NET-2": "closed", "LAB-7": "open"}, content
        assert json.loads(read(content, options=("--json",)).stdout)["error"], content


def test_a_feed_without_any_case_keeps_the_links(home: Path, read: Run, store: Store) -> None:
    read(FEED)
    answer = read({"NET": [record("NET-1")]})
    assert answer.exit_code == 0 and "no bug of the feed names a test case; the links" in answer.stderr
    assert bugs.bug(store, "NET-1")["case_ids"] == ["C1", "TC-2"]


def test_a_missing_feed_is_reported(home: Path, read: Run) -> None:
    assert "set url in [bugs]" in read().stderr and read().exit_code == 2
    assert "cannot be read" in read("nowhere.json").stderr


def test_a_feed_comes_from_the_web_with_the_credentials_of_the_environment(
    home: Path, web: WebServer, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = "Basic " + base64.b64encode(b"reader:s3cret").decode()
    web.routes["/bugs.json"] = lambda request: (
        FEED if request.headers.get("Authorization") == wanted else Answer(b"", 401)
    )
    refused = read(web.url + "bugs.json")
    assert refused.exit_code == 2 and "REGTRACKER_BUGS_TOKEN" in refused.stderr
    home.parent.joinpath("regtracker.toml").write_text(f'[bugs]\nurl = "{web.url}bugs.json"\nuser = "reader"\n')
    monkeypatch.setenv("REGTRACKER_BUGS_TOKEN", "s3cret")
    answer = read()
    assert answer.exit_code == 0 and answer.stdout.startswith("3 bugs: 3 new")
    monkeypatch.setenv("REGTRACKER_BUGS_TOKEN", "wr0ng")
    assert "s3cret" not in read().stderr and "wr0ng" not in read().stderr


def test_a_server_that_misbehaves_is_reported_in_one_line(
    web: WebServer, read: Run, quick: None, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setattr(feeds, "MAX_BYTES", 4_000)
    for answer, reason in (
        (Answer(FEED, 503), "overloaded (503)"),
        (Answer(FEED, 500), "answered 500"),
        (Answer(b"<html>", 200), "is a web page"),
        (Answer(json.dumps(FEED).encode(), cut=9), "cannot be read|broke off"),
        (Answer(FEED, pause_s=600), "did not answer within 0.3 s"),
        (Answer(b" " * 5_000), "is larger than"),
    ):
        web.routes["/bugs.json"] = answer
        monkeypatch.setenv("REGTRACKER_BUGS__TIMEOUT_S", "0.3" if answer.pause_s else "60")
        reported = read(web.url + "bugs.json")
        assert reported.exit_code == 2 and any(part in reported.stderr for part in reason.split("|")), reported.stderr
        assert reported.stderr.count("\n") == 1 and states(store) == {}, reason


def test_a_busy_server_is_asked_again_when_it_wants(web: WebServer, read: Run, quick: None, store: Store) -> None:
    web.routes["/bugs.json"] = [Answer(b"", 503, {"Retry-After": "0"}), Answer(json.dumps(FEED).encode(), cut=9), FEED]
    assert read(web.url + "bugs.json").exit_code == 0 and len(web.received) == 3
    assert "NET-1" in states(store)


def test_a_secret_in_the_query_of_an_address_is_not_shown(web: WebServer, read: Run) -> None:
    reported = read(web.url + "bugs.json?api_key=s3cret")
    assert "answered 404" in reported.stderr and "s3cret" not in reported.stderr


def test_a_password_in_an_address_is_refused_and_not_repeated(home: Path, read: Run) -> None:
    reported = read("https://me:s3cret@tracker.example.com/bugs.json")
    assert (
        reported.exit_code == 2 and "must not contain a password" in reported.stderr and "s3cret" not in reported.stderr
    )
    home.parent.joinpath("regtracker.toml").write_text('[bugs]\nurl = "https://me:s3cret@tracker.example.com/"\n')
    reported = read()
    assert reported.exit_code == 2 and "bugs.url" in reported.stderr and "s3cret" not in reported.stderr
    home.parent.joinpath("regtracker.toml").write_text('[bugs]\ntoken = "s3cret"\n')
    reported = read()
    assert reported.exit_code == 2 and "REGTRACKER_BUGS_TOKEN" in reported.stderr and "s3cret" not in reported.stderr


def test_the_ingest_process_reads_it_and_survives_a_bad_one(home: Path, web: WebServer, caplog, store: Store) -> None:
    web.routes["/bugs.json"] = [FEED, Answer(b"not JSON"), {"NET": [record("NET-1", "C1, TC-2")]}]
    ingest = IngestScheduler(load(home=home, bugs=BugSettings(url=web.url + "bugs.json")))
    try:
        before = {"NET-1": "open", "NET-2": "closed", "LAB-7": "open"}
        after = {"NET-1": "open", "NET-2": "gone", "LAB-7": "gone"}
        for wanted, error in ((before, None), (before, "is not JSON"), (after, None)):
            ingest.read_bug_feed()
            assert states(store) == wanted
            reported = poll_status.feed_status(ingest.store)
            assert reported["last_error"] is None if error is None else error in reported["last_error"]
            assert reported["next_read"] > reported["last_read"]
    finally:
        ingest.store.close()
    assert "is not JSON" in caplog.text


def test_which_statuses_mean_closed_is_configuration(home: Path, read: Run, store: Store) -> None:
    home.parent.joinpath("regtracker.toml").write_text('[bugs]\nclosed = ["Parked"]\n')
    read({"NET": [record("NET-1", status="parked"), record("NET-2", status="Closed")]})
    assert states(store) == {"NET-1": "closed", "NET-2": "open"}


def test_a_case_that_several_tests_have_is_reported(home: Path, read: Run, tmp_path: Path, store: Store) -> None:
    suite = '<testsuite><testcase classname="{}" name="test_flap"/></testsuite>'
    for number, kind in enumerate(("A", "B"), 1):
        (tmp_path / "report.xml").write_text(suite.format(kind))
        options = ["--release", "7.0", "--module", "m", "--build", str(number)]
        assert CliRunner().invoke(main, ["import", str(tmp_path / "report.xml"), *options]).exit_code == 0
    (tmp_path / "cases.csv").write_text("testcase_name,case_id\ntest_flap,C1\nB::test_flap,C2\n")
    answer = CliRunner().invoke(main, ["import", "--metadata", str(tmp_path / "cases.csv")])
    assert answer.exit_code == 0 and "test_flap matches 2 tests: give file and class" in answer.output
    answer = read({"NET": [record("NET-1", "C1"), record("NET-2", "C2")]}, options=("--json",))
    assert json.loads(answer.stdout)["warnings"] == ["C1: test_flap matches 2 tests: give file and class"]
    assert bugs.bug(store, "NET-1")["affected"] == []
    assert [row["key"] for row in bugs.bug(store, "NET-2")["affected"]] == ["::B::test_flap"]
