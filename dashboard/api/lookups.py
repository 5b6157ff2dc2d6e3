"""404 for ids and names that are not in this request's snapshot."""

from __future__ import annotations

from dashboard.api.problems import not_found
from dashboard.api.responses import request_context
from dashboard.app_state import store
from data.model import ids
from data.model.filters import Filter
from data.queries.lookups import exists, names_like


def check_exists(what: str, name: str, parameter: str | None = None) -> None:
    """Raises ProblemError 404 if this request's snapshot has no such run, build, test or release."""
    flt = request_context().pin(Filter())
    if what != "release":
        valid_id(what, name, parameter)
    if not exists(store(), what, name, flt):
        raise not_found(what, name, parameter, names_like(store(), what, name, flt) if what == "release" else ())


def is_release(parameter: str, name: str) -> bool:
    """Whether a parameter that takes a release or a run's id names a release of this request's snapshot. Raises
    ProblemError 404 if it names neither."""
    flt = request_context().pin(Filter())
    if exists(store(), "release", name, flt):
        return True
    try:
        if exists(store(), "run", name, flt):
            return False
    except ValueError:
        pass
    raise not_found("release or run", name, parameter, names_like(store(), "release", name, flt))


def valid_id(what: str, name: str, parameter: str | None = None) -> str:
    """The id. Raises ProblemError 404 for text that is not a valid id."""
    try:
        ids.number(name)
    except ValueError:
        raise not_found(what, name, parameter) from None
    return name
