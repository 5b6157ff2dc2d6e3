"""The commit that a build tested, where Jenkins names several."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.jenkins.build_details import read_build_detail

APP, LIBRARY, OTHER = "a" * 40, "b" * 40, "c" * 40


def git(revision: str, *remotes: str, branch: str = "refs/remotes/origin/main") -> dict[str, Any]:
    return {
        "_class": "hudson.plugins.git.util.BuildData",
        "lastBuiltRevision": {"SHA1": revision, "branch": [{"SHA1": revision, "name": branch}]},
        "remoteUrls": list(remotes),
    }


def pinned(**revision: Any) -> dict[str, Any]:
    return {"_class": "jenkins.scm.api.SCMRevisionAction", "revision": revision}


def changes(kind: str, *commits: str, **more: Any) -> dict[str, Any]:
    name = "revision" if kind == "svn" else "commitId"
    return {"kind": kind, "items": [{name: commit, "msg": "m"} for commit in commits]} | more


def revision(*actions: dict[str, Any], job: str = "qa/shop", sets: tuple[dict[str, Any], ...] = ()) -> str | None:
    found = {
        read_build_detail(job, 1, {"actions": [{}, *order], **answer}).revision
        for order in (actions, actions[::-1])
        for answer in ({"changeSets": list(sets)}, {"changeSets": list(reversed(sets))})
    }
    assert len(found) == 1, "the order in which Jenkins lists checkouts means nothing"
    return found.pop()


@pytest.mark.parametrize(
    ("app", "library"),
    [
        ("https://git.example.com/shop.git", "https://git.example.com/ci-lib.git"),
        ("git@example.com:team/shop.git", "git@example.com:platform/jenkins-shared-library.git"),
        ("ssh://git@example.com:7999/t/shop", "ssh://git@example.com:7999/t/jenkinsSharedLib"),
        ("https://example.com/shop/", "https://example.com/pipeline-steps"),
        ("https://example.com/mathlib.git", "https://example.com/sharedlibs.git"),
        ("https://example.com/image-lib.git", "https://example.com/ci-lib.git"),
    ],
)
def test_the_checkout_of_a_shared_library_is_not_the_jobs_own(app: str, library: str) -> None:
    assert revision(git(APP, app), git(LIBRARY, library)) == APP


def test_a_library_alone_is_no_revision_of_the_job() -> None:
    assert revision(git(LIBRARY, "https://example.com/jenkins-pipeline-library.git")) is None


def test_one_checkout_is_the_jobs_own_whatever_its_name() -> None:
    assert revision(git(APP, "https://example.com/imagelib.git")) == APP
    assert revision(git(APP, "https://example.com/image-lib.git")) == APP
    assert revision(git(APP)) == APP


def test_the_same_commit_checked_out_twice_is_one() -> None:
    assert revision(git(APP, "https://x/shop"), git(APP, "https://mirror/shop")) == APP


def test_two_repositories_that_nothing_tells_apart_are_no_revision() -> None:
    assert revision(git(APP, "https://x/shop"), git(OTHER, "https://x/shop-tests")) is None
    assert revision(git(APP), git(OTHER)) is None


def test_the_change_sets_tell_repositories_apart() -> None:
    two = git(APP, "https://x/shop"), git(OTHER, "https://x/steps")
    assert revision(*two, sets=(changes("git", "d" * 40, APP),)) == APP
    assert revision(*two, sets=(changes("git", APP), changes("git", OTHER))) is None


def test_a_library_in_the_change_sets_is_still_a_library() -> None:
    two = git(APP, "https://x/shop"), git(LIBRARY, "https://x/ci-lib")
    assert revision(*two, sets=(changes("git", LIBRARY),)) == APP


def test_a_multibranch_job_names_its_commit() -> None:
    two = git(APP, "https://x/one"), git(OTHER, "https://x/two")
    assert revision(*two, pinned(head={}, hash=APP), job="shop/main") == APP
    assert revision(git(LIBRARY, "https://x/ci-lib"), pinned(hash=APP), job="shop/main") == APP
    assert revision(pinned(hash=APP), job="shop/main") == APP


def test_a_multibranch_job_whose_commit_is_not_exported_has_it_on_its_branch() -> None:
    two = git(APP, "https://x/one", branch="PR-2"), git(OTHER, "https://x/two", branch="main")
    assert revision(*two, {"_class": "jenkins.scm.api.SCMRevisionAction"}, job="shop/PR-2") == APP
    two = git(APP, "https://x/one", branch="feature/x"), git(OTHER, "https://x/two", branch="main")
    assert revision(*two, job="shop/feature%2Fx") == APP


def test_a_pull_request_is_at_its_head_or_at_the_merge_that_was_built() -> None:
    library = git(LIBRARY, "https://x/one", branch="main")
    head = git(APP, "https://x/two", branch="PR-2")
    assert revision(library, head, pinned(pullHash=APP, baseHash=OTHER), job="shop/PR-2") == APP
    assert revision(library, head, pinned(pull={"hash": APP}), job="shop/PR-2") == APP
    assert revision(library, head, pinned(pullHash="d" * 40, baseHash=OTHER), job="shop/PR-2") == APP
    assert revision(pinned(pullHash=APP, baseHash=OTHER), job="shop/PR-2") is None


def test_subversion_and_mercurial_have_revisions_too() -> None:
    library = git(LIBRARY, "https://x/steps")
    trunk = {"module": "https://svn.example.com/shop/trunk", "revision": 120}
    assert revision(sets=(changes("svn", "119", revisions=[trunk]),)) == "120"
    assert revision(library, sets=(changes("svn", revisions=[trunk]),)) == "120"
    externals = [trunk, {"module": "https://svn.example.com/other/trunk", "revision": 7}]
    assert revision(sets=(changes("svn", revisions=externals),)) is None
    node = {"_class": "hudson.plugins.mercurial.MercurialTagAction", "mercurialNodeName": APP, "subdir": None}
    assert revision(node) == APP
    assert revision(node, git(LIBRARY, "https://x/jenkins-lib")) == APP
    assert revision(node, library, sets=(changes("hg"),)) == APP


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [None], {"a": 1}])
def test_odd_values_are_read_as_absent(odd: Any) -> None:
    action = {"lastBuiltRevision": odd, "remoteUrls": odd, "revision": odd}
    detail = read_build_detail("j", 1, {"actions": [action, git(APP, "https://x/shop")], "changeSet": odd})
    assert detail.revision == APP
