"""The search over everything that has a name: releases, modules, runs, builds, tests, bugs, failure patterns.

It runs at every keystroke: it reads only tables in memory, and concatenates no text per row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import TypedDict
from urllib.parse import unquote

from data.answers.base import RunState
from data.answers.search import Hit, HitKind
from data.answers.tests import TestName
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import BUILDS, BuildOutcome, build_health, iso, run_state
from data.model.sql_values import SqlParameters
from data.queries import bug_links
from data.verdicts.statistics.signatures import title

EACH = 6  # hits of one kind
WORDS = 8  # of a query; more would not narrow it further
KINDS: tuple[HitKind, ...] = ("release", "module", "run", "build", "test", "bug", "failure")
_TEXTS = {
    "release": ("release",),
    "module": ("module",),
    "run": ("release", "version", "environment", "job"),
    "build": ("release", "version", "environment", "module", "job"),
    "test": ("name", "class", "file", "module"),
    "bug": ("bug", "summary"),
    "failure": ("pattern",),
}
_NUMBER = re.compile(r"#?(\d{1,9})")


class _RunRow(TypedDict):
    run: int
    release: str
    version: str | None
    environment: str | None
    number: int
    started_at: datetime
    state: str


class _RunSums(TypedDict):
    run: int
    total: int
    failed: int
    builds_running: int
    waiting: int
    incomplete: bool


class _BuildRow(BuildOutcome):
    build: int
    release: str
    version: str | None
    environment: str | None
    module: str
    job: str
    number: int
    started_at: datetime


class _TestRow(TestName):
    module: str


@cached_query()
def search(store: Store, q: str, flt: Filter = EVERYTHING, each: int = EACH) -> list[Hit]:
    """The hits that contain every word of `q`, ignoring case: at most `each` per kind, exact ones first.

    A hit: {kind (of KINDS), id (of releases, modules and bugs their name), title, detail, release, state (of runs and
    builds), at, exact}. Exact: `q` is its id, an address of its build in Jenkins, as deep as it was copied, or
    that of its bug in the tracker.
    """
    text = q.strip()
    if not text:
        return []
    if text.startswith(("http://", "https://")):
        where, parameters = _address_condition(text)
        found = [hit for find in (_runs, _builds) for hit in find(store, where, parameters | {"each": each})]
        found += _bugs(store, "s.url = $url", {"url": text, "each": each})
        return [{**hit, "exact": True} for hit in found]
    words = [word for word in re.split(r"\s+|::", text.lower()) if word][:WORDS]
    hits = _hits_by_id(store, text)
    for kind in KINDS:
        # a failure pattern has no numbers: the other words of a pasted message are searched
        searched = [word for word in words if kind != "failure" or not re.search(r"\d", word)]
        if searched:
            where, parameters = _word_condition(kind, searched, store.derived_table("matched_metadata"))
            found = _FIND[kind](store, where, parameters | {"each": each})
            hits += [{**hit, "exact": kind == "bug" and hit["id"].lower() == text.lower()} for hit in found]
    return hits


def _word_condition(kind: str, words: list[str], metadata: str) -> tuple[str, SqlParameters]:
    """Condition on `s`: every word occurs in a text of the row, is its number, or the case id of a test by `metadata`,
    the table of matched metadata."""
    conditions = []
    for index, word in enumerate(words):
        found = [f"contains(lower(s.{name}), $w{index})" for name in _TEXTS[kind]]
        number = _NUMBER.fullmatch(word)
        if number and kind in ("run", "build"):
            found = [f"s.number = {int(number[1])}", *found[:1]]
        if kind == "test":
            found.append(
                f"s.test IN (SELECT test FROM {metadata} "
                f"WHERE lower(case_id) = $w{index} OR lower(testrail_id) = $w{index})"
            )
        conditions.append(f"({' OR '.join(found)})")
    return " AND ".join(conditions), {f"w{index}": word for index, word in enumerate(words)}


def _address_condition(text: str) -> tuple[str, SqlParameters]:
    """SQL over `s`, a run or build: the one that an address in Jenkins shows. The name of its job decides, so that an
    address is known under another host too; a job's name keeps one level of escapes (feature%2Fx)."""
    parts = [unquote(part) for part in re.split(r"[?#]", text)[0].split("/") if part]
    names = [name for before, name in pairwise(parts) if before == "job"]
    last = len(parts) - 1 - parts[::-1].index("job") if "job" in parts else len(parts)
    number = next((part for part in parts[last + 2 :] if part.isascii() and part.isdigit() and len(part) < 10), None)
    return (
        "(s.url <> '' AND starts_with($url, s.url)) OR (s.job = $job AND s.number = $number)",
        {"url": text.rstrip("/") + "/", "job": "/".join(names), "number": int(number) if number else None},
    )


