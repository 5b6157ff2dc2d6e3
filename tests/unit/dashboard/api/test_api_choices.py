"""The choices that parameters and schemas write as literals are those that the queries know."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from dashboard.api import parameters
from dashboard.api.schemas import schema
from data.answers.base import VerdictKind
from data.answers.bugs import Bug
from data.answers.search import Hit
from data.queries import bug_links, grid, matrix, search, trends
from data.verdicts import rules


def choices(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, optional or not."""
    found = [value for option in get_args(annotation) for value in (get_args(option) or (option,))]
    return tuple(value for value in found if isinstance(value, str))


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        (parameters.MatrixQuery, "by", matrix.AXES),
        (parameters.TrendsQuery, "group", trends.GROUPS),
        (parameters.GridQuery, "order", grid.ORDERS),
        (parameters.BugsQuery, "status", bug_links.STATES),
        (schema(Bug), "state", bug_links.STATES),
        (schema(Hit), "kind", search.KINDS),
    ],
)
def test_a_field_takes_the_values_of_its_query(model, name, expected):
    assert choices(model.model_fields[name].annotation) == tuple(expected)


def test_verdict_kinds_are_those_of_the_rules():
    assert set(get_args(VerdictKind)) == set(rules.KINDS)
