"""Which artifacts of a build are reports: the `KIND:GLOB` entries of a source's `results`, as Ant patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ingest.jenkins.urls import encode


def claimed_by(results: Sequence[str], path: str) -> str | None:
    """The first entry of a source's `results` whose pattern matches an artifact's path."""
    for entry in results:
        _, colon, glob = entry.partition(":")
        if colon and glob_regex(glob).fullmatch(path):
            return entry
    return None


def kind_of(results: Sequence[str], path: str) -> str:
    """The kind of the entry that claims an artifact; "" if none does."""
    return (claimed_by(results, path) or "").partition(":")[0]


def full_path(glob: str, name: str) -> str:
    """The artifact path of a zip member: Jenkins' zip omits the folders before the first wildcard of its pattern."""
    base = "".join(f"{segment}/" for segment in _folders_before_wildcard(glob))
    regex = glob_regex(glob)
    return name if regex.fullmatch(name) and not regex.fullmatch(base + name) else base + name


def zip_path(glob: str) -> str:
    """The path below `artifact/` at which Jenkins serves one zip of all artifacts that match a pattern."""
    return (
        "/".join(segment if _has_wildcard(segment) else encode(segment) for segment in glob.split("/")) + "/*zip*/r.zip"
    )


@lru_cache(1024)
def glob_regex(glob: str) -> re.Pattern[str]:
    """An Ant pattern: ** matches any folders, * and ? match within one name."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob + "**" if glob.endswith("/") else glob)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(segment) or re.escape(segment) for segment in parts), re.DOTALL)


def _folders_before_wildcard(glob: str) -> Iterator[str]:
    for segment in glob.split("/"):
        if _has_wildcard(segment):
            return
        yield segment


def _has_wildcard(segment: str) -> bool:
    return "*" in segment or "?" in segment
