"""The build screen: results by host, the files that stay when Jenkins deletes the build, and the telling lines."""

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
    world.store.transact("test", "raw", lambda cursor: replace_raw_files(cursor, row["build"], row["started_at"], kept))
    return ids.text(row["build"])


def test_results_are_in_one_list_or_grouped_by_topology_and_host(build, show):
    flat = show("build", f"/builds/{build}?status=all")["html"]
    grouped = show("build", f"/builds/{build}?status=all&group=host")["html"]
    assert flat.count('class="case"') == grouped.count('class="case"') == 3
    assert "host-group" not in flat and grouped.count('class="host-group"') == 2
    assert grouped.index(">h1<") < grouped.index(">h2<") and "1 failed" in grouped


def test_files_that_jenkins_deleted_can_still_be_downloaded(build, app, show):
    html = show("build", f"/builds/{build}")["html"]
    assert "it has deleted the build" in html and "/console" in html and "reports/a%20b.xml" in html
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


def test_the_console_shows_only_its_failing_lines(build, show):
    html = show("build", f"/builds/{build}")["html"]
    assert "from line 48" in html and html.count("quiet\n") < 20
    assert '<mark class="failing-line"><span class="a-1">ERROR: link &lt;down&gt;</span></mark>' in html


def test_a_build_without_stored_files_shows_that(world, show):
    world.run({"routing": {"a": "P"}})
    (row,) = world.store.rows("SELECT build FROM builds")
    html = show("build", f"/builds/{ids.text(row['build'])}")["html"]
    assert "files are not stored here" in html and "Console" not in html


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


def test_a_marked_text_is_complete_and_escaped():
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
