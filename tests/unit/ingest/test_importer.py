"""Results without a Jenkins: files, folders, zips, uploads; the same content is the same build."""

from __future__ import annotations

import io
import json
import os
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from support.fake_server import store_of
from support.ingest_fixtures import store_files, store_upload

from data.write import raw_files as raw
from ingest.import_plan import ImportKey, plan
from ingest.metadata_csv import import_metadata
from ingest.rebuild import rebuild

pytestmark = pytest.mark.slow

LOG = (
    b"1 [h] PASSED tests/routing/a_test.py::TestA::test_up\n2 [h] FAILED tests/routing/a_test.py::TestA::test_flap[5]\n"
)
STAMPED = b'<testsuite name="s" timestamp="2026-01-08T16:00:00Z"><testcase classname="c" name="a"/></testsuite>'
PLAIN = b'<testsuite name="s"><testcase classname="c" name="a"/><testcase classname="c" name="b"><failure/></testcase>'
PLAIN += b"</testsuite>"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def test_the_workspace_of_a_plugin(corpus: Path, tmp_path: Path) -> None:
    (group,) = [
        group for group in json.loads((corpus / "junit/expected_groups.json").read_text()) if len(group["files"]) == 56
    ]
    folder = (corpus / "junit" / group["files"][0]).parent
    with store_of(tmp_path) as store:
        builds = [store_files(store, ImportKey("1.3", "junit"), folder) for _ in range(2)]
        assert builds[0].id == builds[1].id
        assert store.rows("SELECT total, failed, artifacts FROM builds") == [
            {"total": group["tests"], "failed": group["failed_or_error"], "artifacts": 56}
        ]
        assert store.value("SELECT count(*) FROM runs") == 1


def test_files_of_one_name_can_each_be_read_back(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a/report.xml": STAMPED, "b/report.xml": PLAIN})
    with store_of(tmp_path / "store") as store:
        build = store_files(
            store, ImportKey("7.0", "routing"), folder / "a" / "report.xml", folder / "b" / "report.xml"
        )
        kept = {
            file.path: raw.unpack(file)
            for file in raw.files_of(store, build.id, build.started_at)
            if file.kind == "file"
        }
        assert kept == {"report.xml": STAMPED, "2/report.xml": PLAIN}


def test_the_same_content_in_any_wrapping_is_the_same_build(tmp_path: Path) -> None:
    folder = write(tmp_path / "reports", {"a/one.xml": STAMPED, "two.xml": PLAIN, "notes.md": b"no report"})
    with zipfile.ZipFile(tmp_path / "reports.zip", "w") as archive:
        for file in ("a/one.xml", "two.xml"):
            archive.write(folder / file, file)
    with store_of(tmp_path / "home") as store:
        for path in (folder, tmp_path / "reports.zip"):
            build = store_files(store, ImportKey("7.0", "m"), path)
            assert (build.number, build.started_at) == (1, datetime(2026, 1, 8, 16))
        assert store.rows("SELECT total, failed, result FROM builds") == [
            {"total": 3, "failed": 1, "result": "UNSTABLE"}
        ]
        other = store_files(store, ImportKey("7.0", "m", started_at=datetime(2026, 1, 9)), folder)
        assert other.number == 2, "the next number of its module"


def test_without_a_time_in_the_reports_the_files_tell_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "reports", {"two.xml": PLAIN})
    with store_of(tmp_path / "home") as store:
        assert store_files(store, ImportKey("7.0", "m"), folder).started_at == datetime(2023, 11, 14, 22, 13, 20)


