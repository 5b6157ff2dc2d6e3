"""Reports that would fill the memory are refused whole, with the limit: uploads, imports and polled builds."""

from __future__ import annotations

import io
import json
import struct
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from click.testing import Result
from support.fake_server import JUNIT, Answer, WebServer, job

from dashboard.app import create_app
from data.lake.store import Store
from data.settings import load
from data.tasks import requests
from ingest.parsers import parse_file
from ingest.parsers.allowance import Allowance, LimitError
from ingest.parsers.zip_archive import OversizedArchiveError, read_directory
from ingest.request_handlers import handle_request
from ingest.shared_store import SharedStore
from ingest.source_poller import SourcePoller

Run = Callable[..., Result]
CASE = b"<testcase classname='c' name='a'/>"


def archive(*contents: bytes, name: str = "r{}.xml") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for number, content in enumerate(contents):
            file.writestr(name.format(number), content)
    return packed.getvalue()


def suite(cases: int) -> bytes:
    return b"<testsuite>" + CASE * cases + b"</testsuite>"


def distinct(cases: int) -> bytes:
    return b"<testsuite>" + b"".join(b"<testcase name='a%d'/>" % n for n in range(cases)) + b"</testsuite>"


BOMBS: dict[str, tuple[bytes, dict[str, float], str]] = {
    "many small files": (archive(*[suite(500)] * 400), {}, "archive bomb"),
    "one large file": (archive(suite(200_000)), {}, "archive bomb"),
    "cases over all files": (archive(*[distinct(60)] * 2), {"cases": 100}, "more than 100 cases ([limits] cases)"),
    "cases of one file": (archive(distinct(300)), {"cases": 100}, "[limits] cases"),
    "cases of TAP": (archive(b"ok\n" * 300, name="r{}.tap"), {"cases": 100}, "[limits] cases"),
    "files": (archive(*[JUNIT] * 11), {"files": 10}, "[limits] files"),
    "bytes": (archive(*[b"<testsuite>" + b" " * 700_000 + b"</testsuite>"] * 2), {"unpacked_mb": 1}, "unpacked_mb"),
    "time": (archive(distinct(3000)), {"seconds": 1e-9}, "takes longer than 1e-09 s ([limits] seconds)"),
}


