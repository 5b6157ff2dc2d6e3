"""Results from a console log, for jobs that write no report: the lines that match configured patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ingest.parsers.agent_paths import Roots
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.identity import normalize_report
from ingest.parsers.text import clip, seconds

LINE_BYTES = 16 << 10
DETAIL_LINES = 60

# Jenkins hides links and similar between these; since 2.509 progressiveText contains them.
_CONSOLE_NOTE = re.compile(r"\x1b\[8mha:.*?\x1b\[0m")
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_STATUS = {
    **dict.fromkeys(("pass", "passed", "ok", "success", "succeeded", "✓", "✔"), (PASSED, None)),
    **dict.fromkeys(("fail", "failed", "failure", "not ok", "✗", "✘", "✕"), (FAILED, "failure")),
    **dict.fromkeys(("error", "errored", "crashed", "timeout", "timed out", "aborted"), (FAILED, "error")),
    **dict.fromkeys(("skip", "skipped", "ignored", "disabled", "notrun", "not run", "pending"), (SKIPPED, None)),
}


def plain(line: str) -> str:
    """The line as displayed: without console notes and colors."""
    return _ANSI.sub("", _CONSOLE_NOTE.sub("", line)).rstrip()


def compile_patterns(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    """Raises ValueError for a pattern that is not a regular expression or lacks the groups `name` and `status`."""
    compiled = []
    for pattern in patterns:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"console pattern {pattern!r}: {error}") from None
        if missing := {"name", "status"} - regex.groupindex.keys():
            raise ValueError(f"console pattern {pattern!r}: no group named {' nor '.join(sorted(missing))}")
        compiled.append(regex)
    return compiled


def parse(stream: ReportStream, patterns: Sequence[re.Pattern[str]], roots: Roots = None) -> Report:
    """Search each line with the patterns until one matches. Its groups are name, status, and optionally file, class,
    duration, message. The lines from that of a failed test up to the next match are its trace.
    """
    report = Report()
    unknown: dict[str, int] = {}
    detail: list[str] | None = None
    failed: Case | None = None
    for line in _lines(stream):
        found = next((match for pattern in patterns if (match := pattern.search(line))), None)
        if found is None:
            if detail is not None and len(detail) < DETAIL_LINES:
                detail.append(line)
            continue
        _set_trace(failed, detail)
        failed = detail = None
        groups = found.groupdict()
        word = (groups["status"] or "").strip()
        if word.casefold() not in _STATUS:
            unknown[word] = unknown.get(word, 0) + 1
            continue
        status, kind = _STATUS[word.casefold()]
        duration = seconds(groups.get("duration") or "")
        name = (groups["name"] or "").strip() or "(?)"
        count_case()
        case = Case(groups.get("file") or "", groups.get("class") or "", name, status, kind, duration)
        if status == FAILED:
            case.message = clip((groups.get("message") or line).strip(), 8 << 10)
            failed, detail = case, [line]
        report.cases.append(case)
    _set_trace(failed, detail)
    for word, count in unknown.items():
        report.warnings.append(f"{count} lines with an unknown status: {clip(word, 40)!r}")
    normalize_report(report, roots, prints_times=True)
    return report


def _set_trace(case: Case | None, detail: list[str] | None) -> None:
    if case is not None and detail:
        case.trace = clip("\n".join(detail).rstrip(), 64 << 10)


def _lines(stream: ReportStream) -> Iterator[str]:
    while line := stream.readline(LINE_BYTES):
        yield plain(line.decode("utf-8", "replace"))
