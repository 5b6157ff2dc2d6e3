"""Look-ups by name: whether a run, build, test or release exists, and runs by number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from inspect import BoundArguments

from data.answers.tests import AmbiguousMetadata, UnmatchedMetadata
from data.cache.dependencies import Dependency
from data.lake.cached_query import build_dependencies, cached_query, run_dependencies
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import NAMES, of_lane
from data.model.filters import EVERYTHING, Filter
from data.model.metadata_matching import AMBIGUOUS_METADATA, UNMATCHED_METADATA
from data.verdicts.priorities import UNKNOWN

MAX_NAME = 100  # characters of a name that are compared with others
_TABLES = {"run": "runs", "build": "builds", "test": "tests"}


def _existence(store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
    what, name = arguments.arguments["what"], arguments.arguments["name"]
    if what == "run":
        return run_dependencies(store, name)
    if what == "build":
        return build_dependencies(store, name)
    return [("table", "tests")] if what == "test" else [("names", what)]


@cached_query(_existence)
def exists(store: Store, what: str, name: str, flt: Filter = EVERYTHING) -> bool:
    """`what`: run, build or test, by id; or a field of a filter, by name. Raises ValueError for an invalid id."""
    if what in _TABLES:
        return store.value(f"SELECT EXISTS (FROM {_TABLES[what]} WHERE {what} = ?)", [ids.number(name)])
    if (what, name) == ("priority", UNKNOWN):
        return True
    return any(store.value(f"SELECT EXISTS (FROM {table} WHERE {column} = ?)", [name]) for table, column in NAMES[what])


def names_like(store: Store, what: str, name: str, flt: Filter = EVERYTHING) -> list[str]:
    """What a misspelt name may mean: the names of this field of a filter that look like it, at most three, the nearest
    first."""
    known = " UNION ".join(
        f"SELECT {column} AS name FROM {table} WHERE {column} IS NOT NULL" for table, column in NAMES[what]
    )
    with store.read(flt.as_of) as view:
        by_lower = {row["name"].lower(): row["name"] for row in view.rows(f"{known} ORDER BY name")}
    return [by_lower[near] for near in get_close_matches(name.lower()[:MAX_NAME], by_lower)]


def unknown_name(store: Store, flt: Filter) -> tuple[str, str] | None:
    """The field and value of the filter that nothing in the store has, such as ("module", "ruoting"); None if there is
    something for every field. A known environment in which a known release never ran is not unknown."""
    for what in NAMES:
        name = getattr(flt, what)
        if name is not None and not exists(store, what, name, Filter(as_of=flt.as_of)):
            return what, name
    return None


def current_id(store: Store, old: str) -> str:
    """The id that a run, build or test has today, for one that it had once; any other text as it is."""
    aliases = store.cached(
        "id aliases", lambda: _aliases(store), lambda found: 200 * len(found), lambda: [("table", "id_aliases")]
    )
    seen = {old}
    while old in aliases:
        kind, new = aliases[old]
        if exists(store, kind, old) or new in seen:
            break
        seen.add(new)
        old = new
    return old


def _aliases(store: Store) -> dict[str, tuple[str, str]]:
    # Of the newest snapshot, also for an earlier one: it may be from before there were any.
    rows = store.cursor().execute(f"SELECT old, kind, new FROM {LAKE}.main.id_aliases")
    return {ids.text(old): (kind, ids.text(new)) for old, kind, new in rows.fetchall()}


@cached_query()
def ambiguous_metadata(store: Store, flt: Filter = EVERYTHING) -> list[AmbiguousMetadata]:
    """The rows of metadata that count for no test, because tests of several files or classes fit: [{base_name, file,
    class, release, case_id, testrail_id, tests (how many fit)}], most tests first."""
    return store.rows(f"SELECT * FROM ({AMBIGUOUS_METADATA}) ORDER BY tests DESC, base_name", {}, AmbiguousMetadata)


@cached_query()
def unmatched_metadata(store: Store, flt: Filter = EVERYTHING) -> list[UnmatchedMetadata]:
    """The rows of metadata that no test fits so far, by name."""
    return store.rows(f"SELECT * FROM ({UNMATCHED_METADATA}) ORDER BY ALL", {}, UnmatchedMetadata)


_RUN = re.compile(r"(?:(?P<release>.+?)\s*#|#)?\s*(?P<number>\d{1,9})")


@cached_query()
def runs_by_name(store: Store, name: str, flt: Filter = EVERYTHING) -> list[str]:
    """The ids of the runs that `name` can mean, newest first: an id, or a number such as "12", "#12" or
    "7.1 #12", of the filter's release and environment."""
    found = _RUN.fullmatch(name.strip())
    if found is None or len(name) == 16:
        try:
            run = current_id(store, name)
            return [run] if exists(store, "run", run, EVERYTHING) else []
        except ValueError:
            return []
    where = of_lane(replace(flt, release=found["release"] or flt.release), "r")
    where.equal("r", number=int(found["number"]))
    rows = store.cursor().execute(
        f"""SELECT r.run FROM {store.derived_table("run_summaries")} r
        WHERE {where} ORDER BY r.rank DESC""",
        where.parameters,
    )
    return [ids.text(run) for (run,) in rows.fetchall()]
