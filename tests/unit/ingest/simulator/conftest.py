"""One simulated Jenkins for all tests that only read it, with an account and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ingest.simulator import Programme, SimulatorServer

START = datetime(2026, 11, 20, tzinfo=UTC)
USER, TOKEN = "reader", "11a7c0ffee"


@pytest.fixture(scope="session")
def programme() -> Programme:
    """A run of 7.1 is under way: one module has ended, one runs, one waits."""
    return Programme("tiny", 5, START)


@pytest.fixture(scope="session")
def open_jenkins(programme: Programme) -> Iterator[SimulatorServer]:
    """Anonymous visitors may read. URLs in answers name the address of the request."""
    with SimulatorServer(programme, root_url=None) as server:
        yield server


@pytest.fixture(scope="session")
def closed_jenkins(programme: Programme) -> Iterator[SimulatorServer]:
    """Only the account may read."""
    with SimulatorServer(programme, root_url=None, user=USER, token=TOKEN) as server:
        yield server
