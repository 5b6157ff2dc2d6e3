"""What the tests of ingestion share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

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
    monkeypatch.setattr("ingest.jenkins.client.FIRST_WAIT_S", 0.001)


@pytest.fixture
def regtracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Callable[..., Result]:
    """Runs a verb with an empty store and a configuration of its own: regtracker("poll", "--json", source={...})."""
    shutil.copytree(empty_store(), tmp_path / "home")
    config = tmp_path / "regtracker.toml"
    config.touch()
    monkeypatch.setenv("REGTRACKER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REGTRACKER_CONFIG", str(config))

    def run(*arguments: str, source: dict[str, Any] | None = None) -> Result:
        if source:
            lines = [f"{key} = {toml(value)}" for key, value in source.items()]
            config.write_text("[[source]]\n" + "\n".join(lines))
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    return run


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)
