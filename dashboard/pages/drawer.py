"""The drawer with one test's failure text next to a list; open while the URL has `case`."""

from __future__ import annotations

from dataclasses import replace
from typing import Required, TypedDict

from dash import Dash

from dashboard import rendering, result_texts
from dashboard.page_url import PageUrl, match
from data.answers.bugs import Bug
from data.answers.builds import BuildDetail
from data.answers.evidence import ExclusionReason
from data.answers.runs import RunDetail
from data.answers.tests import Attempt, HistoryRow, TestDetail
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs, builds, runs, tests
from data.verdicts import verdicts

STRIP = 30


def register(app: Dash) -> None:
    rendering.register(app, "drawer", None, "drawer.html", page_data)


class DrawerPage(TypedDict, total=False):
    """One test in one build; without a case in the URL, only `test`."""

    test: Required[TestDetail | None]
    build: BuildDetail | None
    topology: str | None
    attempts: list[Attempt]
    history: list[HistoryRow]
    bugs: list[Bug]
    excluded: dict[str, ExclusionReason]
    exclusion: tuple[str, str | None, str] | None
    elsewhere: str
    first_bad: HistoryRow | None


def page_data(store: Store, url: PageUrl) -> DrawerPage:
    """`case` is TEST (its latest failure in the scope), TEST@RELEASE/ENVIRONMENT (in that lane, ignoring the scope),
    TEST~RUN@RELEASE/ENVIRONMENT (in that lane, as of that run), TEST.BUILD or TEST.BUILD.TOPOLOGY."""
    case, _, lane = url.get("case").partition("@")
    if not case:
        return {"test": None}
    case, _, then = case.partition("~")
    test_id, *chosen = case.split(".", 2)
    build_id = chosen[0] if chosen else None
    topology = chosen[1] if len(chosen) > 1 else None
    test = tests.test(store, test_id)
    if test is None:
        raise rendering.UnknownError(f"No test {test_id}. The link may belong to another installation.")
    release, _, environment = lane.rpartition("/")
    in_lane = Filter(release, environment=environment, at_run=then or None)
    scope = in_lane if lane else replace(url.filter, module=None, topology=None)
    history = tests.history(store, test_id, scope, STRIP)
    opened_from = _opened_from(store, url, then)
    here = _chosen(history, build_id, topology, opened_from["id"] if opened_from else None)
    build_id = build_id or (here["build"] if here else None)
    build = builds.build(store, build_id) if build_id else None
    if build_id and build is None:
        raise rendering.UnknownError(f"No build {build_id}.")
    topology = topology if topology is not None else (here["topology"] if here else None)
    if build and topology is not None:
        # the strip follows the same release, environment and topology as the case
        same = Filter(build["release"], environment=build["environment"], topology=topology, at_run=then or None)
        history = tests.history(store, test_id, same, STRIP)
    attempts = tests.attempts(store, build_id, test_id, topology) if build_id else []
    elsewhere = ""
    if build and opened_from and _is_elsewhere(build, opened_from):
        then_status = next((row["status"] for row in history if row["run"] == opened_from["id"]), None)
        shown_run = build["runs"][0]["number"] if build["runs"] else None
        elsewhere = result_texts.elsewhere_text(opened_from, then_status, attempts, shown_run)
    excluded = _excluded_runs(store, test_id, build, url.filter.as_of) if build else {}
    return {
        "test": test,
        "build": build,
        "topology": topology,
        "attempts": attempts,
        "history": history[::-1],
        "bugs": bugs.bugs_of_tests(store, (test_id,), Filter(build["release"] if build else None)).get(test_id, []),
        "excluded": excluded,
        "exclusion": result_texts.EXCLUSIONS[why] if (why := _exclusion(history, build_id, excluded)) else None,
        "elsewhere": elsewhere,
        "first_bad": _first_bad([row for row in history if row["run"] not in excluded], build_id),
    }


def _excluded_runs(store: Store, test: str, build: BuildDetail, as_of: int | None) -> dict[str, ExclusionReason]:
    """Run id -> "storm", "host", "aborted" or "running" for the runs whose failure of the test today's verdicts
    exclude; for a run before those that they use, as of that run."""
    lane = Filter(build["release"], environment=build["environment"], as_of=as_of)
    if lane.environment is None or not build["runs"]:
        return {}
    excluded, judged_runs = verdicts.excluded_runs(store, test, lane)
    run = build["runs"][0]["id"]
    return (
        excluded if run in judged_runs else excluded | verdicts.excluded_runs(store, test, replace(lane, at_run=run))[0]
    )


def _exclusion(
    history: list[HistoryRow], build: str | None, excluded: dict[str, ExclusionReason]
) -> ExclusionReason | None:
    """Why verdicts exclude the failure in this build; None if they count it or the test did not fail."""
    return next(
        (excluded.get(row["run"] or "") for row in history if row["build"] == build and row["status"] == "failed"), None
    )


def _first_bad(history: list[HistoryRow], build: str | None) -> HistoryRow | None:
    """The first failed result of the streak that a build's failure belongs to, from results newest first; None if the
    test did not fail there or no earlier result is known."""
    start = next((at for at, row in enumerate(history) if row["build"] == build), len(history))
    ran = [row for row in history[start:] if row["status"] != "skipped"]
    good = next((at for at, row in enumerate(ran) if row["status"] == "passed"), 0)
    return ran[good - 1] if good else None


def _opened_from(store: Store, url: PageUrl, then: str) -> RunDetail | None:
    """The run that the list of the case is about."""
    page = match("/runs/<run>", url.path)
    run = then or (page["run"] if page else "")
    return runs.run(store, run) if run and run != "latest" else None


def _is_elsewhere(build: BuildDetail, opened_from: RunDetail) -> bool:
    """Whether a build is of another run of the lane it was opened from."""
    in_lane = (opened_from["release"], opened_from["environment"]) == (build["release"], build["environment"])
    return in_lane and opened_from["id"] not in {run["id"] for run in build["runs"]}


def _chosen(
    history: list[HistoryRow], build: str | None, topology: str | None, run: str | None = None
) -> HistoryRow | None:
    """The result that the URL selects from results newest first: a failed one of the run, else any failed one."""
    fitting = [
        row
        for row in history
        if (build is None or row["build"] == build) and (topology is None or row["topology"] == topology)
    ]
    failed = [row for row in fitting if row["status"] == "failed"]
    return next((row for row in failed if row["run"] == run), next(iter(failed or fitting), None))
