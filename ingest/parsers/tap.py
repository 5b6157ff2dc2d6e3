"""The Test Anything Protocol, versions 12 to 14. The library tap.py reads neither subtests nor durations."""

from __future__ import annotations

import re

from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import Clip, clip, seconds

LINE_BYTES = 16 << 10
MAX_INDENT = 200  # subtests within subtests beyond this are taken as one level

_POINT = re.compile(r"(?P<not>not )?ok\b(?:\s+(?P<number>\d+))?(?:\s*-)?\s*(?P<rest>.*)$")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(?P<word>skip\w*|todo)\b[:\s]*(?P<why>.*)$", re.IGNORECASE)
_PLAN = re.compile(r"1\.\.(?P<last>\d{1,9})(?:\s*#\s*skip\w*\s*(?P<why>.*))?$", re.IGNORECASE)
_TIME = re.compile(r"#\s*time=(?P<value>[\d.]+)\s*(?P<unit>ms|s)\b")
_YAML_TIME = re.compile(r"duration_ms:\s*(?P<value>[\d.]+)")
_YAML_MESSAGE = re.compile(r"""(?:message|error):\s*(?:["'])?(?P<text>[^"'|>].*?)["']?$""")
_LOOKS = re.compile(r"^(?:TAP version \d+|1\.\.\d+|(?:not )?ok(?: \d+\b| - ))", re.MULTILINE)


def looks_like(head: str) -> bool:
    return bool(_LOOKS.search(head))


def parse(stream: ReportStream) -> Report:
    """Parse one stream. A failing TODO counts as skipped, a test point that only sums up its subtests is not counted,
    and "Bail out!" is a failed test. A plan with another number of tests than ran gives a warning.
    """
    report = Report()
    reader = _Reader(report)
    while raw := stream.readline(LINE_BYTES):
        reader.line(raw.decode("utf-8", "replace").rstrip())
    reader.close()
    if not report.cases and not reader.plans:
        report.status = "error"
        report.warnings.append("no TAP in this file")
    return report


class _Reader:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.plans: dict[int, int] = {}
        self._counts: dict[int, int] = {}
        self._levels: list[tuple[int, list[Case]]] = []  # (indentation, points since the enclosing one), outer to inner
        self._last: Case | None = None
        self._detail: Clip | None = None
        self._yaml_indent: int | None = None

    def line(self, line: str) -> None:
        body = line.lstrip(" \t")
        indent = min(len(line) - len(body), MAX_INDENT)
        if self._yaml_indent is not None and (not body or indent >= self._yaml_indent):
            self._yaml(body)
        elif body == "---":
            self._yaml_indent = indent
        elif point := _POINT.match(body):
            self._point(indent, point)
        elif plan := _PLAN.match(body):
            self.plans[indent] = self.plans.get(indent, 0) + int(plan["last"])
            if plan["last"] == "0" and plan["why"]:
                self.report.warnings.append(f"all tests skipped: {clip(plan['why'], 200)}")
        elif body.startswith("Bail out!"):
            reason = body.removeprefix("Bail out!").strip()
            self._add(indent, Case("", "", "Bail out!", FAILED, "error", message=clip(reason, 8 << 10) or None))
        elif body.startswith("#") and self._last is not None:
            if found := _TIME.search(body):
                _set_time(self._last, found["value"], found["unit"])
            elif not body.startswith("# Subtest") and self._last.status == FAILED:
                self._add_detail(body.lstrip("# "))

    def _yaml(self, body: str) -> None:
        if body == "...":
            self._yaml_indent = None
        if self._yaml_indent is None or self._last is None:
            return
        if found := _YAML_TIME.match(body):
            _set_time(self._last, found["value"], "ms")
        elif self._last.status == FAILED:
            if self._last.message is None and (found := _YAML_MESSAGE.match(body)):
                self._last.message = clip(found["text"], 8 << 10)
            self._add_detail(body)

    def _add_detail(self, text: str) -> None:
        self._detail = self._detail or Clip(64 << 10)
        self._detail.add(text + "\n")

    def _point(self, indent: int, point: re.Match[str]) -> None:
        rest = point["rest"]
        directive = _DIRECTIVE.search(rest)
        name = (rest[: directive.start()] if directive else rest).strip().removesuffix(" {").replace("\\#", "#")
        status = FAILED if point["not"] else PASSED
        message = None
        if directive and (directive["word"].lower() != "todo" or status == FAILED):
            status, message = SKIPPED, directive["why"].strip() or None
        case = Case("", "", name or f"test {point['number'] or '?'}", status, message=message)
        case.kind = "failure" if status == FAILED else None
        if not directive and (found := _TIME.search(name)):
            case.name = name[: found.start()].rstrip() or case.name
            case.duration_s = (seconds(found["value"]) or 0.0) / (1000 if found["unit"] == "ms" else 1)
        self._counts[indent] = self._counts.get(indent, 0) + 1
        self._add(indent, case)

    def _add(self, indent: int, case: Case) -> None:
        self._end_detail()
        within: list[Case] = []
        while self._levels and self._levels[-1][0] > indent:
            within = self._levels.pop()[1] + within
        if not self._levels or self._levels[-1][0] < indent:
            self._levels.append((indent, []))
        for inner in within:
            inner.class_name = f"{case.name} > {inner.class_name}" if inner.class_name else case.name
        if within and (case.status != FAILED or any(inner.status == FAILED for inner in within)):
            self._levels[-1][1].extend(within)
            self._last = None
            return
        self._levels[-1][1].extend([*within, case])
        self._last = case

    def _end_detail(self) -> None:
        if self._last is not None and self._detail is not None:
            self._last.trace = str(self._detail).rstrip() or None
        self._detail = None
        self._yaml_indent = None

    def close(self) -> None:
        self._end_detail()
        for _, cases in self._levels:
            self.report.cases.extend(cases)
        outer = min(self.plans, default=None)
        if outer is not None:
            ran = self._counts.get(outer, 0)
            self.report.declared_tests = self.report.tests + self.plans[outer] - ran
            if self.plans[outer] != ran:
                self.report.warnings.append(f"planned {self.plans[outer]} tests, ran {ran}")


def _set_time(case: Case, value: str, unit: str) -> None:
    duration = seconds(value)
    if duration is not None:
        case.duration_s = duration / (1000 if unit == "ms" else 1)
