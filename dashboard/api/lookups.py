"""404 for ids and names that are not in this request's snapshot."""

from __future__ import annotations

from dashboard.api.problems import not_found
from dashboard.api.responses import request_context
from dashboard.app_state import store
from data.model import ids
from data.model.filters import Filter
from data.queries.lookups import exists


def check_exists(what: str, name: str) -> None:
    """Raises ProblemError 404 if this request's snapshot has no such run, build, test or release."""
    if what != "release":
        valid_id(what, name)
    if not exists(store(), what, name, request_context().at(Filter())):
        raise not_found(what, name)


def valid_id(what: str, name: str) -> str:
    """The id. Raises ProblemError 404 for text that is not a valid id."""
    try:
        ids.number(name)
    except ValueError:
        raise not_found(what, name) from None
    return name
