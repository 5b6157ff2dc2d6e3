"""What the tests of ingestion share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data.lake.store import Store
from data.model.build_record import BuildRecord, RawFile
from data.settings import load
from data.tasks.build_lookups import builds_of_job
from ingest.import_plan import ImportKey
from ingest.importer import SOURCE, read_reports, read_upload, store_imports
from ingest.report_files import reports
from regtracker import main
from support.fake_server import WebServer
from support.store_builder import empty_store


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their waits."""
    monkeypatch.setattr("ingest.http.FIRST_WAIT_S", 0.001)


@pytest.fixture
def regtracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Callable[..., Result]:
    """Runs a verb with an empty store and a configuration of its own: regtracker("poll", "--json", source={...})."""
    return commands(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def shared_regtracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Result]]:
    """The same with one store for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.http.FIRST_WAIT_S", 0.001)
        yield commands(tmp_path_factory.mktemp("shared"), patch)


def commands(folder: Path, patch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs verbs with an empty store and a configuration in this folder."""
    shutil.copytree(empty_store(), folder / "home")
    config = folder / "regtracker.toml"
    config.touch()
    patch.setenv("REGTRACKER_HOME", str(folder / "home"))
    patch.setenv("REGTRACKER_CONFIG", str(config))

    def run(*arguments: str, source: dict[str, Any] | None = None) -> Result:
        if source:
            lines = [f"{key} = {toml(value)}" for key, value in source.items()]
            config.write_text("[[source]]\n" + "\n".join(lines))
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    return run


@pytest.fixture
def store(regtracker: Callable[..., Result]) -> Iterator[Store]:
    """The store of `regtracker`, as another process sees it."""
    with closing(Store.open(load())) as store:
        yield store


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def store_files(store: Store, key: ImportKey, *paths: Path) -> BuildRecord:
    """Import the reports at these paths as one build."""
    with reports(paths) as bundle:
        assert not bundle.unreadable
        found = read_reports(key, bundle, store.settings.identity.roots)
        read = found.build(SOURCE, builds_of_job(store, SOURCE, key.job))
    store_imports(store, [read])
    return read.build


def store_upload(store: Store, metadata: dict[str, Any], files: Sequence[RawFile]) -> BuildRecord:
    """Read an upload as the ingest process does, and store its build."""
    read = read_upload(store, metadata, files)
    store_imports(store, [read])
    return read.build
