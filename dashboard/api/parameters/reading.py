"""Reads a query string by the model of a route, for the pages as for the API, and words what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dashboard.api.parameters.base import ListQuery
from data.model.filters import FilterError

Q = TypeVar("Q", bound=BaseModel)
_IN_WORDS = {
    "missing": "is missing",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
}


@cache
def own_parameters(model: type[BaseModel]) -> frozenset[str]:
    """The parameters of a route, without those of every list and `as_of`."""
    return frozenset(model.model_fields.keys() - ListQuery.model_fields.keys())


def read(model: type[Q], query: Mapping[str, str]) -> Q:
    """A route's own parameters in the address of a page, where others are ignored and empty ones are missing. Raises
    FilterError."""
    try:
        return model.model_validate({name: query[name] for name in own_parameters(model) if query.get(name)})
    except ValidationError as error:
        first = error.errors()[0]
        raise FilterError(str(first["loc"][0]), first["input"], wording(first)) from error


def wording(error: ErrorDetails) -> str:
    """What is wrong with a value: "must be one of run, day"."""
    if error["type"] == "literal_error":
        return "must be one of " + error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    text = _IN_WORDS.get(error["type"])
    return error["msg"].removeprefix("Value error, ") if text is None else text.format(**error.get("ctx", {}))
