"""Shorter planning in DuckDB, for tests whose question is not what a query answers."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

# On an empty store these two take half of the CPU time of opening it, and a third of that of writing a run: the catalog
# is queried with many small joins. They change how fast a query is, not what it answers.
_LEFT_OUT = "join_order,statistics_propagation"


@pytest.fixture(autouse=True, scope="module")
def light_plans(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stores that are opened in this process plan without reordering joins and without propagating statistics. Modules
    with the marker usual_plans and all processes that tests start plan as the product does."""
    if request.node.get_closest_marker("usual_plans"):
        yield
        return
    connect = duckdb.connect

    def connect_lightly(*arguments, **options) -> duckdb.DuckDBPyConnection:
        connection = connect(*arguments, **options)
        connection.execute(f"SET disabled_optimizers = '{_LEFT_OUT}'")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", connect_lightly)
        yield
