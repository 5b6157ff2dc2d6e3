"""The Test Anything Protocol, versions 12 to 14, and the kernel's KTAP. The library tap.py reads neither subtests nor
durations.

What is behind an unescaped `#` is no part of a test's name: directives, durations, exit codes.
"""

from __future__ import annotations

import re

from ingest.parsers import tap_details, totals
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import clip

LINE_BYTES = 16 << 10
MAX_INDENT = 200  # subtests within subtests beyond this are taken as one level
MAX_COMMENTS = 20_000  # lines that are held until the test point after them
KUNIT_LINES = 20  # of one failed expectation
MESSAGE_CHARS = 8 << 10
NAME_CHARS = 4 << 10

_POINT = re.compile(
    r"(?P<not>not\s+)?ok(?=[\s#]|$)(?:\s+(?P<number>\d+)(?=[\s#]|$))?(?P<dash>\s*-(?=\s|$))?\s*(?P<rest>.*)$"
)
_OPENS = re.compile(r"(?:^|\s)\{$")
_FOUND_NONE = re.compile(r"#\s*tests\s+0$")  # what tape and node:test write where there are no tests at all
_TAPE_END = re.compile(r"#\s*(?:tests|pass)\s+\d+$")
# A directive, also without a space before it; or any remark. "#12" is the number of an issue, and part of the name.
_REMARK = re.compile(r"(?<!\\)(?:\\\\)*(?P<at>#)\s*(?:skip\w*|todo)\b|(?:^|(?<=\s))(?P<or>#)(?!\d)", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*(?P<word>skip\w*|todo|xfail)\b[:\s]*(?P<why>.*)$", re.IGNORECASE)
_TIMEOUT = re.compile(r"#\s*timeout\b", re.IGNORECASE)
_NOTHING = re.compile(
    r"#\s*(?:exit|status|code|signal)\s*[=:]?\s*-?\d*\s*$", re.IGNORECASE
)  # says no more than "not ok"
_PLAN = re.compile(r"1\.\.(?P<last>\d{1,9})(?:\s*#\s*(?:skip\w*[:\s]*)?(?P<why>.*))?\s*$", re.IGNORECASE)
_VERSION = re.compile(r"K?TAP version \d+$")
_CLOCK = re.compile(r"(?:<\d+>)?\[\s*\d+\.\d+\]\s")  # before each line of a kernel log
_KUNIT = re.compile(r"# \S+: (?:EXPECTATION|ASSERTION) FAILED at ")
_BATS_TIME = re.compile(r" in (?P<value>\d+)(?P<unit>ms|sec)$")
_UNPLANNED = re.compile(r"teardown_(?:file|suite) failed")  # what bats adds to its plan
_LOOKS = re.compile(r"^(?:K?TAP version \d+|1\.\.\d+\s*(?:#|$)|(?:not )?ok(?: \d+\b| - ))", re.MULTILINE)


def looks_like(head: str) -> bool:
    return bool(_LOOKS.search(head))


def parse(stream: ReportStream, path: str = "") -> Report:
    """Parse one stream. A failing TODO counts as skipped, a test point that only sums up its subtests is not counted,
    and "Bail out!" is a failed test. The plan 1..0 is a skipped test, named after the file at `path`, with the comment
    of the plan as its reason. A plan with another number of tests than ran gives a warning; without any, the end is
    missing.

    Subtests are indented, before their test point or in braces after it, or are comments before their test point
    (kselftest) if these have a plan. The class of an assertion of tape is the test, which is a comment before it.
    """
    report = Report()
    reader = _Reader(report, path)
    whole = True
    while raw := stream.readline(LINE_BYTES):
        begins, whole = whole, raw.endswith(b"\n")
        if begins:
            reader.line(_CLOCK.sub("", raw.decode("utf-8", "replace").rstrip(), count=1))
    reader.close()
    if not report.cases and not reader.planned:
        report.status = "error"
        report.warnings.append("no TAP in this file")
    return report


class _Level:
    """The test points of one indentation since the point that encloses them."""

    def __init__(self, indent: int) -> None:
        self.indent = indent
        self.cases: list[Case] = []
        self.points = 0
        self.plan: int | None = None


class _Reader:
    def __init__(self, report: Report, path: str) -> None:
        self.report = report
        self._path = path
        self.planned = False
        self._plan_indent = MAX_INDENT  # of the outermost plan
        self._why_skipped: str | None = None  # the comment of a plan 1..0
        self._differences: list[totals.Difference] = []
        self._levels: list[_Level] = []  # outer to inner
        self._last: Case | None = None  # the one that details belong to
        self._indent = 0  # of the last test point
        self._comments: list[str] = []  # since then
        self._yaml: list[str] | None = None  # the lines of the open block
        self._yaml_indent = 0
        self._blocks: list[tuple[int, Case]] = []  # indentation and test point of the open braces
        self._heading = ""  # the last comment before a test point
        self._headed: list[tuple[Case, str]] | None = []  # None once the file is not of tape

    def line(self, line: str) -> None:
        body = line.lstrip(" \t")
        indent = min(len(line) - len(body), MAX_INDENT)
        if self._yaml is not None and (not body or indent >= self._yaml_indent):
            if body == "..." and indent == self._yaml_indent:
                self._end_yaml()
            else:
                self._yaml.append(line[self._yaml_indent :])
        elif body == "---":
            self._flush_comments(None)
            self._yaml, self._yaml_indent = [], indent
        elif point := _POINT.match(body):
            self._point(indent, point)
        elif plan := _PLAN.match(body):
            self._plan(indent, plan)
        elif body == "{":
            self._reopen(indent)
        elif body == "}":
            self._end_blocks(indent)
        elif body[:9].lower() == "bail out!":
            self._flush_comments(None)
            reason = clip(body[9:].strip(), MESSAGE_CHARS) or None
            self._add(indent, Case("", "", "Bail out!", FAILED, "error", message=reason))
        elif len(self._comments) < MAX_COMMENTS:
            if body.startswith("#"):
                self._comments.append(body)
            elif any(map(_KUNIT.match, self._comments[-KUNIT_LINES:])):
                self._comments.append(f"# {body}")  # KUnit says what it expected without "#"

    def _plan(self, indent: int, plan: re.Match[str]) -> None:
        self.planned = True
        self._plan_indent = min(self._plan_indent, indent)
        if plan["last"] == "0":
            self._why_skipped = (plan["why"] or "").strip()
        level = next((level for level in self._levels if level.indent == indent), None)
        if level is None:
            level = _Level(indent)
            self._levels.append(level)
            self._levels.sort(key=lambda level: level.indent)
        level.plan = (level.plan or 0) + int(plan["last"])

    def _point(self, indent: int, point: re.Match[str]) -> None:
        self._end_yaml()
        self._end_blocks(indent)
        opens = _OPENS.search(point["rest"])
        rest = point["rest"] if opens is None else point["rest"][: opens.start()]
        remark = _REMARK.search(rest)
        at = len(rest) if remark is None else remark.start("at" if remark["at"] else "or")
        name, behind = rest[:at].strip(), rest[at:].strip()
        duration = tap_details.duration(behind)
        if found := _BATS_TIME.search(name):
            name = name[: found.start()]
            duration = tap_details.to_seconds(found["value"], found["unit"])
        status = FAILED if point["not"] else PASSED
        directive = _DIRECTIVE.match(behind)
        if not name and directive:
            # QUnit had the name there, Test::More has the reason; both are better than the number.
            name = directive["why"].strip()
        name = clip(re.sub(r"\\([#\\])", r"\1", name), NAME_CHARS)
        case = Case("", "", name or f"test {point['number'] or '?'}", status, duration_s=duration)
        if directive and (directive["word"].lower() not in ("todo", "xfail") or status == FAILED):
            case.status, case.message = SKIPPED, clip(directive["why"].strip(), MESSAGE_CHARS) or None
        elif status == FAILED:
            case.kind = "error" if _TIMEOUT.match(behind) else "failure"
            if behind and duration is None and not _NOTHING.match(behind):
                case.message = clip(behind.lstrip("# "), MESSAGE_CHARS)
        self._keep_heading(case, point)
        self._flush_comments(case)
        if opens:
            self._blocks.append((indent, case))
            self._last = None
        else:
            self._add(indent, case, counts=True)

    def _reopen(self, indent: int) -> None:
        """Braces in a line of their own: the subtests of the last test point follow."""
        level = self._levels[-1] if self._levels else None
        if level is not None and level.indent == indent and level.cases and level.cases[-1] is self._last:
            self._end_yaml()
            self._blocks.append((indent, level.cases.pop()))
            level.points -= 1
            self._last = None

    def _end_blocks(self, indent: int) -> None:
        """Add the test points whose braces end here: the subtests in them have been read."""
        while self._blocks and self._blocks[-1][0] >= indent:
            outer, case = self._blocks.pop()
            self._add(outer, case, counts=True)

    def _keep_heading(self, case: Case, point: re.Match[str]) -> None:
        if self._headed is None:
            return
        if self._comments:
            self._heading = self._comments[-1].removeprefix("#").strip()
        if point["dash"] or not self._heading or self.planned:
            self._headed = None
        else:
            self._headed.append((case, self._heading))

    def _set_classes_of_tape(self) -> None:
        """tape writes its plan and these totals at the end, and no dash before a name."""
        if self._headed and self.planned and len([line for line in self._comments if _TAPE_END.match(line)]) == 2:
            for case, heading in self._headed:
                case.class_name = clip(heading, NAME_CHARS)

    def _flush_comments(self, following: Case | None) -> None:
        """The comments since the last test point: its details, or subtests or details of the one that follows."""
        comments, self._comments = self._comments, []
        if not comments:
            return
        inner = [comment[1:].removeprefix(" ") for comment in comments]
        first = _first_of_subtests(inner)
        heading = next((at for at, text in enumerate(inner) if following and _is_about(text, following.name)), None)
        own = min((at for at in (first, heading) if at is not None), default=len(inner))
        if self._last is not None:
            tap_details.add_comments(self._last, inner[:own])
        if following is not None and following.status == FAILED and heading is not None and first is None:
            inner[heading] = inner[heading].strip().removeprefix(following.name).removeprefix(": ")
            tap_details.add_comments(following, inner[heading:])
        if first is not None:
            indent = self._levels[-1].indent if self._levels else 0
            self._last = None
            for text in inner[first:]:
                self.line(" " * (indent + 4) + text)
            self._end_yaml()
            self._flush_comments(None)

    def _end_yaml(self) -> None:
        block, self._yaml = self._yaml, None
        if block is not None and self._last is not None:
            tap_details.add_yaml(self._last, block)

    def _add(self, indent: int, case: Case, counts: bool = False) -> None:
        count_case()
        self._end_yaml()
        within: list[Case] = []
        while self._levels and self._levels[-1].indent > indent:
            level = self._levels.pop()
            # Subtests that end early fail the test point around them.
            self._compare(level, repr(clip(case.name, 100)), is_explained=case.status == FAILED)
            within = level.cases + within
        if not self._levels or self._levels[-1].indent < indent:
            self._levels.append(_Level(indent))
        level = self._levels[-1]
        level.points += counts and not _UNPLANNED.fullmatch(case.name)
        for inner in within:
            inner.class_name = f"{case.name} > {inner.class_name}" if inner.class_name else case.name
        if within and (case.status != FAILED or any(inner.status == FAILED for inner in within)):
            level.cases.extend(within)
            self._last = None
            return
        level.cases.extend([*within, case])
        self._last = case

    def _compare(self, level: _Level, element: str = "", is_explained: bool = False) -> None:
        found = totals.differences({"tests": level.plan}, {"tests": (level.points,)}, element)
        self._differences += [one._replace(is_explained=is_explained) for one in found]

    def close(self) -> None:
        self._end_yaml()
        self._end_blocks(0)
        self._set_classes_of_tape()
        has_none = any(map(_FOUND_NONE.match, self._comments))
        self._flush_comments(None)
        for level in self._levels:
            self._compare(level, "" if level is self._levels[0] else "a block of subtests")
            self.report.cases.extend(level.cases)
        is_skipped = self._why_skipped is not None and not any(level.plan for level in self._levels)
        if is_skipped and not self.report.cases and not has_none:
            name = self._path.rpartition("/")[2].removesuffix(".tap") or "all tests"
            reason = clip(self._why_skipped or "", MESSAGE_CHARS) or None
            self.report.cases.append(Case("", "", clip(name, NAME_CHARS), SKIPPED, message=reason))
        elif self.report.cases and (not self.planned or self._plan_indent > self._levels[0].indent):
            self.report.is_cut = True
            self.report.warnings.append("no plan (1..N): the end of the report may be missing")
        self.report.differ(self._differences)


def _is_about(comment: str, name: str) -> bool:
    """Whether a comment is about the test point after it: kselftest's and KUnit's are."""
    return comment.strip() == name or comment.strip().startswith(f"{name}: ")


def _first_of_subtests(lines: list[str]) -> int | None:
    """Where the subtests among comments begin; None if they are no subtests: these have a plan with as many tests."""
    plan = next((int(found["last"]) for line in lines if (found := _PLAN.match(line))), None)
    points = [at for at, line in enumerate(lines) if _POINT.match(line)]
    if not plan or not points or len(points) > plan:
        return None
    begins = (at for at, line in enumerate(lines) if _VERSION.match(line) or _PLAN.match(line) or at == points[0])
    return next(begins)
