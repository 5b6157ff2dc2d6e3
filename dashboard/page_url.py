"""Where the user is: a page's path and everything the URL says of it. The URL is the only state of a screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from dashboard.app_state import snapshot_of
from data.model.filters import Filter, FilterError

# What follows the user from screen to screen; all else belongs to one screen.
SCOPE = ("release", "version", "environment", "module", "topology", "priority", "exclude_flaky", "as_of")

PAGE_SIZE = 50  # rows of a paged list


@dataclass(frozen=True)
class PageUrl:
    """A location of the dashboard. Links are made from it, so that they keep what they should keep."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, href: str | None) -> PageUrl:
        """From what the browser's location says; of a repeated parameter the last one holds."""
        parts = urlsplit(href or "/")
        return cls(parts.path or "/", dict(parse_qsl(parts.query)))

    @cached_property
    def filter(self) -> Filter:
        """Raises FilterError where a parameter cannot be used, NoSnapshot for a time before the store's first."""
        then = self.get("as_of")
        return Filter.parse({**self.query, "as_of": str(snapshot_of(then))} if then else self.query)

    def get(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)

    def choice(self, name: str, allowed: Collection[str], default: str = "") -> str:
        """A parameter that has few values, or the default where the URL does not say. Raises FilterError."""
        value = self.get(name)
        if value and value not in allowed:
            raise FilterError(name, value, f"must be one of {', '.join(allowed)}")
        return value or default

    def here(self, **changes: object) -> str:
        """This screen with some parameters changed; None or "" removes one."""
        return _url(self.path, {**self.query, **changes})

    def to(self, *segments: object, **changes: object) -> str:
        """Another screen; the scope goes along."""
        kept = {name: value for name, value in self.query.items() if name in SCOPE}
        return _url("/" + "/".join(quote(str(segment), safe="") for segment in segments), {**kept, **changes})


def _url(path: str, query: Mapping[str, object]) -> str:
    wanted = {name: str(value) for name, value in query.items() if value not in (None, "", False)}
    return path + ("?" + urlencode(wanted, quote_via=quote) if wanted else "")


def match(pattern: str, path: str) -> dict[str, str] | None:
    """The named segments of a path under a pattern such as `/runs/<run>`; None where it does not fit."""
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    if len(wanted) != len(given):
        return None
    names = {}
    for expected, segment in zip(wanted, given, strict=True):
        if expected.startswith("<"):
            if not segment:
                return None
            names[expected.strip("<>")] = segment
        elif expected != segment:
            return None
    return names


def offset_of(url: PageUrl) -> int:
    """Where a paged list starts. Raises FilterError."""
    text = url.get("offset", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise FilterError("offset", text, "must be a whole number: where the list starts")
    return int(text)
