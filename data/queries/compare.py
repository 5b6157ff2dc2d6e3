"""Two runs or two releases side by side: every test that differs, or fails in both, falls into exactly one class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from data import evidence, ids
from data.cache import question
from data.evidence.classes import CLASSES
from data.filters import EVERYTHING, Filter
from data.measures import deltas
from data.queries.priorities import prioritized
from data.queries.regressions import regressions
from data.queries.runs import of_run, run
from data.queries.verdicts import judge
from data.queries.windows import LaneBuild, span, window
from data.stats.words import WORDS
from data.store import Store

NEWEST = 10  # runs of a release in which a test's newest status is looked for

# data/evidence.py says the same of one test; tests hold the two together.
_RULES = """CASE
    WHEN c.status = 'failed' AND b.status = 'failed' THEN 'still_failing'
    WHEN c.status = 'failed' AND b.status = 'passed' THEN 'regression'
    WHEN c.status = 'failed' THEN 'new_failure'
    WHEN c.status = 'passed' AND b.status = 'failed' THEN 'fixed'
    WHEN c.status = 'passed' AND b.status = 'passed' THEN NULL
    WHEN c.status = 'passed' THEN 'new_pass'
    WHEN b.status IS NULL THEN 'appeared'
    WHEN b.status IS NOT DISTINCT FROM c.status THEN NULL
    ELSE 'disappeared' END"""
# A side of the comparison: a test's worst status, how many of its results had each, and where the worst one came from.
_SIDE = """SELECT r.test, {key} min(r.status) AS status, any_value(r.module) AS module,
    count(*) FILTER (r.status = 'passed') AS passed, count(*) FILTER (r.status = 'failed') AS failed,
    count(*) FILTER (r.status = 'skipped') AS skipped, arg_min(r.build, r.status) AS build,
    arg_min(r.topology, r.status) AS topology, arg_min(r.signature, r.status) AS signature"""
_FACTS = ("status", "passed", "failed", "skipped", "build", "topology", "signature")


@question
def compare(
    store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000
) -> dict[str, Any] | None:
    """{"base", "candidate" (runs), "delta", "counts" by class, "classes": {class: [tests with both sides]}}.

    By a test's worst status: regression: passed -> failed; fixed: failed -> passed; still_failing: failed -> failed;
    new_failure and new_pass: failed or passed, and skipped or absent before; disappeared: neither passes nor fails any
    more; appeared: absent before, and skipped. What passes, or is skipped, in both is in none. A test's `kinds` are
    its words today, from which noise is told. Each class lists at most `limit` tests. None where a run is unknown.
    """
    runs = run(store, base, flt), run(store, candidate, flt)
    if runs[0] is None or runs[1] is None:
        return None
    sides, parameters = [], {}
    for side, run_id in (("b", base), ("c", candidate)):
        where, own = of_run(store, run_id, flt)
        for name in sorted(own, key=len, reverse=True):
            where = where.replace(f"${name}", f"${side}_{name}")
            parameters[f"{side}_{name}"] = own[name]
        sides.append(f"{_SIDE.format(key='')} FROM results r WHERE r.is_final AND {where} GROUP BY r.test")
    rows = _classed(store, sides, "test", parameters, limit)
    kinds = _kinds(store, flt, runs[1]["release"], runs[1]["environment"])
    numbers = (runs[0]["number"], runs[1]["number"])
    return {
        "base": runs[0],
        "candidate": runs[1],
        "delta": deltas(runs[1], runs[0]),
        **_answer([_row(row, [f"#{number}" for number in numbers], kinds.get(row["test"], [])) for row in rows], rows),
    }


@question
def releases(
    store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000
) -> dict[str, Any] | None:
    """Two release lines: {"base", "candidate" (names), "counts", "classes", "statistics"}, as `compare`, by the status
    of each test in the newest run of an environment in which it was, of the newest `flt.runs` (10) runs.

    `statistics` are the tests that fail significantly more often (`regressions.regressions`), and a row of one of them
    carries that evidence besides its own, in `rates`. None where a release is unknown.
    """
    sides, parameters = [], {}
    for side, release in (("b", base), ("c", candidate)):
        view = window(store, replace(flt, release=release), flt.runs or NEWEST)
        if not view.runs:
            return None
        where, own = span(view.builds)
        for name in ("module", "topology"):
            if getattr(flt, name) is not None:
                where += f" AND r.{name} = ${name}"
                own[name] = getattr(flt, name)
        part, tests = prioritized(store, flt, {build.release for build in view.builds})
        where, own = where + part, own | tests
        for name in sorted(own, key=len, reverse=True):
            where = where.replace(f"${name}", f"${side}_{name}")
            parameters[f"{side}_{name}"] = own[name]
        parameters |= {f"{side}_w_{name}": values for name, values in _columns(view.builds).items()}
        parameters[f"{side}_w_environment"] = [view.lanes[build.lane][1] for build in view.builds]
        sides.append(
            f"""{_SIDE.format(key="w.environment,")} FROM results r JOIN (
                SELECT unnest(${side}_w_build) AS build, unnest(${side}_w_age) AS age,
                    unnest(${side}_w_environment) AS environment) w USING (build)
            WHERE r.is_final AND {where}
            GROUP BY r.test, w.environment, w.age
            QUALIFY w.age = min(w.age) OVER (PARTITION BY r.test, w.environment)"""
        )
    rows = _classed(store, sides, "test, environment", parameters, limit)
    kinds = {
        environment: _kinds(store, flt, candidate, environment) for environment in {r["environment"] for r in rows}
    }
    statistics = regressions(store, replace(flt, release=candidate), base, 10_000)
    rates = {(row["test"], row["environment"]): row for row in statistics["tests"]} if statistics else {}
    shaped = []
    for row in rows:
        shape = _row(row, [base, candidate], kinds[row["environment"]].get(row["test"], []))
        known = rates.get((shape["test"], row["environment"]))
        shape["environment"] = row["environment"]
        shape["rates"] = known and {name: known[name] for name in ("claim", "p", "q", "base", "sample", "sentence")}
        shaped.append(shape)
    return {"base": base, "candidate": candidate, **_answer(shaped, rows), "statistics": statistics}


def _columns(builds: list[LaneBuild]) -> dict[str, list[int]]:
    return {"build": [build.build for build in builds], "age": [build.age for build in builds]}


def _classed(store: Store, sides: list[str], key: str, parameters: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    facts = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "bc" for name in _FACTS)
    return store.rows(
        f"""WITH b AS ({sides[0]}), c AS ({sides[1]}),
        classed AS (
            SELECT {key}, coalesce(c.module, b.module) AS module, {facts}, {_RULES} AS class
            FROM b FULL JOIN c USING ({key}))
        SELECT k.*, t.file, t.class AS class_name, t.name, count(*) OVER (PARTITION BY k.class) AS size
        FROM classed k JOIN tests t USING (test) WHERE k.class IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY k.class ORDER BY k.module, t.file, t.class, t.name, {key}) <= $limit
        ORDER BY k.module, t.file, t.class, t.name, {key}""",
        parameters | {"limit": limit},
    )


def _kinds(store: Store, flt: Filter, release: str, environment: str) -> dict[int, list[str]]:
    """The words that tests carry today in a lane."""
    view, judged = judge(store, Filter(release, topology=flt.topology))
    return {
        verdict.line.test: sorted(verdict.kinds, key=WORDS.index)
        for verdict in judged
        if view.lanes[verdict.line.lane][1] == environment
    }


def _row(row: dict[str, Any], names: list[str], kinds: list[str]) -> dict[str, Any]:
    told = {"rule": "class", "base": _side(row, "b", names[0]), "candidate": _side(row, "c", names[1]), "kinds": kinds}
    return {
        "test": ids.text(row["test"]),
        "key": f"{row['file']}::{row['class_name']}::{row['name']}",
        "name": row["name"],
        "module": row["module"],
        "before": row["b_status"],
        "after": row["c_status"],
        "kinds": kinds,
        "sentence": evidence.sentence(told),
        "evidence": told,
    }


def _side(row: dict[str, Any], side: str, name: str) -> dict[str, Any] | None:
    if row[f"{side}_status"] is None:
        return {"of": name, "passed": 0, "failed": 0, "skipped": 0}
    signature = row[f"{side}_signature"]
    return {
        "of": name,
        **{count: row[f"{side}_{count}"] for count in ("passed", "failed", "skipped")},
        "build": ids.text(row[f"{side}_build"]),
        "topology": row[f"{side}_topology"],
        "signature": None if signature is None else ids.text(signature),
    }


def _answer(shaped: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    classes: dict[str, list[dict[str, Any]]] = {name: [] for name in CLASSES}
    counts = dict.fromkeys(CLASSES, 0)
    for shape, row in zip(shaped, rows, strict=True):
        counts[row["class"]] = row["size"]
        classes[row["class"]].append(shape)
    return {"counts": counts, "classes": classes}
