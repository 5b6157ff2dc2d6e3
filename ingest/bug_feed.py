"""The bug feed: read from files or the web, checked record by record, and stored.

A feed is a JSON object of groups (PROJ: a list of bugs), or one list of bugs. An unusable record is reported and left
out; a feed that is unusable as a whole changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from data.lake.store import Store
from data.model.bug_record import BugRecord
from data.queries.bug_links import ambiguous_cases
from data.queries.bugs import matched_count
from data.redaction import redact
from data.settings import BUGS_TOKEN, BugSettings, web_address
from data.write.bugs import apply_bug_feed
from ingest.http import HttpClient, HttpError, TooLargeError

MAX_BYTES = 64 << 20
LONGEST = 4_000  # characters of a value
SHOWN = 5  # cases that match several tests
_ID = re.compile(r"\w[\w.:-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

ReportProgress = Callable[[int, int], None]


class Feed(NamedTuple):
    """A parsed feed. `left_out` has a line for each unusable record; `spared` has the ids in such records, whose stored
    bugs stay as they are."""

    bugs: list[BugRecord]
    left_out: list[str]
    spared: set[str]


class FeedSummary(TypedDict):
    """What reading a feed changed. `matched`: bugs that have tests in the store; `left_out`: a line for each unusable
    record."""

    bugs: int
    added: int
    changed: int
    gone: int
    links: int
    matched: int
    left_out: list[str]
    warnings: list[str]


class FeedError(Exception):
    """A feed cannot be used and nothing was stored. The text names the feed, the reason and what to do."""


def import_bugs(
    store: Store, locations: Sequence[str], settings: BugSettings, progress: ReportProgress = lambda done, total: None
) -> FeedSummary:
    """Make the bugs of these files and addresses together the newest feed. Raises FeedError."""
    feeds = [parse(_content(location, settings, progress), location, settings.closed) for location in locations]
    bugs = [bug for feed in feeds for bug in feed.bugs]
    left_out = [line for feed in feeds for line in feed.left_out]
    spared = set().union(*(feed.spared for feed in feeds))
    if not bugs:
        reason = f": {left_out[0]}" if left_out else ""
        raise FeedError(f"{', '.join(locations)}: has no usable bug{reason}; nothing was changed")
    changes = apply_bug_feed(store, bugs, spared, datetime.now(UTC).replace(tzinfo=None, microsecond=0))
    warnings = []
    if not any(bug.cases for bug in bugs):
        kept = "; the links of earlier feeds were kept" if changes.links else ""
        warnings.append(f"no bug of the feed names a test case{kept}")
    ambiguous = ambiguous_cases(store)
    warnings += [
        f"{row['case_id']}: {row['name']} matches {row['tests']} tests: give file and class"
        for row in ambiguous[:SHOWN]
    ]
    if len(ambiguous) > SHOWN:
        warnings.append(f"{len(ambiguous) - SHOWN} more cases match several tests")
    return {
        "bugs": len({bug.bug for bug in bugs}),
        "added": changes.added,
        "changed": changes.changed,
        "gone": changes.gone,
        "links": changes.links,
        "matched": matched_count(store),
        "left_out": left_out,
        "warnings": warnings,
    }


def parse(content: bytes, name: str, closed: Sequence[str]) -> Feed:
    """Parse a feed; `closed` are the statuses of closed bugs. Raises FeedError."""
    try:
        document = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        what = "a web page" if content.lstrip()[:1] == b"<" else f"not JSON ({error})"
        raise FeedError(f"{name}: is {what}; nothing was changed") from error
    if isinstance(document, list):
        document = {"": document}
    if not isinstance(document, dict):
        raise FeedError(f"{name}: is neither an object of groups nor a list of bugs; nothing was changed")
    closed_statuses = {status.casefold() for status in closed}
    feed = Feed([], [], set())
    for group, records in document.items():
        if not isinstance(records, list):
            feed.left_out.append(f"{name}: {_text(group)}: is not a list of bugs")
            continue
        for index, record in enumerate(records):
            try:
                feed.bugs.append(_bug(record, _text(group) or "", closed_statuses))
            except ValueError as error:
                feed.left_out.append(f"{name}: {_text(group) or 'list'}[{index}]: {error}")
                if isinstance(record, dict):
                    feed.spared.add(_text(record.get("defect_id")) or "")
    return feed


def _bug(record: Any, group: str, closed: set[str]) -> BugRecord:
    """Raises ValueError."""
    if not isinstance(record, dict):
        raise ValueError("is not an object")
    name, url, info = _text(record.get("defect_id")), _text(record.get("URL")), record.get("jira_info")
    if not name or not _ID.fullmatch(name):
        raise ValueError(f"defect_id is {'missing' if not name else f'not a valid id: {name[:60]!r}'}")
    if not url:
        raise ValueError(f"{name}: URL is missing")
    try:
        web_address(url)
    except ValueError as error:
        raise ValueError(f"{name}: URL {error}") from error
    if info is None:
        info = {}
    if not isinstance(info, dict):
        raise ValueError(f"{name}: jira_info is not an object")
    values = {field: _text(info.get(field)) for field in ("status", "summary", "priority", "assignee", "component")}
    resolution = _text(info.get("resolution"))
    if resolution and resolution.casefold() == "unresolved":
        resolution = None
    status = values["status"]
    return BugRecord(
        bug=name,
        type=group or name.rpartition("-")[0],
        url=url,
        open=status.casefold() not in closed if status else resolution is None,
        resolution=resolution,
        versions=_text(info.get("affected_versions")),
        labels=tuple(_several(record.get("labels"))),
        cases=tuple(dict.fromkeys([*_several(record.get("case_id")), *_named_tests(record.get("tests"))])),
        **values,
    )


def _text(value: Any) -> str | None:
    """A JSON value as one line of text, None if it has none. A list is joined; of an object the name is used."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, list):
        value = ", ".join(text for text in map(_text, value) if text)
    if value is None or isinstance(value, dict):
        return None
    # JSON may contain lone surrogates, which cannot be stored
    text = str(value).encode("utf-8", "replace").decode()
    return _CONTROL.sub(" ", text).strip()[:LONGEST] or None


