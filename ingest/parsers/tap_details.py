"""Why a TAP test failed and how long it ran: its YAML block and the comments after it."""

from __future__ import annotations

import re

from ingest.parsers.cases import FAILED, Case
from ingest.parsers.text import clip, seconds

MESSAGE_CHARS = 8 << 10
TRACE_CHARS = 64 << 10

_TIME = re.compile(r"#\s*(?:time|duration|duration_ms)\s*[=:]\s*(?P<value>[\d.]+)\s*(?P<unit>ms|s)?\b", re.IGNORECASE)
_BARE_TIME = re.compile(r"#\s*(?:in )?(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|sec)\.?$")
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w -]*?)\s*:(?:\s+(?P<value>.*))?$")
_BLOCK = re.compile(r"[|>][+-]?\d*$")
# Keys that say what happened, best first; and keys that say nothing of it.
_REASONS = ("error", "message", "reason", "stack", "diag", "text")
_NO_REASON = {
    "severity", "exitcode", "exit", "exit_code", "duration_ms", "duration", "type", "at", "location", "line", "column",
    "file", "source", "failuretype", "signal", "name", "code", "test", "operator", "id", "started_at", "timestamp",
}  # fmt: skip
_PLACE = re.compile(
    r"(?:at\b.*"
    r"|\(?(?:in|from) (?:test )?(?:file|function)\b.*"
    r"|node:[\w/.]+:.*|file:/.*|[\w./\\:@-]+:\d+(?::\d+)?:?"
    r"|(?:Failed|Failed \(TODO\)) test\b.*"
    r"|timeout set to \d+|(?:\S+: )?(?:EXPECTATION|ASSERTION) FAILED at .*"
    r"|async\b.*|new \S+ \(.*|[\w.<>$ ]+ \((?:node:|file:|/).*"
    r"|[-=~*_.\s]*)$",
    re.IGNORECASE,
)
# What harnesses write besides: headings of what follows, and sums.
_HEADING = re.compile(
    r"(?:K?TAP version \d+|Subtest\b.*|\d+\.\.\d+|Looks like you (?:failed|planned)\b.*"
    r"|(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms)\s+[\d.]+"
    r"|(?:\S+: )?pass:\d+ fail:\d+.*|ok)$"
)


def duration(text: str) -> float | None:
    """The duration in a remark such as `# time=12ms`; None if there is none."""
    found = _TIME.search(text) or _BARE_TIME.match(text)
    if found is None:
        return None
    unit = found["unit"] or ("ms" if "duration_ms" in found[0].lower() else "s")
    return to_seconds(found["value"], unit)


def to_seconds(value: str, unit: str) -> float | None:
    lasted = seconds(value)
    return None if lasted is None else lasted / (1000 if unit == "ms" else 1)


def add_comments(case: Case, lines: list[str]) -> None:
    """Add comments to the test that they belong to."""
    details = []
    for line in lines:
        text = line.strip()
        if (lasted := duration(f"#{text}")) is not None:
            case.duration_s = lasted
        elif text and not _HEADING.match(text):
            details.append(line.rstrip())
    if case.status != FAILED or not details:
        return
    _add_reason(case, _first_reason(details), "\n".join(_dedented(details)))


def add_yaml(case: Case, lines: list[str]) -> None:
    """Add a YAML block to its test: the duration and, of a failed one, the reason and everything that explains it."""
    values = _values(lines)
    for key in ("duration_ms", "duration"):
        if key in values and (lasted := to_seconds(values[key].strip("'\""), "ms")) is not None:
            case.duration_s = lasted
            break
    if case.status != FAILED:
        return
    reason = next(filter(None, (_reason(key, values) for key in _REASONS)), "")
    if not reason or reason.removeprefix("Error: ") in ("failed", case.name):
        # QUnit and tape repeat the name or the outcome there.
        reason = _comparison(values) or reason
    shown = [text for key, text in values.items() if key == "stack"]
    shown += [f"{key}: {text}" for key, text in values.items() if key != "stack" and key not in _NO_REASON]
    places = [f"{key}: {values[key]}" for key in ("at", "location") if values.get(key)]
    if reason:
        case.message = None  # better than a comment's
    _add_reason(case, reason, "\n".join([*shown, *places]))


def _values(lines: list[str]) -> dict[str, str]:
    """The outermost keys of a block with their texts, without the quotes. Not all that tools write is YAML."""
    values: dict[str, str] = {}
    key = ""
    for line in _dedented(lines):
        found = _KEY.match(line) if line[:1].strip() else None
        if found:
            key = found["key"].lower()
            text = (found["value"] or "").strip()
            values.setdefault(key, "" if _BLOCK.match(text) else _unquoted(text))
        elif key and (line.strip() or values[key]):
            values[key] = f"{values[key]}\n{line[2:] if line.startswith('  ') else line}".removeprefix("\n")
    return {key: text.rstrip() for key, text in values.items()}


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1].replace('\\"', '"').replace("\\n", "\n")
    return text


def _reason(key: str, values: dict[str, str]) -> str:
    lines = values.get(key, "").splitlines()
    if len(lines) > 1 and all(_KEY.match(line) for line in _dedented(lines) if line[:1].strip()):
        # The `error` of vitest has a name, a message and a stack.
        lines = _values(lines).get("message", "").splitlines() or lines
    text = "\n".join(lines).strip()
    return text if text and key != "stack" and not _PLACE.match(text) else _first_reason(text.splitlines())


def _comparison(values: dict[str, str]) -> str:
    """What was expected, by the names that tools use."""
    wanted = next((values[key] for key in ("expected", "wanted", "want") if key in values), None)
    found = next((values[key] for key in ("actual", "found", "got", "received") if key in values), None)
    if wanted is None and found is None:
        return ""
    operator = f"{values['operator']}: " if values.get("operator") else ""
    return f"{operator}expected {wanted}, got {found}"


def _first_reason(lines: list[str]) -> str:
    """The first line that is neither a place nor a heading; with the next one, if it only says what was got."""
    texts = [line.strip() for line in lines if line.strip() and not _PLACE.match(line.strip())]
    if not texts:
        return ""
    return ", ".join(texts[:2]) if re.match(r"(?:got|found|have)\b", texts[0]) else texts[0]


def _dedented(lines: list[str]) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def _add_reason(case: Case, reason: str, details: str) -> None:
    """Add the details as the trace. Without a reason they are output: they would pass for one, and be the pattern of
    failures that have nothing in common."""
    case.message = case.message or clip(reason, MESSAGE_CHARS) or None
    details = "\n".join(filter(None, (case.trace or case.output, details.strip("\n"))))
    case.trace, case.output = None, None
    if case.message:
        case.trace = clip(details, TRACE_CHARS) or None
    else:
        case.output = clip(details, TRACE_CHARS) or None
