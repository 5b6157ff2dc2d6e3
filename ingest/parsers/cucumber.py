"""Cucumber JSON, as Cucumber for Java, JavaScript, Ruby and others writes it, and behave's variant of it.

No library reads it for more than HTML pages. A scenario is a test, its feature the class, the feature's file the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from data.model.json_values import Json, JsonObject, json_object, json_objects
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.jenkins_test_report import MAX_BYTES
from ingest.parsers.text import clip, epoch

_LOOKS = re.compile(r'^\[\s*\{(?=.*"(?:elements|uri|keyword)"\s*:)', re.DOTALL)
MAX_SECONDS = 365 * 86400.0
_URI = re.compile(r"^(?:file|classpath):(?:/{2,}(?=[A-Za-z]:|/))?")
_ERRORS = ("error", "hook_error", "cleanup_error")  # behave's words for what failed without an assertion
# The worst of these is the status of a scenario. What has no step, or is not written yet, fails as in Cucumber itself.
_ORDER = ("failed", "ambiguous", "undefined", "pending", "error", "hook_error", "cleanup_error", "skipped", "untested")
_PASSED = ("passed", "")
_SKIPPED = ("skipped", "untested", "disabled")


def looks_like(head: str) -> bool:
    return bool(_LOOKS.match(head))


def parse(stream: ReportStream) -> Report:
    """Parse one file. Steps of a background belong to the scenario after it; a scenario that is repeated on its line
    was retried. Undefined, pending and ambiguous steps fail their scenario, a failed hook does too."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return Report("error", warnings=[f"longer than {MAX_BYTES >> 20} MB"])
    try:
        features = json_objects(json.loads(data))
        cases = [case for feature in features for case in _scenarios(feature)]
        suites = len([feature for feature in features if feature.get("elements")])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Report("error", warnings=[f"not the JSON of Cucumber ({error!r})"])
    report = Report(cases=cases, suites=suites)
    report.uncounted = sum(case.name == INIT for case in cases)
    durations = [case.duration_s for case in cases if case.duration_s is not None]
    report.duration_s = sum(durations) if durations else None
    return report


def _scenarios(feature: JsonObject) -> Iterator[Case]:
    name = str(feature.get("name") or feature.get("id") or "")
    uri = str(feature.get("uri") or feature.get("location") or "")
    file = re.sub(r":\d+$", "", _URI.sub("", uri))
    background: list[JsonObject] = []
    last: tuple[tuple[str, int], Case] | None = None
    for element in json_objects(feature.get("elements")):
        if element.get("type") == "background":
            background += _steps(element)
            continue
        case = _case(file, name, element, [*background, *_steps(element)])
        background = []
        line = _line(element)
        if last and line and last[0] == (case.name, line) and last[1].status == FAILED:
            last[1].is_final, case.attempt = False, last[1].attempt + 1
        last = ((case.name, line), case)
        yield case
    if any(_status(step) not in (*_PASSED, *_SKIPPED) for step in background):
        yield _case(file, name, {"name": INIT}, background)


def _line(element: JsonObject) -> int:
    """The line of a scenario or of the row of its outline; 0 if it has none."""
    line = element.get("line")
    if isinstance(line, int):
        return line
    found = re.search(r":(\d{1,9})$", str(element.get("location") or ""))
    return int(found[1]) if found else 0


def _steps(element: JsonObject) -> list[JsonObject]:
    """The steps with the hooks before and after each, in order; each has a `result`."""
    steps = json_objects(element.get("before"))
    for step in json_objects(element.get("steps")):
        steps += [*json_objects(step.get("before")), step, *json_objects(step.get("after"))]
    return [*steps, *json_objects(element.get("after"))]


def _status(step: JsonObject) -> str:
    return str(json_object(step.get("result")).get("status") or "").lower()


def _case(file: str, class_name: str, element: JsonObject, steps: list[JsonObject]) -> Case:
    # behave counts in seconds, and says where each element is.
    scale = 1.0 if "location" in element else 1e9
    name = str(element.get("name") or "(?)")
    words = [_status(step) for step in steps]
    worst = min((word for word in words if word not in _PASSED), key=_rank, default="")
    own = str(element.get("status") or "").lower()  # behave's, which knows of failed hooks too
    if _rank(own) < _rank(worst) and own not in _PASSED:
        worst = own
    status = PASSED if worst in _PASSED else SKIPPED if worst in _SKIPPED else FAILED
    count_case()
    case = Case(file, class_name, name, status, suite=class_name)
    case.duration_s = _duration(steps, scale)
    case.started_at = epoch(str(element.get("start_timestamp") or ""))
    if not steps and not own:
        case.status, case.message = SKIPPED, "The scenario has no steps."
    if case.status == FAILED:
        case.kind = "error" if own in _ERRORS else "failure"
        _explain(case, steps, worst)
    return case


def _explain(case: Case, steps: list[JsonObject], worst: str) -> None:
    """Add the texts of the step or hook that failed, and all output."""
    bad: JsonObject = next((step for step in steps if _status(step) == worst), {})
    text = _text(json_object(bad.get("result")).get("error_message"))
    label = f"{str(bad.get('keyword') or '').strip()} {bad.get('name') or _hook_name(bad)}".strip()
    case.message = clip(text.strip().partition("\n")[0] or f"{worst} step: {label}", 8 << 10)
    case.trace = clip(f"{label}\n{text}".strip(), 64 << 10) or None
    output = "\n".join(_text(line) for step in steps for line in _lines(step.get("output")))
    case.output = clip(output, 32 << 10) or None


def _rank(word: str) -> int:
    """How bad a status is; 0 is the worst. An unknown one is as bad as an error."""
    if word in _PASSED:
        return len(_ORDER)
    return _ORDER.index(word) if word in _ORDER else _ORDER.index("error")


def _hook_name(hook: JsonObject) -> str:
    return str(json_object(hook.get("match")).get("location") or "hook")


def _lines(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value] if value else []


def _text(value: Json) -> str:
    """behave has lists of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _duration(steps: list[JsonObject], scale: float) -> float | None:
    lasted = [
        value
        for step in steps
        if isinstance(value := json_object(step.get("result")).get("duration"), (int, float)) and value >= 0
    ]
    total = sum(lasted) / scale
    return total if lasted and total <= MAX_SECONDS else None
