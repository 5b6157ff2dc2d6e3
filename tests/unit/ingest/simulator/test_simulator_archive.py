"""Artifact patterns and zips, after Ant's rules."""

import io
import zipfile

import pytest

from ingest.simulator.artifact_download import ant_pattern, zip_request, zipped

FILES = {path: (lambda path=path: path.encode()) for path in ("a/b/x.xml", "a/b/c/y.xml", "a/z.txt", "top.xml")}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("**/*.xml", {"a/b/x.xml", "a/b/c/y.xml", "top.xml"}),
        ("*.xml", {"top.xml"}),
        ("**/b/**/*.xml", {"a/b/x.xml", "a/b/c/y.xml"}),
        ("a/**", {"a/b/x.xml", "a/b/c/y.xml", "a/z.txt"}),
        ("a/", {"a/b/x.xml", "a/b/c/y.xml", "a/z.txt"}),
        ("a/?.txt", {"a/z.txt"}),
        ("a/*/x.xml", {"a/b/x.xml"}),
        ("**/y.xml,**/*.txt", {"a/b/c/y.xml", "a/z.txt"}),
        ("**", set(FILES)),
        ("**/B/*", set()),
    ],
)
def test_patterns(pattern, matched):
    assert set(filter(ant_pattern(pattern), FILES)) == matched


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("**/*.xml/*zip*/r.zip", ["a/b/x.xml", "a/b/c/y.xml", "top.xml"]),
        ("a/**/*.xml/*zip*/r.zip", ["b/x.xml", "b/c/y.xml"]),
        ("a/b/*zip*/b.zip", ["b/x.xml", "b/c/y.xml"]),
        ("*zip*/archive.zip", ["archive/a/b/x.xml", "archive/a/b/c/y.xml", "archive/a/z.txt", "archive/top.xml"]),
        ("**/none/*zip*/r.zip", []),
    ],
)
def test_zips_hold_names_relative_to_their_folder(path, names):
    body = zipped(FILES, *zip_request(path.split("/")), modified=1.7e9)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == names
        assert archive.testzip() is None


def test_no_such_folder_and_no_zip_asked_for():
    assert zipped(FILES, "nowhere", "**", 1.7e9) is None
    assert zipped({}, "", "**/*.xml", 1.7e9) is None
    assert zip_request(["a", "b", "x.xml"]) is None
