"""The identity of a test: what changes from run to run is removed, in every reader; parameters are kept."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import console_log, parse_file
from ingest.parsers.agent_paths import compile_roots, without_root
from ingest.parsers.cases import Case, Report
from ingest.parsers.identity import identify, normalize_report

CHECKOUTS = [
    "/var/lib/jenkins/workspace/nightly/",
    "/home/jenkins/agent/workspace/nightly@2/",
    "/var/lib/jenkins/jobs/nightly/workspace/",
    "/var/lib/jenkins/jobs/nightly/workspace@3/",
    "C:\\Jenkins\\workspace\\nightly@2\\",
    "\\\\?\\D:\\ci\\workspace\\nightly\\",
    "/workspace/",
    "/workspaces/api/",
    "/github/workspace/",
    "/opt/agent-b/_work/14/",
    "/azp/agent/_work/3/s/",
    "D:\\a\\1\\s\\",
    "/home/vsts/work/1/s/",
    "/builds/group/api/",
    "/home/gitlab-runner/builds/t1_abc123/0/group/api/",
    "/home/runner/work/api/api/",
    "/Users/runner/work/api/api/",
    "/home/ubuntu/actions-runner/_work/api/api/",
    "D:\\a\\api\\api\\",
    "/__w/api/api/",
    "/var/lib/buildkite-agent/builds/host-7/acme/api/",
    "/opt/buildagent/work/8f3b1c2d4e5f6a7b/",
    "/home/ci1/build/",
    "/home/circleci/project/",
    "/Users/dana/",
    "/opt/jenkins-agent-7/",
    "/srv/node-12/",
    "/mnt/jenkins-slave-3/build-1234/",
    "file:///home/runner/work/api/api/",
]


@pytest.mark.parametrize("checkout", CHECKOUTS)
def test_a_file_is_the_same_in_every_checkout(checkout):
    separator = "\\" if "\\" in checkout else "/"
    file = checkout + separator.join(("tests", "ApiTest.php"))
    assert identify(file, "ApiTest", "testLogin")[:3] == ("tests/ApiTest.php", "ApiTest", "testLogin")


def test_the_class_tells_where_an_unknown_root_ends():
    assert identify("/data/x/tests/door_test.py", "tests.door_test.TestFront", "opens")[:2] == (
        "tests/door_test.py", "TestFront",
    )  # fmt: skip
    kept = "/data/x/tests/DoorTest.php"
    assert identify(kept, "DoorTest", "opens")[:2] == (kept, "DoorTest")


def test_roots_can_be_configured():
    roots = compile_roots(("/data/*/checkout", "E:\\ci\\**\\src"))
    assert without_root("/data/blade-7/checkout/tests/a.php", roots) == "tests/a.php"
    assert without_root("E:\\ci\\slot 4\\x\\src\\tests\\a.php", roots) == "tests/a.php"
    assert without_root("/data/blade-7/other/a.php", roots) == "/data/blade-7/other/a.php"


@pytest.mark.parametrize(
    "first, second, kept",
    [
        ("box[demo.Box@78e117e3](1)", "box[demo.Box@1b2c3d4e](1)", "box[demo.Box](1)"),
        ("keys[[Ljava.lang.String;@1b2c3d4e]", "keys[[Ljava.lang.String;@2b2c3d4e]", "keys[[Ljava.lang.String;]"),
        ("[1] Shop$$Lambda$14/0x0000000800c3@5e91", "[1] Shop$$Lambda$15/0x00000008a0c3@6e91", "[1] Shop$$Lambda"),
        ("test_x[<shop.Cart object at 0x7f3b2c001d30>]", "test_x[<shop.Cart object at 0x7fa1b2c3d4e0>]",
         "test_x[<shop.Cart object>]"),
        ("test_x[<function f at 0x10a2b3c4d>-1]", "test_x[<function f at 0x10a2b3d00>-1]", "test_x[<function f>-1]"),
        ("shows #<Cart:0x000055d0c0a81234>", "shows #<Cart:0x000055d0c0a85678>", "shows #<Cart>"),
        ("takes HASH(0x55d0c0a8)", "takes HASH(0x55d0c0b0)", "takes HASH"),
        ("ptr[0x7f3b2c001d30]", "ptr[0x7ffe2c001d38]", "ptr[0x]"),
        ("add route [FAIL]", "add route [ OK ]", "add route"),
        ("[PASS] add route", "[FAIL] add route", "add route"),
        ("✓ add route", "✗ add route", "add route"),
        ("add route ... ok", "add route ... FAILED", "add route"),
        ("route_check.sh # exit=1", "route_check.sh # TIMEOUT 45 seconds", "route_check.sh"),
        ("tun # SKIP needs root", "tun # time=3ms", "tun"),
        ("boots (took 12 ms)", "boots (took 1.3s)", "boots"),
        ("boots time=0.12s", "boots", "boots"),
        ('"before each" hook for "boots"', '"after each" hook: clean for "boots"', "boots"),
        ("ERROR at setup of test_on", "ERROR at teardown of test_on", "test_on"),
        ("test_on (setup)", "test_on (call)", "test_on"),
        ("a.py::test_on[a]::setup", "a.py::test_on[a]::teardown", "a.py::test_on[a]"),
        ("[gw0] test_on", "[gw13] [ 50%] test_on", "test_on"),
        ("Boots | PASS |", "Boots | FAIL |", "Boots"),
        ("x[<Mock name='a' id='140234567890123'>]", "x[<Mock name='a' id='140234567890999'>]", "x[<Mock name='a'>]"),
        ("x[<Task finished at 0x7f12ab34cd56 name='t'>]", "x[<Task finished at 0x7f12ab34ffff name='t'>]",
         "x[<Task finished name='t'>]"),
        ('with data set #0 (App\\Cart Object #345 ())', 'with data set #0 (App\\Cart Object #7 ())',
         'with data set #0 (App\\Cart Object ())'),
        ("reads /var/lib/jenkins/workspace/a/x.txt", "reads /var/lib/jenkins/workspace/a@2/x.txt", "reads x.txt"),
        ("/home/runner/work/r/r/test/a.test.js", "/builds/g/r/test/a.test.js", "test/a.test.js"),
        ("io[/tmp/pytest-of-ci/pytest-12/x0]", "io[/tmp/pytest-of-ci/pytest-13/x0]", "io[x0]"),
    ],
)  # fmt: skip
def test_what_changes_from_run_to_run_is_no_part_of_a_name(first, second, kept):
    assert identify("", "C", first).name == identify("", "C", second).name == kept


@pytest.mark.parametrize(
    "name",
    [
        '[1] amount = "0"', "mail[user@example]", "mail[user@example.com]", "mail[Bob@1a2b3c4d.example]", "a@b",
        "@Test", "pin[user@facade]", "@Override @Deprecated", "sum[deadbeef]",
        "sum[da39a3ee5e6b4b0d3255bfef95601890afd80709]",
        "reg[0x40021000]", "mask[0xffffffff]", "mask[0xffffffffffffffff]", "reg[0x0000000040021000]", "waits (5s)",
        "status[OK]", "status[FAIL]", "state = FAILED", "1 - FAILED", "GET /builds/1/log/x", "issue #12", "C# todo",
        "retries (100ms)", "log in (setup wizard)", "test_x[1@group]", "lodash@4.17.21", "react@18.2.0/dom",
        "[sig-net] routes", "0xcafe", "a::b[c::d]", "ok", "[OK] button", "PASS", "jumps at 0x40021000",
        "Object #3 is drawn", "waits 500ms", "std::setup", "<reg 0x40021000>", "# SKIP", "'x' at 10:30",
    ],
)  # fmt: skip
def test_parameters_and_plain_words_are_kept(name):
    assert identify("", "C", name).name == name


@pytest.mark.parametrize(
    "class_name", ["App\\Tests\\ApiTest", "/api/v1/users", "com.acme.workspace.Tool", "a.builds.B"]
)
def test_a_class_that_is_no_path_of_an_agent_is_kept(class_name):
    assert identify("", class_name, "x").class_name == class_name


@pytest.mark.parametrize(
    "class_name, kept",
    [
        ("/var/lib/jenkins/workspace/pools@2/second/b.bats", "second/b.bats"),
        ("home.runner.work.api.api.tests.door_test.TestFront", "tests.door_test.TestFront"),
        ("door_test.TestFront-20261120080000", "door_test.TestFront"),
        ("Pools Main@2.Sub Suite", "Pools Main.Sub Suite"),
        ("demo.Box@1b2c3d4e", "demo.Box"),
        ("show user # time=12ms > response", "show user > response"),
    ],
)
def test_a_class_is_the_same_in_every_run(class_name, kept):
    assert identify("", class_name, "x").class_name == kept


def _one(name: str, class_name: str = "C", **facts) -> Case:
    report = Report(cases=[Case("", class_name, name, "passed", **facts)])
    normalize_report(report)
    return report.cases[0]


def test_a_time_in_a_name_is_removed_if_it_is_that_of_the_result():
    assert _one("boots (145ms)", duration_s=0.1453).name == "boots"
    assert _one("TestBoot (0.01s)", duration_s=0.012).name == "TestBoot"
    assert _one("retries (100ms)", duration_s=0.312).name == "retries (100ms)"
    assert _one("boots 145ms", duration_s=0.145).name == "boots"
    assert _one("waits (500ms) (12ms)", duration_s=0.012).name == "waits (500ms)"


def test_the_machine_is_removed_where_it_is_no_parameter():
    assert _one("boots on agent7", host="agent7").name == "boots"
    assert _one("boots [FAIL] (agent7)", host="agent7").name == "boots"
    assert _one("x", class_name="agent7.pkg.Test", host="agent7").class_name == "pkg.Test"
    assert _one("ping[agent7]", host="agent7").name == "ping[agent7]"
    assert _one("agent7", class_name="agent7", host="agent7").class_name == "agent7"


JUNIT = '<testsuite name="s"><testcase classname="{class_name}" name="{name}"/></testsuite>'
FORMATS = {
    "r.xml": JUNIT,
    "testng-results.xml": '<testng-results><suite><test><class name="{class_name}"><test-method name="{name}" '
    'status="PASS"/></class></test></suite></testng-results>',
    "output.xml": '<robot><suite name="{class_name}"><test name="{name}">'
    '<status status="PASS"/></test></suite></robot>',
    "r.trx": '<TestRun><Results><UnitTestResult testId="1" testName="{name}" outcome="Passed"/></Results>'
    '<TestDefinitions><UnitTest id="1"><TestMethod className="{class_name}"/></UnitTest></TestDefinitions></TestRun>',
    "junitResult.xml": "<result><suites><suite><cases><case><className>{class_name}</className>"
    "<testName>{name}</testName></case></cases></suite></suites></result>",
    "report.json": '{{"suites":[{{"cases":[{{"className":"{class_name}","name":"{name}","status":"PASSED"}}]}}]}}',
    "t.tap": "TAP version 13\n1..1\nok 1 - {name}\n",
    "1_rt_5s.order.txt": "[h1] PASSED tests/a.py::{class_name}::{name}\n",
}


@pytest.mark.parametrize("path", FORMATS)
def test_every_reader_gives_the_same_names(path):
    text = FORMATS[path]
    names = {
        (case.class_name, case.name)
        for address in ("78e117e3", "1b2c3d4e")
        for case in parse_file(path, io.BytesIO(text.format(class_name="p.T", name=f"x(Box@{address})").encode()))[
            1
        ].cases
    }
    assert names == {("" if path == "t.tap" else "p.T", "x(Box)")}


def test_a_console_log_gives_the_same_names():
    patterns = console_log.compile_patterns([r"^(?P<status>PASS|FAIL) (?P<name>.+)$"])
    text = b"PASS boots (12ms)\nFAIL boots (30ms)\nPASS Box@1b2c3d4e\n"
    report = console_log.parse(io.BytesIO(text), patterns)
    assert [case.name for case in report.cases] == ["boots", "boots", "Box"]


# --- properties -----------------------------------------------------------------------------------------------------

hexes = st.text("0123456789abcdef", min_size=1, max_size=16)
fragments = st.one_of(
    st.sampled_from([" ", "[", "]", "(", ")", " # ", "@", "0x", "Box", "a.b.", "/", "\\", "workspace/",
                     "/home/x/build/",
                     " (12ms)", " [FAIL]", "✓ ", " ... ok", "_work/3/s/", "/builds/", "setup", "$$Lambda$", " in 3ms",
                     'hook for "', '"before each" ', "SKIP", "time=3ms", " > ", "::", "ERROR at setup of "]),
    hexes,
    st.text(max_size=6),
)  # fmt: skip
names = st.lists(fragments, max_size=8).map("".join)


@given(names)
def test_a_normalized_name_stays_as_it_is(name):
    once = identify("", "C", name)
    assert identify("", "C", once.name).name == once.name
    assert once.name or not name
    if once.measured:
        assert identify("", "C", once.measured.name).name == once.measured.name


@given(names, names)
def test_a_normalized_file_and_class_stay_as_they_are(file, class_name):
    once = identify(file, "", "x").file
    assert identify(once, "", "x").file == once
    kept = identify("", class_name, "x").class_name
    assert identify("", kept, "x").class_name == kept


parameters = st.lists(st.sampled_from(['"0"', "1", "a@b", "user@example", "x-y", "OK", "FAIL", "10", "0x1F", "deadbeef",
                                       "é", "a/b", "5s", "2.50", "None"]), min_size=1, max_size=4)  # fmt: skip


@given(parameters, parameters, st.sampled_from(["test_x[{}]", "[1] amount = {}", "x({})", "with data set #{}", "{}"]))
def test_two_parametrized_names_stay_different(first, second, form):
    one, other = (form.format("-".join(each)) for each in (first, second))
    assert (identify("", "C", one).name == identify("", "C", other).name) == (one == other)
