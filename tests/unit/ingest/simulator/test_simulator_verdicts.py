"""The simulated programme, polled and judged: the verdicts name the planted first bad runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.settings import load
from data.verdicts import verdicts
from ingest.simulator.programme import Programme
from ingest.simulator.server import SimulatorServer
from regtracker.backtest.known_faults import from_simulator

START = datetime(2026, 11, 29, 12, tzinfo=UTC)
MIN_EXACT = 0.95


@pytest.mark.slow
def test_planted_breakages_are_dated_exactly_and_inside_their_ranges(
    regtracker: Callable[..., Result], tmp_path: Path
) -> None:
    with SimulatorServer(Programme("small", 11, START, live=False)) as server:
        source = next(source for source in server.sources() if source["layout"] == "orchestrator")
        regtracker("poll", source=source | {"history": 100_000})
        planted = from_simulator(server.truth())
    store = Store.open(load(home=tmp_path / "home"), memory_tables=True)
    exact, outside = [], []
    for release in sorted({fault.release for fault in planted.faults}):
        of_test = {fault.test: fault for fault in planted.faults if fault.release == release and fault.end is None}
        for row in verdicts.verdicts(store, Filter(release, environment="prod"), limit=10_000):
            fault, range_99 = of_test.get(ids.number(row["test"])), row["range_99"]
            if range_99 and not range_99["after"] < row["first_bad"]["number"] <= range_99["until"]:
                outside.append(row["sentence"])
            if fault is not None and fault.rate == 1:
                exact.append(row["first_bad"] is not None and row["first_bad"]["number"] == fault.first)
    store.close()
    assert not outside
    assert len(exact) >= 10 and sum(exact) >= MIN_EXACT * len(exact)
