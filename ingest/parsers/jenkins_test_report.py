"""Jenkins' own `testReport/api/json`: of one build, or of a matrix build with a child report per axis.

Any field may be missing, because the answer depends on the requested `tree`; numbers may be NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from data.model.json_values import Json, JsonObject, json_objects
from ingest.parsers import totals
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, DeclaredCounts, Report, ReportStream
from ingest.parsers.text import clip, epoch, seconds

MAX_BYTES = 256 << 20  # the document is read whole

# FIXED and REGRESSION compare with what was the previous build at that time; only passed or failed is kept.
_STATUS = {"PASSED": PASSED, "FIXED": PASSED, "FAILED": FAILED, "REGRESSION": FAILED, "SKIPPED": SKIPPED}
_MEASURE = {PASSED: "passed", FAILED: "failures", SKIPPED: "skipped tests"}
_MAVEN = re.compile(r"/[^/$]+\$([^/$]+)/\d{1,9}/?$")  # GROUP$ARTIFACT, a module of a Maven job
_AXES = re.compile(r"/([^/]*=[^/]*)/(\d{1,9})/?$")


def looks_like(document: Json) -> bool:
    """Whether it has what Jenkins' report has; other tools have suites of another shape."""
    if not isinstance(document, dict) or "config" in document:
        return False
    return "suites" in document or "childReports" in document


def parse(stream: ReportStream, *, number: int | None = None) -> Report:
    """Parse one report; an axis is the topology of its cases.

    A matrix build shows, for each axis that it did not run, that axis' older build: those are left out. `number` is the
    build's own number, by default the highest among the children.
    """
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return Report("error", warnings=[f"longer than {MAX_BYTES >> 20} MB: it has to be requested in parts"])
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        return Report("error", warnings=[f"not JSON: {error}"])
    if not looks_like(document):
        return Report("not_junit")
    return read(document, number=number)


def read(document: JsonObject, *, number: int | None = None) -> Report:
    """`parse` for a document that is already in memory."""
    report, older = Report(duration_s=_number(document.get("duration"))), Report()
    try:
        _collect(document, "", number, report, older)
        if not report.differences:
            report.differ(_differences(document, report.cases, older.cases))
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError) as error:
        return Report("error", warnings=[f"not structured like a test report ({error})"])
    else:
        counts = totals.number(document.get("totalCount")), totals.number(document.get("failCount"))
        report.declared[None] = DeclaredCounts(*counts)
    if older.cases:
        report.warnings.append(f"{older.tests} results from older builds of axes were left out")
    report.started_at = min((case.started_at for case in report.cases if case.started_at), default=None)
    return report


def _differences(
    document: JsonObject, cases: list[Case], older: Sequence[Case] = (), element: str = ""
) -> list[totals.Difference]:
    """What a document counts, other than these cases and those that were left out."""
    declared = {
        "tests": totals.number(document.get("totalCount")),
        "passed": totals.number(document.get("passCount")),
        "failures": totals.number(document.get("failCount")),
        "skipped tests": totals.number(document.get("skipCount")),
    }
    read = {"tests": len(cases), "passed": 0, "failures": 0, "skipped tests": 0}
    left_out = {"tests": len(older), "passed": 0, "failures": 0, "skipped tests": 0}
    for counts, counted in ((read, cases), (left_out, older)):
        for case in counted:
            counts[_MEASURE[case.status]] += 1
    if declared["tests"] is not None:
        declared["passed"] = None  # follows from the others
    own = {measure: None if count is None else count - left_out[measure] for measure, count in declared.items()}
    return totals.differences(own, {measure: [count] for measure, count in read.items()}, element)


def _collect(document: JsonObject, topology: str, number: int | None, report: Report, older: Report) -> None:
    """Add the cases to the report, those of older builds to `older`."""
    if document.get("childReports") is None:
        _add(document, topology, report)
        return
    children = json_objects(document.get("childReports"))
    axes = [_axis(_dict(child.get("child"))) for child in children]
    if number is None:
        number = max((own for axis, own in axes if axis and own is not None), default=None)
    for child, (axis, own) in zip(children, axes, strict=True):
        into = older if axis and own is not None and own != number else report
        first = len(into.cases)
        result = _dict(child.get("result"))
        _collect(result, ",".join(filter(None, (topology, axis))), number, into, older)
        if module := _MAVEN.search(str(_dict(child.get("child")).get("url") or "")):
            for case in into.cases[first:]:
                case.file = case.file or unquote(module[1])
        if into is report and "childReports" not in result:
            report.differ(_differences(result, report.cases[first:], element=axis))


def _axis(child: JsonObject) -> tuple[str, int | None]:
    """(the axis, such as "nodes=debian9-64", the build number); the axis is empty for a child that is not one."""
    found = _AXES.search(str(child.get("url") or ""))
    number = child.get("number")
    if not isinstance(number, int):
        number = int(found[2]) if found else None
    return unquote(found[1]) if found else "", number


def _add(result: JsonObject, topology: str, report: Report) -> None:
    suites = json_objects(result.get("suites"))
    report.suites += len(suites)
    blocks = _blocks_matter(suites)
    for suite in suites:
        where = topology
        if blocks:
            where = " / ".join(filter(None, (topology, *reversed(_block_names(suite)))))
        report.cases.extend(_cases(suite, where))


def _blocks_matter(suites: list[JsonObject]) -> bool:
    """Whether parallel branches of a pipeline ran the same test. Only then is their name a topology, because a test may
    run in another branch in each build."""
    branch: dict[tuple[str, str], tuple[str, ...]] = {}
    for suite in suites:
        names = tuple(_block_names(suite))
        for case in json_objects(suite.get("cases")):
            if branch.setdefault((str(case.get("className")), str(case.get("name"))), names) != names:
                return True
    return False


def _block_names(suite: JsonObject) -> list[str]:
    names = suite.get("enclosingBlockNames")
    return [str(name) for name in names if name] if isinstance(names, list) else []


def _dict(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _cases(suite: JsonObject, topology: str) -> Iterator[Case]:
    name = str(suite.get("name") or "")
    started = epoch(str(suite.get("timestamp") or ""))
    for case in json_objects(suite.get("cases")):
        status = _STATUS.get(str(case.get("status")).upper())
        if status is None:
            status = SKIPPED if case.get("skipped") else FAILED if case.get("errorStackTrace") else PASSED
        failed = status == FAILED
        message = case.get("errorDetails") if failed else case.get("skippedMessage")
        trace = case.get("errorStackTrace")
        class_name = case.get("className")
        count_case()
        yield Case(
            file="",
            class_name=name if class_name is None else str(class_name),
            name=str(case.get("name") or "(?)"),
            status=status,
            kind="failure" if failed else None,
            duration_s=_number(case.get("duration")),
            message=_text(message, 8 << 10),
            trace=_text(trace, 64 << 10) if failed else None,
            output=_text(case.get("stdout"), 32 << 10) if failed else None,
            topology=topology,
            suite=name,
            started_at=started,
        )


def _text(value: Json, limit: int) -> str | None:
    return clip(str(value), limit) if value else None


def _number(value: Json) -> float | None:
    return None if value is None else seconds(str(value))
