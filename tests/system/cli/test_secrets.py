"""No secret is printed: planted ones are searched in everything that a process writes, logs, stores and answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import requests
from support.fake_server import WebServer, job
from support.ingest_fixtures import web
from support.postgres import postgres_server
from support.processes import free_port, wait_until_listening

from data.lake.connection import attach_lock_database, connect
from data.settings import StoreSettings, load

__all__ = ["web"]

PASSWORD = "h0rse/b@ttery's:st%ple"
TOKEN = "11f0c0ffee0badcafe"
S3_SECRET = "s3SecretKeyOfNobody"
SQL = (
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT getenv('PGPASSWORD')",
    "FROM postgres_query('lake', 'SELECT 1')",
    "SELECT * FROM nowhere",
)


def address(form: str, port: int, password: str = PASSWORD) -> str:
    """The address of a catalog on this port, with the password in one of the places that libpq reads."""
    encoded, escaped = quote(password, safe=""), password.replace("\\", "\\\\").replace("'", "\\'")
    return {
        "url": f"postgresql://tracker:{encoded}@127.0.0.1:{port}/postgres",
        "raw url": f"postgresql://tracker:{password.replace('%', '%25')}@127.0.0.1:{port}/postgres",
        "query": f"postgresql://tracker@127.0.0.1:{port}/postgres?password={encoded}&connect_timeout=5",
        "keywords": f"postgres:host=127.0.0.1 port={port} user=tracker password='{escaped}' dbname=postgres",
    }[form]


def assert_hidden(*texts: str) -> None:
    assert any(texts), "something was printed"
    for text in texts:
        for secret in (PASSWORD, TOKEN, S3_SECRET):
            for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
                assert form not in text, text
        for part in ("b@ttery", "b%40ttery", "ttery's", "st%ple", "st%25ple"):  # of the password, however it is cut
            assert part not in text, text


class Home:
    """A folder with a configuration, and the commands that use it."""

    def __init__(self, folder: Path, catalog: str, source: dict | None = None) -> None:
        lines = ["[store]", f"catalog = {json.dumps(catalog)}", f"data_path = {json.dumps(str(folder / 'lake'))}"]
        if source:
            lines += ["[[source]]", *(f"{key} = {json.dumps(value)}" for key, value in source.items())]
        config = folder / "regtracker.toml"
        config.write_text("\n".join(lines))
        self.environment = os.environ | {
            "REGTRACKER_HOME": str(folder / "home"),
            "REGTRACKER_CONFIG": str(config),
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
        }
        self.environment.pop("PGPASSWORD", None)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "regtracker", *arguments], env=self.environment, capture_output=True, text=True
        )
        assert_hidden(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The address of the web server; afterwards, what it and its children have printed is searched."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "regtracker", "web", "--port", str(port), "--workers", "1"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_until_listening(port, process)
            yield f"http://127.0.0.1:{port}"
            tree = psutil.Process(process.pid)
            assert_hidden(*(" ".join(one.cmdline()) for one in (tree, *tree.children(recursive=True))))
        finally:
            process.terminate()
            assert_hidden(process.communicate(timeout=60)[0])


def get(url: str) -> str:
    answer = requests.get(url, timeout=60)
    assert_hidden(answer.text, str(answer.headers))
    return answer.text


def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    home = Home(tmp_path, address("url", free_port()))
    for command in (["check", "--json"], ["gate", "--release", "7.0"], ["ingest"]):
        code, text = home.run(*command)
        assert code == 2 and "127.0.0.1" in text, command
    with home.serve() as url:
        for path in ("/api/v1/health", "/api/v1/health/ready", "/api/v1/releases", "/metrics", "/"):
            get(url + path)
        answer = requests.post(f"{url}/api/v1/sql", json={"sql": SQL[0]}, timeout=60)
        assert answer.status_code == 503
        assert_hidden(answer.text)


@pytest.fixture(scope="module")
def catalog() -> Iterator[int]:
    """The port of a PostgreSQL server that asks for the password."""
    with postgres_server(PASSWORD) as port:
        yield port


@pytest.mark.parametrize("form", ["raw url", "query", "keywords"])
def test_a_wrong_password(catalog: int, tmp_path: Path, form: str) -> None:
    code, text = Home(tmp_path, address(form, catalog, PASSWORD + "X")).run("check")
    assert code == 2 and "password authentication failed" in text


@pytest.mark.parametrize("form", ["url", "raw url", "query", "keywords"])
def test_the_right_password_opens_the_catalog(
    catalog: int, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")  # restored afterwards
    settings = load(
        home=tmp_path, store=StoreSettings(catalog=address(form, catalog), data_path=str(tmp_path / "lake"))
    )
    with connect(settings.lake) as root:
        attach_lock_database(root, settings.lake)
        shown = root.execute("SELECT * FROM duckdb_databases()").fetchall()
    assert_hidden(str(shown))


def test_a_store_behind_a_password(catalog: int, tmp_path: Path, web: WebServer) -> None:
    """Also with the token of a Jenkins in its address: it is used, and neither shown nor stored."""
    source = job(web, 1)
    source |= {"url": source["url"].replace("://", f"://reader:{TOKEN}@")}
    home = Home(tmp_path, address("keywords", catalog), source)
    code, text = home.run("poll", "--json")
    assert code == 0 and json.loads(text)["ingested"] == 1
    assert web.received[-1].headers["Authorization"] == "Basic " + b64encode(f"reader:{TOKEN}".encode()).decode()
    with home.serve() as url:
        for path in ("/api/v1/health", "/api/v1/builds", "/api/v1/runs", "/api/v1/ingest/status", "/metrics"):
            get(url + path)
        for sql in SQL:
            assert_hidden(requests.post(f"{url}/api/v1/sql", json={"sql": sql}, timeout=60).text)


def test_a_jenkins_whose_address_has_a_token(tmp_path: Path, web: WebServer) -> None:
    """Also where nothing is there, and where a wrong address is asked for."""
    source = job(web, 1) | {"url": f"http://reader:{TOKEN}@127.0.0.1:{free_port()}/", "timeout_s": 2}
    home = Home(tmp_path, str(tmp_path / "catalog.sqlite"), source)
    for command in (["check", "--json"], ["poll"]):
        code, text = home.run(*command)
        assert code == 2 and "127.0.0.1" in text
    with home.serve() as url:
        question = {"kind": "build", "source": "ci", "url": f"http://reader:{TOKEN}@127.0.0.1:1/job/x/1/"}
        assert_hidden(requests.post(f"{url}/api/v1/ingest/requests", json=question, timeout=60).text)
        for path in ("/api/v1/ingest/requests", "/api/v1/ingest/status", "/api/v1/health", "/api/v1/ingest/ledger"):
            get(url + path)


@pytest.mark.parametrize(
    "catalog_text",
    [
        f"mysql://tracker:{PASSWORD}@db/x",
        f"host=db password={PASSWORD} dbname=x",
        f"mysql://tracker@db/x?password={PASSWORD}",
    ],
)
def test_a_wrong_configuration(tmp_path: Path, catalog_text: str) -> None:
    code, text = Home(tmp_path, catalog_text).run("check")
    assert code == 2 and "store.catalog" in text


def test_an_error_that_nobody_expects(tmp_path: Path) -> None:
    """A traceback, of the process and of one of its threads, and a log line with arguments."""
    code = """if True:
        import logging, sys, threading
        from data import redaction, settings
        settings.load()
        redaction.install()
        logging.basicConfig(level=0)
        def fail():
            raise ValueError("postgresql://a:" + sys.argv[1] + "@db and " + repr(sys.argv[1]))
        try:
            fail()
        except ValueError:
            logging.exception("failed for %s", {"password": sys.argv[1]})
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
    """
    home = Home(tmp_path, address("url", 1))
    done = subprocess.run([sys.executable, "-c", code, PASSWORD], env=home.environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("ValueError") == 3
    assert_hidden(done.stderr)
