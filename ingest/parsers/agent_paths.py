"""The folder of an agent in a path: where CI systems check out, by one list and by the setting `[identity] roots`.

docs/ingest.md has the list for users. The rest of a path is the same on every machine; what the list does not know is
kept, because one build alone does not show what two agents share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

Roots = re.Pattern[str] | None

_DRIVE = r"(?:[A-Za-z]:)?/"
_FOLDERS = r"(?:[^/]+/)*?"  # as few as possible
_AGENT = (
    r"(?:(?:jenkins|build|ci|actions|gitlab|test)[-_]?(?:agent|runner|slave|node)s?(?:[-_.]?\w{1,16})?"
    r"|(?:agent|runner|slave|executor|node|worker)s?[-_.]?(?:\d+|[a-z]))"
)
# The first that matches is removed.
_ROOTS = re.compile(
    "|".join((
        # Jenkins: jobs/NAME/workspace, workspace/NAME and workspace/NAME@2
        rf"{_DRIVE}{_FOLDERS}jobs/[^/]+/workspace(?:@\w+)?/",
        rf"{_DRIVE}workspace/[^/]+@\d+/",
        r"/github/workspace/|/workspaces/[^/]+/|/workspace/(?:source/)?",  # of containers; the checkout itself
        rf"{_DRIVE}{_FOLDERS}workspace/(?:[^/]+/)?",
        # Azure Pipelines and GitHub Actions: _work/N/s, _work/R/R
        rf"{_DRIVE}{_FOLDERS}_work/(?:\d+/(?:s/)?|(?P<repo>[^/]+)/(?:(?P=repo)/)?)",
        r"/home/vsts/work/\d+/(?:s/)?",
        r"/(?:home|Users)/runner/work/[^/]+/[^/]+/",
        r"/__w/[^/]+/[^/]+/|[A-Za-z]:/a/[^/]+/[^/]+/",
        # Buildkite, whose folder is named after the host; GitLab with and without the runner's token
        rf"{_DRIVE}{_FOLDERS}buildkite[^/]*/builds/[^/]+/[^/]+/[^/]+/",
        rf"{_DRIVE}{_FOLDERS}builds/[\w-]+/\d+/[^/]+/[^/]+/",
        r"/builds/[^/]+/[^/]+/",
        # TeamCity, Bamboo, GoCD, CircleCI, Bitbucket, Drone, AppVeyor, Semaphore, CodeBuild, Bazel
        rf"{_DRIVE}{_FOLDERS}work/[0-9a-f]{{12,16}}/",
        rf"{_DRIVE}{_FOLDERS}build-dir/[^/]+/",
        rf"{_DRIVE}{_FOLDERS}go-agent[^/]*/pipelines/[^/]+/",
        r"/(?:home/circleci|root)/(?:project|repo)/|/opt/atlassian/pipelines/agent/build/|/drone/src/",
        r"[Cc]:/projects/[^/]+/|/home/semaphore/[^/]+/|/codebuild/output/src\d+/(?:src/)?",
        rf"{_DRIVE}{_FOLDERS}execroot/[^/]+/",
        # a folder named after an agent, and what its user has
        rf"{_DRIVE}(?:[^/]+/){{0,3}}?{_AGENT}/(?:(?:build|job|run)?[-_]?\d+/)?",
        r"(?:/(?:home|Users)/[^/]+/|/root/|[A-Za-z]:/Users/[^/]+/)(?:build/)?",
    )),
)  # fmt: skip
_SECOND_CHECKOUT = re.compile(r"^([^/]+)@\d+(?=/)")
_ABSOLUTE = re.compile(r"^(?:file:/{2,3})?(?:[A-Za-z]:[\\/]|[\\/])[^\\/\s]+[\\/]")
# Within a longer text, such as a parameter, only those that nothing else looks like.
_WITHIN = re.compile(
    r"(?<![\w.~\\/-])(?:[A-Za-z]:)?[\\/](?:"
    r"(?:[^\s\\/:'\",;()\[\]]+[\\/])+?workspace[\\/][^\s\\/:'\",;()\[\]]+[\\/]"
    r"|(?:[^\s\\/:'\",;()\[\]]+[\\/])*?_work[\\/]\d+[\\/](?:s[\\/])?"
    r"|(?:home|Users)/runner/work/[^\s/]+/[^\s/]+/"
    r"|home/vsts/work/\d+/(?:s/)?"
    r"|tmp/pytest-of-[^\s/]+/pytest-\d+/|tmp/tmp[a-z0-9_]{8}/|(?:private/)?var/folders/\w+/\w+/T/"
    r")"
)


@lru_cache(32)
def compile_roots(patterns: Sequence[str]) -> Roots:
    """The configured roots as one pattern, None if there is none. `*` is any one folder, `**` any number of them."""
    wild = {"**": r".*?", "*": r"[^/]*"}
    forms = []
    for pattern in sorted(patterns, key=len, reverse=True):
        parts = re.split(r"(\*\*|\*)", pattern.replace("\\", "/").rstrip("/"))
        forms.append("".join(wild.get(part) or re.escape(part) for part in parts))
    return re.compile(f"(?:{'|'.join(forms)})/") if forms else None


def is_absolute(text: str) -> bool:
    """Whether a text is an absolute path of at least two names."""
    return bool(_ABSOLUTE.match(text))


def without_root(path: str, roots: Roots = None) -> str:
    """A path with slashes, without the folder of the agent if it is absolute and the folder is known."""
    path = path.replace("\\", "/").removeprefix("file://").removeprefix("//?/").removeprefix("./")
    if re.match(r"/[A-Za-z]:/", path):
        path = path[1:]
    while found := (roots and roots.match(path)) or _ROOTS.match(path):
        below = path[found.end() :].lstrip("/ ")
        if not below:
            break
        path = _SECOND_CHECKOUT.sub(r"\1", below)
    return path


def without_roots_within(text: str) -> str:
    """A text without the agent's folders in the paths that it contains."""
    return _WITHIN.sub("", text)
