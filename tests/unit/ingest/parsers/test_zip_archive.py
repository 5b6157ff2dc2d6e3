"""The zip of a build's files: whole, cut short, damaged, hostile."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import junit, zip_archive
from ingest.parsers.zip_archive import BadArchiveError, read_directory

REPORT = b"<testsuite><testcase name='a'/></testsuite>"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    found = {}
    for member in read_directory(io.BytesIO(data)).members:
        with member.open() as stream:
            found[member.path] = stream.read()
    return found


@given(
    st.dictionaries(st.text("abc/é #", min_size=1).filter(lambda name: name.strip("/") and name[0] != "/"), st.binary())
)
def test_what_is_packed_is_read(files):
    files = {name: data for name, data in files.items() if not name.endswith("/")}
    assert read(zipped(files)) == files


def test_members_can_be_parsed_and_read_twice():
    (member,) = read_directory(io.BytesIO(zipped({"junit/5s/r.xml": REPORT + b"<"}))).members
    with member.open() as stream:
        assert junit.parse(stream).status == "recovered"
    with member.open() as stream:
        assert stream.readline() == REPORT + b"<"


def test_folders_and_links_are_passed_over():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.mkdir("folder")
        link = zipfile.ZipInfo("link.xml")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.xml", REPORT)
    assert list(read(out.getvalue())) == ["a.xml"]


def test_an_empty_zip_has_no_members():
    assert read(zipped({})) == {}


@given(st.integers(0, 10_000))
def test_a_zip_that_is_cut_short_is_never_taken_for_whole(cut):
    data = zipped({f"{n}.xml": REPORT * n for n in range(20)})
    with pytest.raises(BadArchiveError, match="cut short or not a zip"):
        read(data[: cut % len(data)])


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_zip_is_said_to_be_or_read_as_it_was(at, change):
    files = {"a.xml": REPORT * 50, "b.xml": bytes(range(256)) * 4}
    data = bytearray(zipped(files))
    data[at % len(data)] ^= change
    try:
        found = read(bytes(data))
    except BadArchiveError:
        return
    assert all(data in files.values() for data in found.values())


@pytest.mark.parametrize("name", ["../a.xml", "a/../../b.xml", "/etc/passwd", "C:\\a.xml", "..\\a.xml", "a/.."])
def test_a_path_out_of_the_archive_is_refused_and_its_neighbours_are_read(name):
    found, refused = read_directory(io.BytesIO(zipped({"good.xml": REPORT, name: REPORT, "too.xml": REPORT})))
    assert [member.path for member in found] == ["good.xml", "too.xml"]
    assert len(refused) == 1 and "leads out of it" in refused[0]


def test_other_methods_and_locked_members_are_refused():
    with pytest.raises(BadArchiveError, match="unsupported compression method"):
        read(zipped({"a.xml": REPORT}, zipfile.ZIP_LZMA))
    data = bytearray(zipped({"a.xml": REPORT}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadArchiveError, match="encrypted"):
        read(bytes(data))


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.xml", "w") as member:
        for _ in range(11):
            member.write(bytes(1 << 20))
    monkeypatch.setattr(zip_archive, "RATIO_FROM_BYTES", 10 << 20)
    with pytest.raises(BadArchiveError, match="zip bomb"):
        read(out.getvalue())
    monkeypatch.setattr(zip_archive, "MAX_MEMBER_BYTES", 1 << 20)
    with pytest.raises(BadArchiveError, match="more than 1048576"):
        read(out.getvalue())


def test_too_many_or_too_much_is_refused(monkeypatch):
    data = zipped({f"{n}.xml": REPORT for n in range(11)})
    monkeypatch.setattr(zip_archive, "MAX_TOTAL_BYTES", 10 * len(REPORT))
    with pytest.raises(BadArchiveError, match="unpacks to"):
        read(data)
    monkeypatch.setattr(zip_archive, "MAX_ENTRIES", 10)
    with pytest.raises(BadArchiveError, match="11 entries"):
        read(data)


def test_a_member_that_lies_about_its_size_gives_no_more_than_that():
    data = bytearray(zipped({"a.xml": b"x" * 10_000}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    (member,) = read_directory(io.BytesIO(bytes(data))).members
    with pytest.raises(BadArchiveError), member.open() as stream:
        assert len(stream.read()) <= 100
