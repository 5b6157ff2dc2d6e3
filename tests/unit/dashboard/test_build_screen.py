"""The build screen: results by host, the files that stay when Jenkins deletes the build, and the failing lines."""

from __future__ import annotations

import io
import zipfile

import pyarrow as pa
import pytest
from support.store_builder import cases

from dashboard.failing_line import excerpts, failing_line, marked_log
from data.model import ids
from data.write import raw_files
from data.write.raw_files import replace_raw_files

REPORT = b"<testsuite><testcase name='a'/></testsuite>"
CONSOLE = "\n".join([*("quiet" for _ in range(50)), "\x1b[31mERROR: link <down>\x1b[0m", *("quiet" for _ in range(50))])


@pytest.fixture
def build(world) -> str:
    """A build on two hosts, of which a zip with a report and the console are kept."""
    both = [
        cases("routing", {"a": "F", "b": "P"}, topology="3s", host="h1"),
        cases("routing", {"c": "P"}, topology="5s", host="h2"),
    ]
    world.run({"routing": pa.concat_tables(both)})
    (row,) = world.store.rows("SELECT build, started_at FROM builds")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("reports/a b.xml", REPORT)
    kept = [
        raw_files.pack_zip("**/*.xml", "junit", packed.getvalue()),
        raw_files.pack("console", "console", CONSOLE.encode()),
    ]
    world.store.transact(
        "test", "raw", lambda cursor: replace_raw_files(cursor, {(row["build"], row["started_at"]): kept})
    )
    return ids.text(row["build"])


def test_results_are_in_one_list_or_grouped_by_topology_and_host(build, screen):
    flat = screen("build", f"/builds/{build}?status=all")
    grouped = screen("build", f"/builds/{build}?status=all&group=host")
    assert len(flat.cases()) == len(grouped.cases()) == 3
    assert [text for text in grouped.texts("summary") if "result" in text] == [
        "3s h1 2 results 1 failed",
        "5s h2 1 result",
    ]
    assert not any("result" in text for text in flat.texts("summary"))


def test_files_that_jenkins_deleted_can_still_be_downloaded(build, app, screen):
    section = screen("build", f"/builds/{build}").under("Files and links")
    assert "it has deleted the build" in section and section.one("link", "console").href.endswith("/console")
    assert section.one("link", "reports/a b.xml").href == f"/api/v1/builds/{build}/files/content?path=reports/a%20b.xml"
    client = app.server.test_client()
    files = client.get(f"/api/v1/builds/{build}/files").json["items"]
    assert [(row["path"], row["kind"], row["size"]) for row in files] == [
        ("console", "console", len(CONSOLE)),
        ("reports/a b.xml", "junit", len(REPORT)),
    ]
    answer = client.get(f"/api/v1/builds/{build}/files/content", query_string={"path": "reports/a b.xml"})
    assert answer.data == REPORT and answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a b.xml"'
    assert client.get(f"/api/v1/builds/{build}/files/content?path=../etc/passwd").status_code == 404
    assert client.get("/api/v1/builds/0123456789abcdef/files").status_code == 404


def test_the_console_shows_only_its_failing_lines(build, screen):
    shown = screen("build", f"/builds/{build}")
    assert "from line 48" in shown
    console = shown.one("log", "Console from line 48")
    assert 0 < console.words.count("quiet") < 20 and console.texts("mark") == ["ERROR: link <down>"]


def test_the_markup_of_the_console_has_the_colors_of_jenkins_and_is_escaped(build, screen):
    markup = screen("build", f"/builds/{build}").markup
    assert '<mark class="failing-line"><span class="a-1">ERROR: link &lt;down&gt;</span></mark>' in markup


def test_a_build_without_stored_files_shows_that(world, screen):
    world.run({"routing": {"a": "P"}})
    (row,) = world.store.rows("SELECT build FROM builds")
    shown = screen("build", f"/builds/{ids.text(row['build'])}")
    assert "files are not stored here" in shown and "Console" not in shown and not shown.all("log")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (["def test():", ">   assert a == b", "E   assert 1 == 2", "E   more", "x.py:3: AssertionError"], 2),
        (["Traceback (most recent call last):", "  File x", "ValueError: no"], 2),
        (["java.lang.IllegalStateException: off", "  at a.b(C.java:1)"], 0),
        (["one", "ERROR first", "ERROR last", "bye"], 2),
        (["nothing", "to see"], None),
        ([], None),
    ],
)
def test_the_failing_line_is_found(text, index):
    assert failing_line(text) == index


def test_the_markup_of_a_log_is_complete_and_escaped():
    text = "#x1B[31mred#x1B[0m <b>\nE   1 < 2\nend"
    assert marked_log(text) == (
        '<span class="a-1">red</span> &lt;b&gt;\n<mark class="failing-line">E   1 &lt; 2</mark>\nend'
    )
    assert marked_log(None) == "" and marked_log("one <line>") == "one &lt;line&gt;"


def test_failing_lines_near_each_other_share_an_excerpt():
    lines = [f"line {number}" for number in range(1, 101)]
    for number in (20, 24, 90):
        lines[number - 1] = f"ERROR {number}"
    found = excerpts("\n".join(lines))
    assert [number for number, _ in found] == [17, 87] and "ERROR 24" in found[0][1]
    assert len(excerpts("\n".join(["ERROR", *["x"] * 20] * 50))) == 12
