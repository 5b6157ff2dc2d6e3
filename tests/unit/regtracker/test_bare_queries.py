"""The bare queries of the benchmark return the rows of the product's answers."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from data.lake.store import Store
from data.model import ids
from data.settings import load
from regtracker.bench import queries
from regtracker.bench.bare_queries import BARE_QUERIES
from regtracker.bench.synthetic import StoreShape, fill

COUNTS = ("total", "passed", "failed", "skipped")
KINDS = ("flaky", "fixed", "new_failure", "regression", "always_failing")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store, the questions, and a plain DuckDB file with the same rows."""
    store = Store.open(load(home=tmp_path_factory.mktemp("bench")), memory_tables=True)
    fill(store, StoreShape(releases=2, modules=2, runs=30, tests=400))
    parameters, questions = queries.plan(store, "7.0")
    with queries.native_copy(store, tmp_path_factory.mktemp("bare")) as bare:
        yield store, bare, parameters, questions
    store.close()


def columns(*names):
    """The rows of a list, as tuples of these fields; ids as the store has them."""
    return lambda answer: [tuple(of_store(name, row[name]) for name in names) for row in answer]


def of_store(name, value):
    return ids.number(value) if name in ("id", "run", "build", "test", "signature") and value else value


def rounded(row):
    """The store has durations in single precision."""
    return tuple(round(value, 3) if isinstance(value, float) else value for value in row)


def of_overview(answer):
    return [
        (ids.number(run["id"]), tile["release"], run["number"], *(run[name] for name in COUNTS))
        for tile in answer
        for run in tile["spark"]
    ]


def of_verdicts(answer):
    return [(ids.number(row["test"]), row["environment"], *(kind in row["kinds"] for kind in KINDS)) for row in answer]


def of_grid(answer):
    return [(ids.number(test["test"]), cells) for test, cells in zip(answer["tests"], answer["cells"], strict=True)]


def of_trend(answer):
    (series,) = answer["series"]
    return columns("run", *COUNTS)(series["points"])


def of_facets(answer):
    return [
        (column, row["value"], *(row[name] for name in COUNTS))
        for column in ("status", "topology", "host")
        for row in answer[column]
    ]


def of_comparison(answer):
    return [
        (ids.number(test["test"]), test["before"], test["after"])
        for test in chain.from_iterable(answer["classes"].values())
        if "failed" in (test["before"], test["after"])
    ]


ROWS = {
    "overview": of_overview,
    "module list": columns("module", *COUNTS),
    "run view, all modules": columns("module", *COUNTS),
    "priorities with deltas": columns("priority", *COUNTS),
    "failed tests of a run": columns(
        "test", "topology", "host", "duration_s", "signature", "message", "file", "class", "name"
    ),
    "verdicts of a module": of_verdicts,
    "verdicts of a release": of_verdicts,
    "grid, 5 runs x 100 tests": of_grid,
    "grid, 50 runs x 1,000 tests": of_grid,
    "trend, 100 runs": of_trend,
    "build's results, a page": columns("test", "status", "topology", "host", "duration_s", "file", "class", "name"),
    "build's results, grouped": of_facets,
    "search by name": columns("test", "file", "class", "name", "module", "priority"),
    "one test's history": columns("build", "number", "status", "topology", "host", "duration_s", "message"),
    "compare two runs": of_comparison,
}


@pytest.mark.parametrize("question", ROWS)
def test_a_bare_query_returns_the_rows_of_the_answer(filled, question):
    store, bare, parameters, questions = filled
    _, query, *arguments = questions[question]
    found = queries.fetch(bare, question, parameters)
    assert found, "nothing to compare"
    assert Counter(map(rounded, found)) == Counter(map(rounded, ROWS[question](query(store, *arguments))))


def test_the_bare_query_of_failure_patterns_returns_all_members_of_the_clusters(filled):
    store, bare, parameters, questions = filled
    _, query, *arguments = questions["failure patterns"]
    answer = query(store, *arguments)
    found = queries.fetch(bare, "failure patterns", parameters)
    assert sum(row[1] for row in found) == sum(cluster["count"] for cluster in answer) > 0
    assert {row[-1] for row in found} >= {cluster["pattern"] for cluster in answer}


def test_each_question_has_a_bare_query(filled):
    assert filled[3].keys() == BARE_QUERIES.keys()
