"""`regtracker import` and `parse`: files, folders and zips, and the messages about those that cannot be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from support.fake_server import JUNIT

from data.lake.store import Store
from data.settings import load
from ingest.rebuild import rebuild

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


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
    suite = b'<testsuite name="pytest">' + case % b"<failure/>" + case % b"" + b"</testsuite>"
    (tmp_path / "a.xml").write_bytes(suite)
    parsed = json.loads(regtracker("parse", "--json", str(tmp_path / "a.xml")).stdout)
    assert parsed["tests"] == 2
    assert parsed["warnings"] == ["the store counts 1 test: 1 result is an earlier attempt of a retry"]
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
        "b.xml: a zip archive, which is not unpacked",
        "c.xml: a gzip archive, which is not unpacked",
    ]


def test_the_exit_code_of_an_import_shows_an_unreadable_file(tmp_path: Path, regtracker: Run) -> None:
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
    assert wrong.exit_code == 2 and "'yesterday' is not an ISO 8601 time" in wrong.stderr
    assert "'yesterday'" in json.loads(wrong.stdout)["error"]
    (reports / "a.xml").unlink()
    nothing = regtracker(*arguments, "--build", "2")
    answer = json.loads(nothing.stdout)
    assert nothing.exit_code == 1 and answer["total"] == 0 and "b.xml: cannot be read" in answer["warnings"][0]
    gate = regtracker("gate", "--release", "7.0")
    assert gate.exit_code == 2 and "m #2: b.xml: cannot be read" in gate.stdout
    (reports / "b.xml").unlink()
    answer = json.loads(regtracker(*arguments).stdout)
    assert answer["paths"] == [str(reports)] and "no test result" in answer["error"]


@pytest.mark.parametrize("content", ['<testsuites tests="0"/>', "<testsuites></testsuites>", '<testsuite tests="0"/>'])
def test_a_report_without_a_test_is_a_broken_build(tmp_path: Path, regtracker: Run, content: str) -> None:
    report = tmp_path / "empty.xml"
    report.write_text(content)
    arguments = ("import", str(report), "--release", "7.0", "--module", "m", "--build", "1")
    done = regtracker(*arguments)
    assert done.exit_code == 0 and "0 tests" in done.stdout and "empty.xml: the report holds no test" in done.stdout
    assert json.loads(regtracker(*arguments, "--json").stdout)["warnings"] == ["empty.xml: the report holds no test"]
    exported = regtracker("export", "runs", "--format", "csv", "--release", "7.0")
    (run,) = csv.DictReader(io.StringIO(exported.stdout))
    assert (run["state"], run["total"], run["pass_rate"]) == ("broken", "0", "")
    assert regtracker("gate", "--release", "7.0").exit_code == 2
    exported = regtracker("export", "builds", "--format", "csv")
    assert "no_results" in exported.stdout


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
    reported = {answer["paths"][0]: answer["error"] for answer in answers if "error" in answer}
    assert result.exit_code == 1 and [answer["total"] for answer in answers if "total" in answer] == [6]
    assert reported.keys() == {str(paths[name]) for name in ("cut.zip", "damaged.zip", "missing.xml")}
    assert "cut short or not a zip" in reported[str(paths["cut.zip"])]
    assert all(f"{path}: {why}" in result.stderr for path, why in reported.items())
    with closing(Store.open(load())) as store:
        assert store.value("SELECT total FROM builds") == 6


def test_a_damaged_zip_alone_is_a_build_without_results(tmp_path: Path, regtracker: Run) -> None:
    """Otherwise the build before it would be judged in its place."""
    good, cut = tmp_path / "good.zip", tmp_path / "cut.zip"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("a.xml", JUNIT)
    cut.write_bytes(good.read_bytes()[:-40])
    arguments = ("import", "--release", "7.0", "--module", "m")
    assert regtracker(*arguments, "--build", "1", str(good)).exit_code == 0
    done = regtracker(*arguments, "--build", "2", "--json", str(cut))
    error, stored = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1 and error["paths"] == [str(cut)]
    assert (stored["number"], stored["total"], stored["warnings"]) == (2, 0, [f"{cut}: {error['error']}"])
    gate = regtracker("gate", "--release", "7.0")
    assert gate.exit_code == 2 and "m #2" in gate.stdout and "cut short or not a zip" in gate.stdout
    with closing(Store.open(load())) as store:
        before = store.rows("SELECT * FROM builds ORDER BY number")
        rebuild(store)
        assert store.rows("SELECT * FROM builds ORDER BY number") == before


def test_zips_in_a_folder_are_read_and_skipped_files_are_listed(tmp_path: Path, regtracker: Run) -> None:
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
    assert bad["paths"] == [str(reports / "cut.zip")] and "cut short or not a zip" in bad["error"]
    reported = {Path(warning.split(": ")[0]).name for warning in stored["warnings"]}
    assert reported == {"cut.zip", "old.tar.gz", "packed.jar", "result.junit"}
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


def test_a_numbered_folder_may_hold_its_reports_directly(tmp_path: Path, regtracker: Run) -> None:
    for number in (41, 42):
        folder = tmp_path / "logs" / "7.0" / "routing" / str(number)
        folder.mkdir(parents=True)
        (folder / "report.xml").write_bytes(JUNIT)
    result = regtracker("import", str(tmp_path / "logs"), "--json")
    stored = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["release"], row["module"], row["number"], row["total"]) for row in stored] == [
        ("7.0", "routing", 41, 3),
        ("7.0", "routing", 42, 3),
    ]
    named = regtracker("import", str(tmp_path / "logs"), "--release", "8.0", "--module", "m", "--json")
    (build,) = [json.loads(line) for line in named.stdout.splitlines()]
    assert (build["release"], build["module"], build["files"]) == ("8.0", "m", 2)


def test_files_outside_of_numbered_folders_are_listed(tmp_path: Path, regtracker: Run) -> None:
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
