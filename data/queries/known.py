"""Whether there is such a run, build, test or release: what an address or a request names."""

from __future__ import annotations

from data import ids
from data.cache import question
from data.filters import EVERYTHING, Filter
from data.store import Store

_TABLES = {"run": "runs", "build": "builds", "test": "tests", "release": "releases"}


@question
def known(store: Store, what: str, name: str, flt: Filter = EVERYTHING) -> bool:
    """`what`: run, build or test, by id, or release. Raises ValueError where `name` is no id."""
    value = name if what == "release" else ids.number(name)
    return store.value(f"SELECT EXISTS (FROM {_TABLES[what]} WHERE {what} = ?)", [value])