def test_a_disk_laid_out_by_release_module_and_number(tmp_path: Path) -> None:
    logs = write(
        tmp_path / "LOGS",
        {
            "7.0/routing/41/1767888104_rt_5s.order.txt": LOG,
            "7.0/routing/41/junit/5s/r.xml": PLAIN,
            "7.0/routing/42/1767888999_rt_5s.order.txt": LOG,
            "7.1/ipv6/41/junit/5s/r.xml": PLAIN,
        },
    )
    with store_of(tmp_path / "home") as store:
        for key, paths in plan([logs], None, None, None, None, None, "default"):
            store_files(store, key, *paths)
        assert store.rows(
            "SELECT release, module, number, total, epoch(started_at)::INT AS at FROM builds ORDER BY ALL"
        ) == [
            {"release": "7.0", "module": "routing", "number": 41, "total": 4, "at": 1767888104},
            {"release": "7.0", "module": "routing", "number": 42, "total": 2, "at": 1767888999},
            {"release": "7.1", "module": "ipv6", "number": 41, "total": 2, "at": 1_700_000_000},
        ]
        assert store.value("SELECT count(*) FROM runs") == 3, (
            "numbers of two modules have nothing to do with each other"
        )


def test_modules_of_one_build_number_are_one_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "reports", {"two.xml": PLAIN})
    with store_of(tmp_path / "home") as store:
        for module in ("routing", "ipv6", "routing"):
            store_files(store, ImportKey("7.0", module, 812), folder)
        assert store.rows("SELECT number, release, state FROM runs") == [
            {"number": 812, "release": "7.0", "state": "final"}
        ]
        assert store.rows("SELECT module, count(build) AS builds FROM run_builds GROUP BY ALL ORDER BY ALL") == [
            {"module": "ipv6", "builds": 1},
            {"module": "routing", "builds": 1},
        ]


def test_an_upload_is_idempotent_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("r.xml", PLAIN)
    metadata = {"release": "7.0", "module": "m", "number": 3, "version": "7.0.0.1", "revision": "abc"}
    with store_of(tmp_path) as store:
        for files in ([raw.pack("r.xml", "file", PLAIN)], [raw.pack("r.zip", "file", buffer.getvalue())]):
            store_upload(store, metadata, files)
        assert store.rows("SELECT source, total, version, revision FROM builds") == [
            {"source": "upload", "total": 2, "version": "7.0.0.1", "revision": "abc"}
        ]
        for document, words in (
            ({"release": "7.0"}, "module is missing"),
            ({"release": "7.0", "module": "m", "nubmer": 3}, "nubmer: unknown field"),
            ({"release": "7.0", "module": "m", "started_at": "today"}, "not an ISO 8601 time"),
        ):
            with pytest.raises(ValueError, match=words):
                store_upload(store, document, [raw.pack("r.xml", "file", PLAIN)])
        with pytest.raises(ValueError, match=r"no test result in 1 file: r\.txt"):
            store_upload(store, metadata, [raw.pack("r.txt", "file", b"hello")])


def test_a_bad_zip_among_uploaded_files_is_remarked_and_a_rebuild_still_knows_it(tmp_path: Path) -> None:
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../../etc/cron.xml", PLAIN)
        archive.writestr("good.xml", STAMPED.replace(b'"c"', b'"other"'))
    files = {"a.xml": PLAIN, "cut.zip": outside.getvalue()[:90], "out.zip": outside.getvalue()}
    with store_of(tmp_path) as store:
        build = store_upload(
            store,
            {"release": "7.0", "module": "m", "number": 3},
            [raw.pack(name, "file", content) for name, content in files.items()],
        )
        before = store.rows("SELECT * FROM builds"), store.rows("SELECT * FROM warnings ORDER BY ALL")
        assert (before[0][0]["total"], before[0][0]["flags"]) == (3, "unreadable")
        warnings = " ".join(text for _, text in build.warnings)
        assert "cut.zip: cut short or not a zip" in warnings
        assert "out.zip: has a member whose path leads out of it: '../../etc" in warnings
        assert rebuild(store).changed == 0
        assert (store.rows("SELECT * FROM builds"), store.rows("SELECT * FROM warnings ORDER BY ALL")) == before


