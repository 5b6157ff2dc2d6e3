"""What the tests of ingestion share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from webserver import WebServer


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their waits."""
    monkeypatch.setattr("ingest.jenkins.FIRST_WAIT_S", 0.001)
