"""Which commit a build tested, of all that Jenkins names: the job's own checkout, not that of a shared library.

A build has one checkout per repository that it read, in any order, and nothing marks the job's own. Two builds whose
results differ on one commit make a test flaky, so a library's commit, which stays the same for weeks, must never be
taken for it. Where nothing tells the checkouts apart, the commit is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from data.model.json_values import Json, JsonObject
from ingest.jenkins.json_values import dicts, json_object

ACTION_TREE = (
    "lastBuiltRevision[SHA1,branch[name]],remoteUrls,mercurialNodeName,revision[hash,pullHash,mergeHash,pull[hash]]"
)
CHANGES_TREE = "kind,revisions[module,revision]"

_LIBRARY = {"lib", "libs", "library", "libraries"}
_PIPELINE = {"ci", "cicd", "jenkins", "pipeline", "pipelines", "shared", "global", "groovy"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_JOINED = re.compile(r"(?:ci|jenkins|pipelines?|shared)(?:libs?|library|libraries|shared|pipelines?)")


@dataclass(frozen=True)
class _Checkout:
    revision: str
    kind: str  # of the change sets that it has: git | svn | hg
    remotes: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()


def built_revision(job: str, actions: list[JsonObject], change_sets: list[JsonObject]) -> str | None:
    """The commit of the job's own checkout; None if there is none or nothing says which it is.

    A multibranch job names its commit. Else the checkouts are narrowed down: by names that only shared libraries have,
    by the branch of a multibranch job, by what the change sets are of, by names that libraries tend to have.
    """
    found = _checkouts(actions, change_sets)
    pinned = _pinned(actions)
    hashes = {text for name, text in pinned if name == "hash"}
    if known := {checkout.revision for checkout in found} & {text for _, text in pinned} or hashes:
        return known.pop() if len(known) == 1 else None
    found = [checkout for checkout in found if not any(map(_is_shared_library, checkout.remotes))]
    kinds = {str(changes.get("kind")) for changes in change_sets if changes.get("kind")}
    commits = {str(item.get(name)) for changes in change_sets for item in dicts(changes.get("items"))
               for name in ("commitId", "id", "revision")}  # fmt: skip
    branch = unquote(job.rpartition("/")[2])
    tests: list[Callable[[_Checkout], bool]] = [
        lambda checkout: branch in checkout.branches,
        lambda checkout: checkout.kind in kinds,
        lambda checkout: checkout.revision in commits,
        lambda checkout: not any(map(_may_be_library, checkout.remotes)),
    ]
    for test in tests:
        if len(_revisions(found)) > 1:
            found = [checkout for checkout in found if test(checkout)] or found
    return found[0].revision if len(_revisions(found)) == 1 else None


def _revisions(checkouts: Sequence[_Checkout]) -> set[str]:
    return {checkout.revision for checkout in checkouts}


def _checkouts(actions: list[JsonObject], change_sets: list[JsonObject]) -> list[_Checkout]:
    found = []
    for action in actions:
        built = json_object(action.get("lastBuiltRevision"))
        if built.get("SHA1"):
            branches = tuple(str(branch.get("name")) for branch in dicts(built.get("branch")))
            found.append(_Checkout(str(built["SHA1"]), "git", _texts(action.get("remoteUrls")), branches))
        if action.get("mercurialNodeName"):
            found.append(_Checkout(str(action["mercurialNodeName"]), "hg"))
    for changes in change_sets:
        found += [
            _Checkout(str(module["revision"]), "svn", (str(module.get("module") or ""),))
            for module in dicts(changes.get("revisions"))
            if module.get("revision") is not None
        ]
    return found


def _pinned(actions: list[JsonObject]) -> list[tuple[str, str]]:
    """(field, hash) of the commits for which a multibranch job started the build: of its branch, or of a pull request
    and of what it is merged with."""
    found = []
    for action in actions:
        revision = json_object(action.get("revision"))
        hashes = {**revision, "pullHash": revision.get("pullHash") or json_object(revision.get("pull")).get("hash")}
        found += [(name, str(hashes[name])) for name in ("hash", "pullHash", "mergeHash") if hashes.get(name)]
    return found


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value if item) if isinstance(value, list) else ()


def _is_shared_library(remote: str) -> bool:
    """Whether a repository's name is one that only shared libraries of pipelines have, such as ci-lib."""
    words = _words(remote)
    about_pipelines = words & _PIPELINE
    return len(about_pipelines) > 1 or bool(about_pipelines and words & _LIBRARY) or any(map(_JOINED.fullmatch, words))


def _may_be_library(remote: str) -> bool:
    return bool(_words(remote) & (_LIBRARY | _PIPELINE))


def _words(remote: str) -> set[str]:
    """The words of a repository's name."""
    path = re.sub(r"(/(trunk|branches|tags)(/.*)?|\.git)?/*$", "", remote)
    return {word.lower() for word in _WORD.findall(re.split(r"[/:]", path)[-1])}
