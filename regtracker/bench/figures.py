"""What the benchmark measures; `regtracker bench --json` prints it as it is here."""

from __future__ import annotations

from dataclasses import dataclass

from regtracker.bench.arrivals import ArrivalResult
from regtracker.bench.ingest import IngestRate
from regtracker.bench.queries import QueryTiming
from regtracker.bench.reading import ReadingRates
from regtracker.bench.routes import LoadResult, RouteTiming


@dataclass(frozen=True)
class StoreFigures:
    """One store. Over HTTP without the answer cache ("computed") and with it ("remembered")."""

    results: int
    bytes_per_result: float
    questions: list[QueryTiming]
    http_computed: list[RouteTiming]
    load_computed: list[LoadResult]
    memory_mb_computed: float
    http_remembered: list[RouteTiming]
    load_remembered: list[LoadResult]
    memory_mb_remembered: float


@dataclass(frozen=True)
class Figures:
    machine: str
    ingest: IngestRate
    stores: list[StoreFigures]
    arrivals: list[ArrivalResult]
    reading: list[ReadingRates]
