"""A page's path and query. The URL is the only state of a screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from dashboard.api.parameters import FilterQuery
from dashboard.api.parameters.reading import Q, read
from dashboard.app_state import snapshot_of
from data.model.filters import Filter, FilterError

# Parameters that links to other screens keep; all others belong to one screen.
SCOPE = ("release", "version", "environment", "module", "topology", "priority", "exclude_flaky", "as_of")

PAGE_SIZE = 50  # rows of a paged list
S = TypeVar("S", bound=str)


@dataclass(frozen=True)
class PageUrl:
    """A URL of the dashboard, from which links are made that keep the right parameters."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, href: str | None) -> PageUrl:
        """Parse the browser's location; the last of a repeated parameter counts."""
        parts = urlsplit(href or "/")
        return cls(parts.path or "/", dict(parse_qsl(parts.query)))

    @cached_property
    def filter(self) -> Filter:
        """The filter of the query. Raises FilterError for an invalid parameter, SnapshotNotFoundError for a time before
        the store's first snapshot."""
        flt, as_of = self.read(FilterQuery).filter(), self.get("as_of")
        return replace(flt, as_of=snapshot_of(as_of)) if as_of else flt

    def read(self, model: type[Q]) -> Q:
        """The parameters that a route of the API takes too. Raises FilterError."""
        return read(model, self.query)

    def get(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)

    def choice(self, name: str, allowed: Collection[S], default: S) -> S:
        """A parameter with a fixed set of values, or the default. Raises FilterError for any other value."""
        value = self.get(name)
        if not value:
            return default
        for one in allowed:
            if one == value:
                return one
        raise FilterError(name, value, f"must be one of {', '.join(allowed)}")

    def here(self, **changes: object) -> str:
        """This screen with some parameters changed; None or "" removes one."""
        return _url(self.path, {**self.query, **changes})

    def to(self, *segments: object, **changes: object) -> str:
        """Another screen with the same scope."""
        kept = {name: value for name, value in self.query.items() if name in SCOPE}
        return _url("/" + "/".join(quote(str(segment), safe="") for segment in segments), {**kept, **changes})


def _url(path: str, query: Mapping[str, object]) -> str:
    present = {name: str(value) for name, value in query.items() if value not in (None, "", False)}
    return path + ("?" + urlencode(present, quote_via=quote) if present else "")


def match(pattern: str, path: str) -> dict[str, str] | None:
    """The named segments of a path by a pattern such as `/runs/<run>`; None if it does not match."""
    expected_parts, parts = pattern.strip("/").split("/"), path.strip("/").split("/")
    if len(expected_parts) != len(parts):
        return None
    names = {}
    for expected, segment in zip(expected_parts, parts, strict=True):
        if expected.startswith("<"):
            if not segment:
                return None
            names[expected.strip("<>")] = segment
        elif expected != segment:
            return None
    return names


def offset_of(url: PageUrl) -> int:
    """The index of the first row of a paged list. Raises FilterError."""
    text = url.get("offset", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise FilterError("offset", text, "must be a whole number: the index of the first row")
    return int(text)
