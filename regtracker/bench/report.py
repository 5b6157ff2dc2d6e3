"""The benchmark's figures as the Markdown tables of docs/performance.md.

Next to them: the predecessor's times for the same query (FastAPI and SQLite, five workers, its response cache
bypassed), measured once on a machine of the same kind with 2 cores, and the times that this product aims at.
"""

from __future__ import annotations

from pathlib import Path

import click

from regtracker.bench.arrivals import ArrivalResult
from regtracker.bench.figures import Figures, StoreFigures
from regtracker.bench.ingest import IngestRate
from regtracker.bench.reading import ReadingRates

MARKS = ("<!-- measured: regtracker bench --write -->", "<!-- end of what was measured -->")
# Query -> the predecessor's p50 ms at about (80 thousand, 1 million, 9.6 million) results.
PREDECESSOR = {
    "module list": (4.2, 16, 129),
    "run view, all modules": (12, 18, 41),
    "priorities with deltas": (8, 12, 54),
    "verdicts of a module": (40, 118, 364),
    "verdicts of a release": (1135, 1923, 10903),
    "grid, 5 runs x 100 tests": (22, 39, 256),
    "grid, 50 runs x 1,000 tests": (128, 340, 1097),
    "build's results, a page": (16, 101, 1338),
    "build's results, grouped": (24, 117, 1382),
    "search by name": (38, 298, 2651),
    "one test's history": (2.8, 4.4, 7.0),
}
PREDECESSOR_PER_SECOND = ("133-149", "42-94", "15-21")
PREDECESSOR_MEMORY_MB = (1100, 2400, 8900)
PREDECESSOR_BYTES = "665-713"
# p50 ms over HTTP at 9.6 million results, computed.
AIM = {
    "module list": 10,
    "run view, all modules": 15,
    "priorities with deltas": 20,
    "verdicts of a module": 25,
    "verdicts of a release": 150,
    "grid, 5 runs x 100 tests": 25,
    "grid, 50 runs x 1,000 tests": 80,
    "build's results, a page": 20,
    "build's results, grouped": 40,
    "search by name": 40,
    "one test's history": 7,
}


def write(figures: Figures, document: Path) -> None:
    """Write the tables between the marks of a document. Raises UsageError if it has no marks."""
    before, mark, rest = document.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (mark and end):
        raise click.UsageError(f"{document} has no lines {MARKS[0]!r} and {MARKS[1]!r} for the tables to go between")
    document.write_text(f"{before}{MARKS[0]}\n{text(figures)}\n{MARKS[1]}{after}")


def text(figures: Figures) -> str:
    """The machine, the ingest rates, one table per store, and with several stores how the cost grows."""
    parts = [
        figures.machine + ".",
        _ingest(figures.ingest),
        _reading(figures.reading),
        _arrivals(figures.arrivals),
    ]
    for store in figures.stores:
        parts += [f"### {store.results:,} results", _query_table(store), _load(store), _size(store)]
    if len(figures.stores) > 1:
        parts += ["### How the cost grows", _growth(figures.stores)]
    return "\n\n".join(parts)


def _ingest(rate: IngestRate) -> str:
    return (
        f"Ingest over HTTP from a simulated Jenkins: {rate.attempts:,} results of {rate.builds} builds in "
        f"{rate.wall_s:.1f} s, {rate.attempts / rate.wall_s:,.0f} a second "
        f"({rate.attempts / rate.cpu_s:,.0f} a second of CPU), {rate.requests} requests, "
        f"peak {rate.peak_mb:.0f} MB, {rate.bytes_per_result:.0f} bytes a result "
        f"(raw files: {rate.raw_bytes_per_result:.0f})."
    )


def _reading(rates: list[ReadingRates]) -> str:
    """Rates in thousands of results a second, and as parts of the bare one."""
    return _table(
        "JUnit XML, thousands of results a second of one core | bare lxml iterparse | reading | of bare | committing "
        "| both | of bare",
        [
            [
                rate.dialect,
                *(_number(each / 1000) for each in (rate.bare, rate.read)),
                f"{rate.read / rate.bare:.2f}",
                *(_number(each / 1000) for each in (rate.committed, rate.both)),
                f"{rate.both / rate.bare:.2f}",
            ]
            for rate in rates
        ],
    )


def _arrivals(results: list[ArrivalResult]) -> str:
    return _table(
        "50 clients on the main routes of three releases | requests a second | p50 ms | p95 ms | readiness p95 ms",
        [
            [
                f"{result.commits} builds arrived" if result.commits else "no commits",
                *map(_number, (result.per_second, result.p50_ms, result.p95_ms, result.ready_p95_ms)),
            ]
            for result in results
        ],
    )


def _scale(results: int) -> int:
    """Index of the nearest of the predecessor's three sizes."""
    return 0 if results < 300_000 else 1 if results < 3_000_000 else 2


def _query_table(store: StoreFigures) -> str:
    scale = _scale(store.results)
    rows = zip(store.questions, store.http_computed, store.http_remembered, strict=True)
    return _table(
        "question, ms | predecessor p50 | aim | computed p50 | p95 | remembered p50 | 304 | without HTTP | bare query",
        [
            [
                query.question,
                _number(PREDECESSOR.get(query.question, (None,) * 3)[scale]),
                _number(AIM.get(query.question) if scale == 2 else None),
                _number(computed.p50_ms),
                _number(computed.p95_ms),
                _number(remembered.p50_ms),
                _number(computed.unchanged_ms),
                _number(query.p50_ms),
                _number(query.bare_ms),
            ]
            for query, computed, remembered in rows
        ],
    )


def _load(store: StoreFigures) -> str:
    rows = zip(store.load_computed, store.load_remembered, strict=True)
    return _table(
        "run view, clients | computed, a second | p50 ms | p95 ms | remembered, a second | p50 ms | p95 ms",
        [
            [
                str(computed.clients),
                *map(_number, (computed.per_second, computed.p50_ms, computed.p95_ms)),
                *map(_number, (remembered.per_second, remembered.p50_ms, remembered.p95_ms)),
            ]
            for computed, remembered in rows
        ],
    )


def _size(store: StoreFigures) -> str:
    scale = _scale(store.results)
    return (
        f"With 32 clients the predecessor answered {PREDECESSOR_PER_SECOND[scale]} requests a second, in "
        f"{PREDECESSOR_MEMORY_MB[scale]:,} MB; the web processes here took {store.memory_mb_computed:.0f} MB "
        f"(remembering answers: {store.memory_mb_remembered:.0f} MB). "
        f"On disk: {store.bytes_per_result:.1f} bytes a result (predecessor: {PREDECESSOR_BYTES}); "
        "made-up texts repeat more than real ones do."
    )


def _growth(stores: list[StoreFigures]) -> str:
    sizes = [f"{store.results:,}" for store in stores]
    times = [[answer.p50_ms for answer in store.http_computed] for store in stores]
    return _table(
        " | ".join(["computed over HTTP, p50 ms", *sizes, "last / first"]),
        [
            [query.question, *map(_number, row), f"{row[-1] / row[0]:.1f}"]
            for query, *row in zip(stores[0].questions, *times, strict=True)
        ],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _table(head: str, rows: list[list[str]]) -> str:
    aligned = " | ".join(["---", *["---:"] * head.count("|")])
    return "\n".join([f"| {head} |", f"| {aligned} |", *(f"| {' | '.join(row)} |" for row in rows)])
