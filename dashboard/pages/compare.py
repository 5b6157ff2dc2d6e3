"""Two runs or two releases side by side: which tests changed between them, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Required, TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.bugs import Bug
from data.answers.evidence import ComparisonClass
from data.answers.runs import ComparedTest, Comparison, Run, RunDetail
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs, compare, releases, runs
from data.queries.lookups import runs_by_name
from data.verdicts.rules import ALWAYS_FAILING, FLAKY, REGRESSION

PATH, NAME = "/compare", "Compare"
OFFERED = 60
MAX_ROWS = 1_000  # tests of a class
# Class -> (its label, what it means). A comparison is no verdict: it has neither the words nor the glyphs of one.
MEANINGS = {
    "regression": ("passed → failed", "passed before, fails now"),
    "new_failure": ("not run → failed", "fails now, was skipped or missing before"),
    "still_failing": ("failed → failed", "fails in both"),
    "fixed": ("failed → passed", "failed before, passes now"),
    "new_pass": ("not run → passed", "passes now, was skipped or missing before"),
    "appeared": ("absent → skipped", "skipped now, missing before"),
    "disappeared": ("no longer run", "no longer has a result"),
    "not_compared": ("not compared", "one side lacks results of its build"),
}


def layout() -> html.Div:
    return html.Div(rendering.html_slot("compare"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "compare", PATH, "compare.html", page_data)


class ClassRows(TypedDict, total=False):
    """The variables of comparison_classes.html: the tests of the chosen class; `noise` are those that are folded."""

    classes: Mapping[str, tuple[str, str]]
    chosen: ComparisonClass
    rows: list[ComparedTest]
    noise: list[ComparedTest]
    noise_count: int
    offset: int
    more: bool
    row_count: int


class ComparePage(ClassRows, total=False):
    """Two runs or releases; without an answer, what can be chosen."""

    offered: Required[list[Run]]
    releases: Required[list[str]]
    all_releases: Required[bool]
    base_id: Required[str]
    candidate_id: Required[str]
    unclear: Required[list[Unclear]]
    module: Required[str | None]
    found: Required[Comparison | None]
    of_releases: bool
    pass_rate_definition: str
    bugs: dict[str, list[Bug]]


def page_data(store: Store, url: PageUrl) -> ComparePage:
    """`base` and `candidate` are releases or runs (ids, or numbers that only one run has); by default the latest run
    and the one before it. Two releases are compared as releases; a release and a run by the release's latest run."""
    flt = url.filter
    scope = Filter(module=flt.module, topology=flt.topology, as_of=flt.as_of)
    pair = _compared_pair(store, url)
    page: ComparePage = {
        "offered": pair.offered,
        "releases": pair.releases,
        "all_releases": not flt.release and not url.get("base") and not url.get("candidate"),
        "base_id": pair.base,
        "candidate_id": pair.candidate,
        "unclear": pair.unclear,
        "classes": MEANINGS,
        "module": flt.module,
        "found": None,
    }
    if pair.unclear or not pair.base or not pair.candidate:
        return page
    find = compare.releases if pair.of_releases else compare.compare
    found = find(store, pair.base, pair.candidate, scope, MAX_ROWS)
    if found is None:
        reason = "releases has no runs in this scope" if pair.of_releases else "runs has been deleted"
        raise rendering.UnknownError(f"One of these {reason}.")
    candidate = found["candidate"]
    release = candidate if isinstance(candidate, str) else candidate["release"]
    rows = class_rows(url, found)
    shown = (*rows["rows"], *rows["noise"])
    known = bugs.bugs_of_tests(store, tuple(row["test"] for row in shown), Filter(release, as_of=flt.as_of))
    return {
        **page,
        "found": found,
        "of_releases": pair.of_releases,
        "pass_rate_definition": rendering.pass_rate_definition(store),
        "bugs": known,
        **rows,
    }


def class_rows(url: PageUrl, found: Comparison) -> ClassRows:
    """Of the class in the URL, by default the first that is not empty."""
    filled = next((name for name in compare.CLASSES if found["counts"][name]), compare.CLASSES[0])
    chosen = next((name for name in compare.CLASSES if name == url.get("class")), filled)
    found_rows, offset = found["classes"][chosen], offset_of(url)
    rows = [row for row in found_rows if not _is_noise(row)]
    return {
        "classes": MEANINGS,
        "chosen": chosen,
        "rows": rows[offset : offset + PAGE_SIZE],
        "noise": [row for row in found_rows if _is_noise(row)][:PAGE_SIZE] if not offset else [],
        "noise_count": len(found_rows) - len(rows),
        "offset": offset,
        "more": offset + PAGE_SIZE < len(rows),
        "row_count": len(found_rows),
    }


def _is_noise(row: ComparedTest) -> bool:
    """A test that `exclude_flaky` leaves out (flaky, and neither a regression nor always failing), or whose failure is
    on a bad host or in a mass failure: folded in lists."""
    kinds = set(row["kinds"])
    return (FLAKY in kinds and not kinds & {REGRESSION, ALWAYS_FAILING}) or bool(row.get("excluded"))


@dataclass(frozen=True)
class Unclear:
    """A side of the URL that matches no run or several: `runs` are the matches."""

    side: str
    name: str
    runs: list[RunDetail]


@dataclass(frozen=True)
class ComparedPair:
    """What is compared: two releases or two run ids, "" if unknown. `offered` are the runs to choose from."""

    offered: list[Run]
    releases: list[str]
    base: str
    candidate: str
    unclear: list[Unclear]

    @property
    def of_releases(self) -> bool:
        return self.base in self.releases and self.candidate in self.releases


def _compared_pair(store: Store, url: PageUrl) -> ComparedPair:
    flt = url.filter
    scope = Filter(flt.release, flt.version, flt.environment, as_of=flt.as_of)
    offered = runs.runs(store, scope, OFFERED)
    known = releases.choices(store, Filter(as_of=flt.as_of))["releases"]
    named = {side: url.get(side) for side in ("base", "candidate")}
    if all(name in known for name in named.values()):
        return ComparedPair(offered, known, named["base"], named["candidate"], [])
    found, unclear = {}, []
    for side, name in named.items():
        matches = _matching_runs(store, name, known, scope) if name else []
        found[side] = matches[0] if len(matches) == 1 else ""
        if name and len(matches) != 1:
            some = (runs.run(store, run, Filter(as_of=flt.as_of)) for run in matches[:OFFERED])
            unclear.append(Unclear(side, name, [run for run in some if run]))
    candidate = found["candidate"]
    if not named["candidate"]:
        candidate = next((run["id"] for run in offered if run["state"] != "running"), "")
    base = found["base"]
    if not named["base"] and candidate:
        base = runs.baseline(store, candidate, Filter(as_of=flt.as_of)) or ""
    return ComparedPair(offered, known, base, candidate, unclear)


def _matching_runs(store: Store, name: str, known: list[str], scope: Filter) -> list[str]:
    """The ids of the runs that a name matches: a release matches its latest finished run."""
    if name in known:
        newest = runs.runs(store, Filter(name, as_of=scope.as_of), OFFERED)
        return [run["id"] for run in newest if run["state"] != "running"][:1]
    return runs_by_name(store, name, scope)


def as_api_call(store: Store, url: PageUrl) -> ApiCall | None:
    pair = _compared_pair(store, url)
    if pair.unclear or not pair.base or not pair.candidate:
        return None
    return api_call(("compare",), parameters.CompareQuery, url, base=pair.base, candidate=pair.candidate)
