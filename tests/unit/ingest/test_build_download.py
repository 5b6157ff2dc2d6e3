"""Where results come from when no JUnit file holds them, and what of an API answer may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_server import Answer, WebServer, source_of, store_of

from ingest.artifacts import claimed_by, full_path, glob_regex
from ingest.jenkins.build_details import read_build_detail
from ingest.layouts.naming_rules import NamingRules, base_name
from ingest.pipeline import Pipeline

pytestmark = pytest.mark.slow

TESTNG = """<testng-results total="2" passed="1" failed="1"><suite name="s"><test name="t"><class name="c.D">
<test-method name="up" status="PASS" duration-ms="10" signature="up()"/>
<test-method name="flap" status="FAIL" duration-ms="10" signature="flap()"><exception class="E"><message>boom</message>
</exception></test-method></class></test></suite></testng-results>"""
TAP = "1..2\nok 1 - up\nnot ok 2 - flap\n"
CONSOLE = "\x1b[8mha:abc=\x1b[0mtest up ... PASSED\nnoise\ntest flap ... FAILED\n"


def serve(web: WebServer, files: dict[str, str], **facts: Any) -> None:
    web.routes["/job/x/api/json"] = {"nextBuildNumber": 2, "builds": [{"number": 1}]}
    web.routes["/job/x/1/api/json"] = {
        "building": False,
        "result": "UNSTABLE",
        "timestamp": 1_700_000_000_000,
        "artifacts": [{"relativePath": path} for path in files],
        **facts,
    }
    for path, text in files.items():
        web.routes[f"/job/x/1/artifact/{path}"] = Answer(text.encode())


@pytest.mark.parametrize(
    ("results", "files"),
    [
        (["testng:**/testng-results.xml"], {"out/testng-results.xml": TESTNG}),
        (["junit:**/*.xml", "test_report"], {"out/testng-results.xml": TESTNG}),
        (["tap:**/*.tap"], {"out/a.tap": TAP}),
        (["junit:**/*.xml", "console"], {}),
    ],
    ids=["testng", "testng met by a pattern for junit", "tap", "console"],
)
def test_results_of_every_kind(web: WebServer, tmp_path: Path, results: list[str], files: dict[str, str]) -> None:
    serve(web, files)
    web.routes["/job/x/1/consoleText"] = Answer(CONSOLE.encode())
    console = [{"pattern": r"^test (?P<name>\S+) \.\.\. (?P<status>\w+)$"}]
    source = source_of(web.url, results=results, console=console)
    with store_of(tmp_path, source) as store:
        assert Pipeline(store, source).poll().failed == 0
        assert store.rows("SELECT total, passed, failed FROM builds") == [{"total": 2, "passed": 1, "failed": 1}]
        # What is kept is enough to read it again.
        names = {row["name"] for row in store.rows("SELECT name FROM tests")}
        assert names == {"up", "flap"}


def test_a_build_without_its_console_log_is_no_deleted_build(web: WebServer, tmp_path: Path) -> None:
    serve(web, {})
    source = source_of(
        web.url, results=["junit:**/*.xml", "console"], console=[{"pattern": "(?P<name>.) (?P<status>.)"}]
    )
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        assert (pipeline.poll().failed, pipeline.tally.gone, pipeline.tally.ingested) == (0, 0, 1)
        assert store.rows("SELECT total, flags FROM builds") == [{"total": 0, "flags": "no_results unreadable"}]
        assert "not its console log" in store.value("SELECT message FROM warnings")


def test_the_report_of_the_testng_plugin(web: WebServer, tmp_path: Path) -> None:
    serve(web, {}, actions=[{"failCount": 1, "skipCount": 0, "totalCount": 2, "urlName": "testngreports"}])
    methods = [
        {"name": "up", "status": "PASS", "duration": 0.1},
        {"name": "flap", "status": "FAIL", "exception": "boom"},
    ]
    package = {"name": "c", "classs": [{"name": "D", "test-method": methods}]}
    web.routes["/job/x/1/testngreports/api/json"] = {"total": 2, "package": [package]}
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
        assert store.rows("SELECT total, failed, flags FROM builds") == [{"total": 2, "failed": 1, "flags": ""}]


def test_no_report_is_requested_where_jenkins_counted_none(web: WebServer, tmp_path: Path) -> None:
    serve(web, {}, actions=[{"failCount": 0, "skipCount": 0, "totalCount": 0, "urlName": "testReport"}])
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
        assert store.rows("SELECT total, flags FROM builds") == [{"total": 0, "flags": "no_results"}]
    assert not [request for request in web.received if "testReport" in request.path]


def test_a_report_that_breaks_off_is_read_again(web: WebServer, tmp_path: Path, quick: None) -> None:
    serve(web, {})
    whole = {"suites": [{"name": "s", "cases": [{"className": "c", "name": "up", "status": "PASSED"}]}]}
    # Cut behind a brace, so that only its parser notices.
    web.routes["/job/x/1/testReport/api/json"] = Answer(b'{"suites": [{"cases": [{"name": "up"}', headers={})
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        assert pipeline.poll().failed == 1
        (row,) = store.rows("SELECT state, error FROM ledger")
        assert row["state"] == "retry" and "cannot be read" in row["error"]
        assert store.value("SELECT count(*) FROM builds") == 0
        web.routes["/job/x/1/testReport/api/json"] = whole
        assert pipeline.poll(eager=True).results == 1


def test_halves_of_characters_do_no_harm(web: WebServer, tmp_path: Path) -> None:
    serve(web, {})
    body = b'{"suites": [{"name": "s", "cases": [{"className": "c", "name": "a\\ud800b\\u0000", "status": "FAILED",'
    body += b' "errorDetails": "\\udfff"}]}]}'
    web.routes["/job/x/1/testReport/api/json"] = Answer(body, headers={"Content-Type": "application/json"})
    source = source_of(web.url)
    with store_of(tmp_path, source) as store:
        assert Pipeline(store, source).poll().results == 1
        assert store.rows("SELECT name FROM tests") == [{"name": "a?b\0"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "building": st.none() | st.booleans(),
            "inProgress": st.none() | st.booleans(),
            "result": st.none() | st.sampled_from(["SUCCESS", "FAILURE"]),
            "timestamp": st.none() | st.integers(-(2**63), 2**63) | st.text(max_size=3),
            "duration": st.none() | st.integers(-5, 2**50) | st.floats(),
            "displayName": st.none() | st.text(max_size=10),
            "builtOn": st.none() | st.text(max_size=10),
            "actions": st.none()
            | st.lists(
                st.none()
                | st.just({})
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "parameters": st.none()
                        | st.lists(st.none() | st.fixed_dictionaries({"name": st.text(), "value": JSON}), max_size=2),
                        "causes": st.none() | st.lists(st.none() | st.dictionaries(st.text(), JSON, max_size=2)),
                        "totalCount": st.none() | st.integers(0, 10**6),
                        "lastBuiltRevision": st.none() | st.just({}) | st.just({"SHA1": "abc"}),
                    },
                ),
                max_size=3,
            ),
            "artifacts": st.none() | st.lists(st.none() | st.just({}) | st.just({"relativePath": "a"}), max_size=2),
            "changeSet": st.none() | st.just({}) | st.just({"items": [None, {}, {"commitId": "x", "author": None}]}),
            "changeSets": st.none() | st.just([None, {"items": [{"id": "y", "timestamp": -1}]}]),
            "subBuilds": st.none() | st.just([{"build": None, "jobName": "a", "buildNumber": "7"}]),
        },
    )
)
def test_any_field_may_be_missing_or_empty(answer: dict) -> None:
    detail = read_build_detail("x", 1, answer)
    assert detail.final == (
        not answer.get("building") and not answer.get("inProgress") and answer.get("result") is not None
    )
    assert detail.final or detail.result is None
    assert all(isinstance(value, str) for value in detail.parameters.values())
    assert read_build_detail("x", 1, answer) == detail


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("**/*.xml", "a.xml", True),
        ("**/*.xml", "a/b/c.xml", True),
        ("*.xml", "a/b.xml", False),
        ("**/junit/**/*.xml", "hapy/reports/junit/5s/r.xml", True),
        ("**/junit/**/*.xml", "junit/r.xml", True),
        ("**/junit/**/*.xml", "junit5/r.xml", False),
        ("target/surefire-reports/TEST-?.xml", "target/surefire-reports/TEST-1.xml", True),
        ("reports/", "reports/a/b.xml", True),
        ("a+b/*.xml", "a+b/c.xml", True),
        ("a.b", "axb", False),
    ],
)
def test_patterns_as_ant_reads_them(glob: str, path: str, matches: bool) -> None:
    assert bool(glob_regex(glob).fullmatch(path)) == matches


def test_the_first_pattern_claims_a_file() -> None:
    results = ["order:**/*.order.txt", "junit:**/junit/**/*.xml", "trx:**/*.xml", "test_report"]
    assert claimed_by(results, "a/junit/b.xml") == "junit:**/junit/**/*.xml"
    assert claimed_by(results, "a/b.xml") == "trx:**/*.xml"
    assert claimed_by(results, "a/b.log") is None


def test_a_zip_leaves_out_the_folders_before_the_first_wildcard() -> None:
    assert full_path("hapy/reports/**/*.xml", "5s/a.xml") == "hapy/reports/5s/a.xml"
    assert full_path("**/*.xml", "hapy/a.xml") == "hapy/a.xml"
    assert full_path("reports/*.xml", "reports/a.xml") == "reports/a.xml"


@pytest.mark.parametrize(
    ("job", "module"),
    [
        ("ROUTING-MODULE-ESXI", "routing"),
        ("ROUTING_MODULE_ESXI", "routing"),
        ("BUSINESS-POLICY-ESXI", "business_policy"),
        ("PARTNER-GATEWAY_ESXI", "partner_gateway"),
        ("NVS-MODULE", "nvs"),
        ("IPV6", "ipv6"),
        ("ESXI", "esxi"),
    ],
)
def test_modules_by_the_name_of_their_job(job: str, module: str) -> None:
    assert NamingRules(source_of("http://h/")).module(job) == module


def test_versions_releases_and_owners() -> None:
    rules = NamingRules(source_of("http://h/", release_fixed=None, owner="tests/(?P<module>[^/]+)/"))
    name = "REL: Release_7.0 | VER: 7.0.1 | MOD: FULL-RUN"
    assert rules.version(name, {}) == "7.0.1"
    assert rules.version("#12", {"BRANCH": "x", "IMAGE": "VER: 8.0.0.3"}) == "8.0.0.3"
    assert rules.version("#12", {}) is None
    assert [rules.release(version) for version in ("7.0.1", "10.2.0.0", "main", None)] == ["7.0", "10.2", None, None]
    assert rules.owner("data_plane/tests/Partner-Gateway/a_test.py", "m") == "partner_gateway"
    assert rules.owner("src/a_test.py", "m") == rules.owner("", "m") == "m"
    assert NamingRules(source_of("http://h/", release_fixed="main")).release(None) == "main"


@pytest.mark.parametrize(
    ("name", "base"),
    [("test_flap[5-site]", "test_flap"), ("test_a[b[c]]", "test_a"), ("plain", "plain"), ("[x]", "[x]")],
)
def test_base_names(name: str, base: str) -> None:
    assert base_name(name) == base
