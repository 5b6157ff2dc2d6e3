"""Routes about tests: who they are, what became of them, which are broken or flaky, and why they fail."""

from __future__ import annotations

from typing import Any

from dashboard.api import listing, parameters, shapes
from dashboard.api.documented import blueprint, many, one
from dashboard.api.listing import Row, Rows
from dashboard.api.problems import unknown
from dashboard.api.runs import checked, known_run
from dashboard.api.serving import asked, remembered, store
from data.filters import Filter
from data.queries import failures, tests, verdicts
from data.stats.words import WORDS

routes = blueprint("tests", "Tests: their history, their verdicts, and the patterns of their failures.")


@routes.get("/tests", summary="Find tests by part of their key or by case id", responses=many(shapes.FoundTest))
@remembered()
def list_tests(query: parameters.TestsQuery) -> Any:
    """Every word of `q` must be in the key, whatever its case, or be a case id. The shortest names come first."""

    def fetch(flt: Filter, position: int | None, limit: int) -> list[Row]:
        start = position or 0
        return tests.find(store(), query.q, flt, limit=start + limit)[start:]

    return listing.answer(Rows(shapes.FoundTest, fetch), query, query.filter())


@routes.get("/tests/<test>", summary="One test", responses=one(shapes.TestDetail))
@remembered()
def get_test(path: parameters.TestPath, query: parameters.SnapshotQuery) -> Any:
    """With its metadata and the releases that it ran in."""
    return _known(path.test, asked().at(query.filter()))


@routes.get("/tests/<test>/history", summary="The results of a test", responses=many(shapes.HistoryRow))
@remembered()
def list_history(path: parameters.TestPath, query: parameters.HistoryQuery) -> Any:
    """The newest first: one row a build and topology."""

    def fetch(flt: Filter, position: list[str] | None, limit: int) -> list[Row]:
        before = (position[0], position[-1]) if position else None
        return tests.history(store(), path.test, flt, limit=limit, before=before)

    flt = query.filter()
    _known(path.test, asked().at(Filter()))
    rows = Rows(shapes.HistoryRow, fetch, key=lambda row: [row["build"], row["topology"]])
    return listing.answer(rows, query, flt)


@routes.get("/verdicts", summary="What is broken, flaky or fixed", responses=many(shapes.Verdict))
@remembered()
def list_verdicts(query: parameters.VerdictsQuery) -> Any:
    """The worst first, each with the evidence from which it can be computed again. A verdict looks at the newest runs
    (`runs`, by default the window of the settings) of each release and environment."""

    def fetch(flt: Filter, position: int | None, limit: int) -> list[Row]:
        return verdicts.verdicts(store(), flt, query.kinds or WORDS, limit=limit, offset=position or 0)

    return listing.answer(Rows(shapes.Verdict, fetch), query, query.filter())


@routes.get("/failures", summary="Failure patterns, the widest first", responses=many(shapes.Failure))
@remembered()
def list_failures(query: parameters.FailuresQuery) -> Any:
    """Of the newest runs (`runs`, by default 10) of each release and environment, or of one run."""

    def fetch(flt: Filter, position: int | None, limit: int) -> list[Row]:
        start = position or 0
        return failures.failures(store(), flt, limit=start + limit, run=query.run)[start:]

    if query.run is not None:
        known_run(query.run, asked().at(Filter()))
    return listing.answer(Rows(shapes.Failure, fetch), query, query.filter())


@routes.get("/failures/<signature>", summary="One failure pattern", responses=one(shapes.FailureDetail))
@remembered()
def get_failure(path: parameters.SignaturePath, query: parameters.FailureQuery) -> Any:
    """With its counts by day and its newest examples."""
    found = failures.failure(store(), checked("failure pattern", path.signature), asked().at(query.filter()))
    if found is None:
        raise unknown("failure pattern", path.signature)
    return found


def _known(test: str, flt: Filter) -> Row:
    found = tests.test(store(), checked("test", test), flt)
    if found is None:
        raise unknown("test", test)
    return found