def _hits_by_id(store: Store, text: str) -> list[Hit]:
    """The run, build, test or failure pattern whose id this is."""
    try:
        parameters: SqlParameters = {"id": ids.number(text.lower()), "each": 1}
    except ValueError:
        return []
    columns: dict[HitKind, str] = {"run": "run", "build": "build", "test": "test", "failure": "signature"}
    found = [_FIND[kind](store, f"s.{column} = $id", parameters) for kind, column in columns.items()]
    return [{**hit, "exact": True} for hits in found for hit in hits]


def _releases(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = store.cursor().execute(
        f"SELECT release FROM releases s WHERE {where} ORDER BY release DESC LIMIT $each", parameters
    )
    return [_hit("release", release, release, release=release) for (release,) in rows.fetchall()]


def _modules(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = store.cursor().execute(
        f"""SELECT module, max(started_at) AS at, arg_max(release, started_at) AS release
        FROM build_counts s WHERE {where} GROUP BY module ORDER BY length(module), module LIMIT $each""",
        parameters,
    )
    return [_hit("module", module, module, release=release, at=at) for module, at, release in rows.fetchall()]


def _runs(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = store.rows(
        f"""SELECT run, release, version, environment, number, started_at, state
        FROM runs s JOIN {store.derived_table("run_order")} USING (run) WHERE {where}
        ORDER BY rank DESC LIMIT $each""",
        parameters,
        _RunRow,
    )
    sums = (
        store.rows(
            f"""SELECT run, total, failed, builds_running, waiting, incomplete
            FROM {store.derived_table("run_summaries")}
            WHERE run IN (SELECT unnest($runs::BIGINT[]))""",
            {"runs": [row["run"] for row in rows]},
            _RunSums,
        )
        if rows
        else []
    )
    counts = {row["run"]: row for row in sums}
    return [
        _hit(
            "run",
            ids.text(row["run"]),
            f"{row['release']} #{row['number']}",
            _join_texts(row["version"], row["environment"]),
            row["release"],
            _run_state(row, counts.get(row["run"])),
            row["started_at"],
        )
        for row in rows
    ]


def _run_state(row: _RunRow, sums: _RunSums | None) -> RunState:
    return run_state(
        {
            "state": row["state"],
            "builds_running": sums["builds_running"] if sums else 0,
            "waiting": sums["waiting"] if sums else 0,
            "total": sums["total"] if sums else 0,
            "failed": sums["failed"] if sums else 0,
            "incomplete": sums is not None and sums["incomplete"],
        }
    )


def _builds(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = store.rows(
        f"""SELECT build, release, version, environment, module, job, number, started_at, state, result, total, failed,
            missing_results
        FROM {BUILDS} s JOIN {store.derived_table("build_order")} USING (build) WHERE {where}
        ORDER BY rank DESC LIMIT $each""",
        parameters,
        _BuildRow,
    )
    return [
        _hit(
            "build",
            ids.text(row["build"]),
            f"{row['module']} #{row['number']}",
            _join_texts(row["job"], row["version"], row["environment"]),
            row["release"],
            build_health(row),
            row["started_at"],
        )
        for row in rows
    ]


def _tests(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    # Names that start with the first word, then the shortest: a name typed in full comes first.
    order = "starts_with(lower(s.name), $w0) DESC, " if "w0" in parameters else ""
    rows = store.rows(
        f"""SELECT test, file, class, name, module FROM tests s WHERE {where}
        ORDER BY {order}length(name), name, file, class, test LIMIT $each""",
        parameters,
        _TestRow,
    )
    return [
        _hit("test", ids.text(row["test"]), row["name"], _join_texts(row["module"], row["file"], row["class"]))
        for row in rows
    ]


def _failures(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = store.cursor().execute(
        f"""SELECT signature, pattern, first_seen FROM signatures s WHERE {where}
        ORDER BY length(pattern), signature LIMIT $each""",
        parameters,
    )
    return [
        _hit("failure", ids.text(signature), title(pattern), at=first_seen)
        for signature, pattern, first_seen in rows.fetchall()
    ]


def _bugs(store: Store, where: str, parameters: SqlParameters) -> list[Hit]:
    rows = bug_links.search_bugs(store, where, parameters)
    state_texts = {"gone": "no longer in the feed"}
    return [
        _hit("bug", row["bug"], row["bug"], _join_texts(state_texts.get(row["state"], row["status"]), row["summary"]))
        for row in rows
    ]


def _join_texts(*texts: str | None) -> str:
    return " · ".join(text for text in texts if text)


def _hit(
    kind: HitKind,
    id: str,
    title: str,
    detail: str = "",
    release: str | None = None,
    state: RunState | None = None,
    at: datetime | None = None,
) -> Hit:
    return {
        "kind": kind,
        "id": id,
        "title": title,
        "detail": detail,
        "release": release,
        "state": state,
        "at": iso(at),
        "exact": False,
    }


_FIND: dict[HitKind, Callable[[Store, str, SqlParameters], list[Hit]]] = {
    "release": _releases,
    "module": _modules,
    "run": _runs,
    "build": _builds,
    "test": _tests,
    "bug": _bugs,
    "failure": _failures,
}
