"""404 for an address that names what is not in this request's snapshot."""

from __future__ import annotations

from dashboard.api.problems import unknown
from dashboard.api.responses import request_context, store
from data.model import ids
from data.model.filters import Filter
from data.queries.lookups import known


def check(what: str, name: str) -> None:
    """Raises Problem 404 where the snapshot that is asked has no such run, build, test or release."""
    if what != "release":
        with_lookup(what, name)
    if not known(store(), what, name, request_context().at(Filter())):
        raise unknown(what, name)


def with_lookup(what: str, name: str) -> str:
    """The id, if it can be one. Raises Problem 404: what is no id names nothing."""
    try:
        ids.number(name)
    except ValueError:
        raise unknown(what, name) from None
    return name