def _several(value: Any) -> Iterator[str]:
    """The texts of a list, or of one text with commas."""
    text = _text(value)
    return (item for item in map(str.strip, re.split(r"[,;]", text)) if item) if text else iter(())


def _named_tests(value: Any) -> Iterator[str]:
    """The keys of tests that a bug names: texts, or objects with name and, where known, file and class. A bare name
    becomes ::name, which tells it from a case id. Raises ValueError."""
    if value is None:
        return
    if not isinstance(value, list):
        raise ValueError("tests is not a list")
    for item in value:
        parts = (
            [_text(item.get(name)) for name in ("file", "class", "name")] if isinstance(item, dict) else [_text(item)]
        )
        if parts[-1] is None:
            raise ValueError("one of tests has no name")
        key = "::".join(part for part in parts if part is not None)
        yield key if "::" in key else f"::{key}"


def _content(location: str, settings: BugSettings, progress: ReportProgress) -> bytes:
    if re.match(r"^https?://", location):
        return _download(location, settings, progress)
    try:
        with Path(location).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FeedError(f"{location}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise FeedError(_too_large(location))
    return content


def _download(address: str, settings: BugSettings, progress: ReportProgress) -> bytes:
    """Download a feed. User and token are sent to this address only, not to a redirect."""
    try:
        web_address(address)
    except ValueError as error:
        raise FeedError(f"{re.sub('//[^/]*@', '//...@', address)}: {error}") from error
    headers, auth = {"Accept": "application/json"}, None
    if settings.token:
        secret = settings.token.get_secret_value()
        auth = (settings.user, secret) if settings.user else None
        headers |= {} if auth else {"Authorization": f"Bearer {secret}"}
    shown = redact(address)
    client = HttpClient(
        address,
        timeout_s=settings.timeout_s,
        verify_tls=settings.verify_tls,
        ca_bundle=settings.ca_bundle,
        auth=auth,
        headers=headers,
    )
    try:
        for attempt in client.attempts():
            with attempt, client.get(address, redirects=True, max_bytes=MAX_BYTES) as answer:
                if answer.status in (401, 403):
                    who = settings.user or ("this token" if settings.token else "anonymous users")
                    advice = f"set user in [bugs] and {BUGS_TOKEN}"
                    raise FeedError(f"{shown}: does not let {who} read it ({answer.status}); {advice}")
                if answer.status != 200:
                    raise FeedError(f"{shown}: answered {answer.status} {answer.reason}")
                content = bytearray()
                for chunk in answer.chunks:
                    content += chunk
                    progress(len(content) >> 10, (answer.length or 0) >> 10)
                return bytes(content)
    except TooLargeError:
        raise FeedError(_too_large(shown)) from None
    except HttpError as error:
        raise FeedError(f"{shown}: {error.what}. {error.advice}".rstrip(". ")) from None
    raise AssertionError("unreachable")


def _too_large(location: str) -> str:
    return f"{location}: is larger than {MAX_BYTES >> 20} MB, the limit for a bug feed"
