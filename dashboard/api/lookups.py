"""404 for an address that names what is not in this request's snapshot."""

from __future__ import annotations

from dashboard.api.problems import not_found
from dashboard.api.responses import request_context, store
from data.model import ids
from data.model.filters import Filter
from data.queries.lookups import exists


def check_exists(what: str, name: str) -> None:
    """Raises Problem 404 where the snapshot that is asked has no such run, build, test or release."""
    if what != "release":
        valid_id(what, name)
    if not exists(store(), what, name, request_context().at(Filter())):
        raise not_found(what, name)


def valid_id(what: str, name: str) -> str:
    """The id, if it can be one. Raises Problem 404: what is no id names nothing."""
    try:
        ids.number(name)
    except ValueError:
        raise not_found(what, name) from None
    return name
