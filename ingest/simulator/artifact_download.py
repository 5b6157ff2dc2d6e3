"""Artifact downloads as Jenkins serves them: one file, or all files that an Ant pattern matches as one zip."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

from ingest.simulator.jenkins_items import ArtifactFiles

ZIP = "*zip*"


def zip_request(segments: list[str]) -> tuple[str, str] | None:
    """(folder, pattern) of a path like `a/b/**/*.xml/*zip*/r.zip` split at its slashes; the folder ends
    before the first wildcard. None if this is not a request for a zip."""
    if ZIP not in segments:
        return None
    path = segments[: segments.index(ZIP)]
    wild = next((position for position, name in enumerate(path) if "*" in name or "?" in name), len(path))
    return "/".join(path[:wild]), "/".join(path[wild:])


def zipped(files: ArtifactFiles, folder: str, pattern: str, modified: float) -> bytes | None:
    """Names in the zip are relative to the folder; without a pattern they begin with the folder's own name. None if
    there is no such folder; a pattern that matches nothing gives an empty zip."""
    inside = {path.removeprefix(f"{folder}/" if folder else ""): path for path in files if _below(path, folder)}
    if not inside:
        return None
    matches = ant_pattern(pattern or "**")
    prefix = "" if pattern else f"{folder.rsplit('/', 1)[-1] or 'archive'}/"
    when = datetime.fromtimestamp(modified, UTC).timetuple()[:6]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in inside.items():
            if matches(name):
                info = zipfile.ZipInfo(prefix + name, when)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, files[path](), compresslevel=1)
    return out.getvalue()


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def ant_pattern(patterns: str) -> Callable[[str], bool]:
    """A predicate on relative paths for patterns joined by commas. `**` matches any number of folders, `*` and `?`
    stay within a name."""
    expressions = [re.compile(_expression(pattern.strip())) for pattern in patterns.split(",") if pattern.strip()]
    return lambda path: any(expression.fullmatch(path) for expression in expressions)


def _expression(pattern: str) -> str:
    if pattern.endswith("/"):
        pattern += "**"
    parts = pattern.split("/")
    out = ""
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if part == "**":
            out += ".*" if last else "(?:[^/]+/)*"
        else:
            name = "".join({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)) for char in part)
            # "a/**" matches a itself too, so the slash belongs to what follows.
            out += name if last or parts[position + 1 :] == ["**"] else f"{name}/"
            if not last and parts[position + 1 :] == ["**"]:
                return f"{out}(?:/.*)?"
    return out
