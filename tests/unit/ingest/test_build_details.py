"""What a build says of itself, whichever plugins had their hands in it: read as far as it makes sense, never fatal."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from data.model.build_record import CommitRecord
from ingest.jenkins.build_details import Counters, read_build_detail
from ingest.parsers import jenkins_test_report

ODD = st.sampled_from([None, "", "12", "x", 3, -1, True, [], {}, [None], ["a"], [{}], {"a": 1}, float("nan"), 10**30])
BUILD = {
    "number": 4,
    "result": "UNSTABLE",
    "timestamp": 1_700_000_000_000,
    "duration": 2000,
    "displayName": "#4",
    "actions": [
        {"causes": [{"upstreamProject": "up", "upstreamBuild": 3}]},
        {"parameters": [{"name": "A", "value": True}]},
        {"failCount": 1, "skipCount": 0, "totalCount": 9, "urlName": "testReport"},
        {"lastBuiltRevision": {"SHA1": "ab"}},
    ],
    "artifacts": [{"relativePath": "a.xml"}],
    "changeSet": {"items": [{"commitId": "c", "author": {"fullName": "Ann"}, "msg": "m", "timestamp": 1}]},
    "subBuilds": [{"jobName": "s", "buildNumber": 1, "build": {"subBuilds": []}}],
    "runs": [{"number": 4, "url": "http://ci/job/m/os=a/4/", "artifacts": [{"relativePath": "b.xml"}]}],
}
REPORT = {
    "totalCount": 1,
    "childReports": [
        {
            "child": {"number": 4, "url": "http://ci/job/m/os=a/4/"},
            "result": {
                "suites": [{"name": "s", "enclosingBlockNames": ["b"], "cases": [{"className": "c", "name": "n"}]}]
            },
        }
    ],
}


def places(value: object, path: tuple = ()) -> list[tuple]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, below in items for found in ((*path, key), *places(below, (*path, key)))]


def changed(value: object, path: tuple, odd: object) -> object:
    if not path:
        return odd
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], odd)
    return copy


@given(st.sampled_from(places(BUILD)), ODD)
def test_no_odd_value_anywhere_makes_a_build_unreadable(path: tuple, odd: object) -> None:
    detail = read_build_detail("j", 4, changed(BUILD, path, odd))
    assert detail.final or path[0] == "result"
    assert detail.upstream is None or isinstance(detail.upstream[1], int)


@given(st.sampled_from(places(REPORT)), ODD)
def test_a_report_with_an_odd_value_is_read_or_said_to_be_wrong(path: tuple, odd: object) -> None:
    status = jenkins_test_report.read(changed(REPORT, path, odd), number=4).status
    assert status == "ok" if odd is None else status in ("ok", "error")


def test_numbers_that_are_written_as_text() -> None:
    action = {"failCount": "1", "skipCount": None, "totalCount": "9"}
    detail = read_build_detail("j", 1, {"actions": [action], "timestamp": "1700000000000", "duration": "1500"})
    assert detail.counters == Counters(9, 1, 0)
    assert (detail.started_at, detail.duration_s) == (datetime(2023, 11, 14, 22, 13, 20), 1.5)


def test_changes_of_subversion_and_of_pipelines() -> None:
    svn = {"kind": "svn", "items": [{"revision": 1234, "user": "ann", "msg": "fix", "timestamp": -1}]}
    git = [{"items": [{"commitId": "ab"}]}, {"items": [{"commitId": "cd"}, None]}]
    assert read_build_detail("j", 1, {"changeSet": svn}).commits == [CommitRecord("1234", "ann", "fix")]
    assert [commit.revision for commit in read_build_detail("j", 1, {"changeSets": git}).commits] == ["ab", "cd"]