def test_imports_can_be_rebuilt(tmp_path: Path) -> None:
    folder = write(tmp_path / "reports", {f"{number}.xml": PLAIN for number in range(30)})
    tables = ("builds", "results", "failures", "build_counts", "tests", "signatures", "runs", "run_builds", "raw_files")
    with store_of(tmp_path / "home") as store:
        store_files(store, ImportKey("7.0", "m", 5), folder)
        store_files(store, ImportKey("7.0", "n"), folder / "1.xml")
        before = {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}
        changes = rebuild(store)
        assert (changes.builds, changes.changed, changes.skipped) == (2, 0, 0)
        assert {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables} == before


def test_what_was_too_large_to_keep_stays_as_it_is(tmp_path: Path, monkeypatch) -> None:
    folder = write(tmp_path / "reports", {"a.xml": PLAIN})
    with store_of(tmp_path / "home") as store:
        monkeypatch.setattr("ingest.report_files.RAW_LIMIT", 10)
        store_files(store, ImportKey("7.0", "m", 5), folder)
        before = store.rows("SELECT * FROM builds")
        assert before[0]["total"] > 0 and before[0]["flags"] == "no_raw"
        changes = rebuild(store)
        assert (changes.changed, changes.skipped) == (0, 1)
        assert store.rows("SELECT * FROM builds") == before


def test_a_zip_among_the_files_of_a_zip_is_left_alone_by_a_rebuild_too(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("in.xml", PLAIN)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("a/ok.xml", PLAIN)
        archive.writestr("a/in.zip", inner.getvalue())
    with store_of(tmp_path / "home") as store:
        store_files(store, ImportKey("7.0", "m", 5), tmp_path / "outer.zip")
        before = store.rows("SELECT * FROM builds")
        changes = rebuild(store)
        assert (changes.builds, changes.changed) == (1, 0)
        assert store.rows("SELECT * FROM builds") == before


def test_metadata_of_tests(tmp_path: Path) -> None:
    cases = tmp_path / "cases.csv"
    cases.write_bytes(
        b"testcase_name,test_case_id,priority,testrail_id,component,automation_status\n"
        b"test_flap[5],TC-1,P1,C20001,Caf\xe9,Automated\n,,,,,\ntest_up,TC-2,high,,,\n"
    )
    topologies = tmp_path / "topologies.csv"
    topologies.write_text("testcase_name,testcase_id,topology,test_state,priority\ntest_flap,,5-site,PROD,P3\n")
    with store_of(tmp_path) as store:
        first = import_metadata(store, cases)
        assert (first["rows"], first["added"], first["changed"]) == (2, 2, 0)
        assert first["warnings"] == [
            "priority 'high' is not one of P0 to P3: left out",
            "not read: column automation_status",
            "no test so far: test_flap, test_up",
        ]
        again = import_metadata(store, cases)
        assert (again["added"], again["changed"]) == (0, 0)
        assert import_metadata(store, topologies)["changed"] == 1
        import_metadata(store, topologies, "7.0")
        assert store.rows(
            "SELECT base_name, release, priority, case_id, component, topology, state FROM test_metadata ORDER BY ALL"
        ) == [
            {"base_name": "test_flap", "release": "7.0", "priority": "P3", "case_id": None, "component": None,
             "topology": "5-site", "state": "PROD"},
            {"base_name": "test_flap", "release": None, "priority": "P1", "case_id": "TC-1", "component": "Café",
             "topology": "5-site", "state": "PROD"},
            {"base_name": "test_up", "release": None, "priority": None, "case_id": "TC-2", "component": None,
             "topology": None, "state": None},
        ]  # fmt: skip
        twice = tmp_path / "twice.csv"
        twice.write_text("testcase_name,priority,owner\ntest_flap[5],P1,\ntest_flap[7],P2,dana\ntest_flap[9],,\n")
        assert "test_flap has priority P1 and P2: the last counts" in import_metadata(store, twice, "8.0")["warnings"]
        (row,) = store.rows("SELECT priority, owner FROM test_metadata WHERE release = '8.0'")
        assert row == {"priority": "P2", "owner": "dana"}
        wrong = tmp_path / "wrong.csv"
        wrong.write_text("a,b\n1,2\n")
        with pytest.raises(ValueError, match="no column testcase_name; its columns are a, b"):
            import_metadata(store, wrong)