def configure(monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(f"REGTRACKER_LIMITS__{name.upper()}", str(value))


@pytest.fixture(params=BOMBS)
def bomb(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, str]:
    """(an archive that exceeds a limit, what its refusal says); the limits are configured."""
    content, limits, words = BOMBS[request.param]
    configure(monkeypatch, limits)
    return content, words


def test_an_upload(regtracker: Run) -> None:
    """Refused at once if its directory shows it, else when ingest reads it."""
    refused = 0
    for limits in {str(limits): limits for _, limits, _ in BOMBS.values()}.values():
        with pytest.MonkeyPatch.context() as patch:
            configure(patch, limits)
            client = create_app(load()).server.test_client()
            stop = threading.Event()
            shared = SharedStore(load(), stop)
            with closing(shared.store) as store:
                poller = SourcePoller(shared, [], BackgroundScheduler(), stop)
                for content, words in [(content, words) for content, of, words in BOMBS.values() if of == limits]:
                    form: dict[str, Any] = {"release": "9.0", "module": "m", "files": (io.BytesIO(content), "r.zip")}
                    answer = client.post("/api/v1/builds", data=form)
                    assert answer.status_code in (202, 413)
                    if answer.status_code == 413:
                        refused += 1
                        assert words in answer.json["detail"] and answer.json["parameter"] == "files"
                        assert requests.claim(store) == []
                    else:
                        (request,) = requests.claim(store)
                        handle_request(store, poller, request)
                        found = requests.status(store, request.request)
                        assert found and found.state == "failed" and words in (found.error or "")
                assert store.value("SELECT count(*) FROM builds") == 0
                assert store.value("SELECT count(*) FROM raw_files") == 0
    assert 0 < refused < len(BOMBS)


def test_an_import(regtracker: Run, tmp_path: Path) -> None:
    path = tmp_path / "reports.zip"
    for content, limits, words in BOMBS.values():
        path.write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            configure(patch, limits)
            done = regtracker("import", str(path), "--release", "7.0", "--module", "m", "--json")
        assert done.exit_code == 1 and words in json.loads(done.stdout)["error"]
        assert "Imported" not in done.stdout and done.stderr


def test_a_polled_build(regtracker: Run, web: WebServer, bomb: tuple[bytes, str]) -> None:
    """It fails once, in words; the next builds are read, and it is not downloaded again before somebody asks."""
    source = job(web, 1, 2)
    kind = "tap" if b"r0.tap" in bomb[0] else "xml"
    web.routes["/job/x/1/api/json"]["artifacts"] = [{"relativePath": f"r{n}.{kind}"} for n in range(2)]
    web.routes[f"/job/x/1/artifact/**/*.{kind}/*zip*/r.zip"] = Answer(bomb[0])
    done = regtracker("poll", "--json", source=source | {"results": ["tap:**/*.tap", "junit:**/*.xml"]})
    stored = [] if "seconds" in bomb[1] else [2]  # no build is read in so short a time
    assert done.exit_code == 1 and json.loads(done.stdout)["failed"] == 2 - len(stored)
    assert bomb[1] in json.loads(done.stdout)["failures"][-1]
    with closing(Store.open(load())) as store:
        row = store.rows("SELECT number, state, next_try, error FROM ledger ORDER BY number")[0]
        assert (row["number"], row["state"], row["next_try"]) == (1, "failed", None) and bomb[1] in row["error"]
        assert [row["number"] for row in store.rows("SELECT number FROM builds")] == stored
    before = len(web.received)
    assert regtracker("poll", "--json").exit_code == 0
    assert not [request for request in web.received[before:] if "/1/" in request.path]


class Endless(io.RawIOBase):
    """A report without an end: lines that repeat. It fails if more than 4 MB are read of it."""

    def __init__(self, head: bytes, line: bytes) -> None:
        self.head, self.line, self.at = head, line, 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        assert whence == 0
        self.at = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        start, self.at = self.at, self.at + size
        assert 0 < self.at < 4 << 20
        return (self.head + self.line * (self.at // len(self.line)))[start : self.at]

    def readline(self, size: int | None = -1, /) -> bytes:
        assert not self.head
        self.at += len(self.line)
        assert self.at < 4 << 20
        return self.line


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("r.xml", b"<testsuite>", CASE),
        ("r.xml", b"<testsuite>&ill-formed", CASE),
        ("r.xml", b"<test-run>", b"<test-case name='a' result='Passed'/>"),
        ("r.tap", b"", b"ok\n"),
        ("r.order.txt", b"", b"1  [host-1] PASSED a/b.py::test\n"),
        ("r.json", b"", b'{"Action":"pass","Package":"p","Test":"TestA"}\n'),
    ],
)
def test_a_report_without_an_end_is_given_up(name: str, head: bytes, line: bytes) -> None:
    """Long before it reaches the limit of bytes."""
    allowance = Allowance(cases=1000, files=1, unpacked_mb=1000, seconds=60)
    with allowance.one_report(), pytest.raises(LimitError, match="more cases than"):
        parse_file(name, Endless(head, line))


def test_a_real_report_is_far_from_the_limits(regtracker: Run, tmp_path: Path) -> None:
    """30,000 tests with similar names, which compress well."""
    path = tmp_path / "reports.zip"
    path.write_bytes(archive(*[distinct(30_000)]))
    assert path.stat().st_size < 90_000
    done = regtracker("import", str(path), "--release", "7.0", "--module", "m", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["total"] == 30_000


def test_a_directory_of_millions_of_entries_is_not_loaded() -> None:
    entry = b"PK\x01\x02" + b"\0" * 42
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 60_000 * len(entry), 0, 0)
    with pytest.raises(OversizedArchiveError, match="60000 entries"):
        read_directory(io.BytesIO(entry * 60_000 + end))


def test_an_archive_within_an_archive_stays_packed(regtracker: Run, tmp_path: Path) -> None:
    path = tmp_path / "reports.zip"
    inner = archive(suite(200_000))
    path.write_bytes(archive(inner, JUNIT))
    done = regtracker("import", str(path), "--release", "7.0", "--module", "m", "--json")
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["total"] == 3 and any("which is not unpacked" in text for text in document["warnings"])
