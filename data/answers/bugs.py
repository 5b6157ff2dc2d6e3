"""Bugs of the tracker, and the status of the tests they affect."""

from typing import Annotated, Literal, TypedDict

from data.answers.base import Count, Id, Status, Time, Values, VerdictKind

BugState = Literal["open", "closed", "gone"]


class Bug(TypedDict):
    bug: Annotated[str, "id in the tracker", Values(example="PROJ-123")]
    type: Annotated[str, "group of the feed", Values(example="PROJ")]
    url: Annotated[str, "URL in the tracker", Values(example="https://tracker.example.com/browse/PROJ-123")]
    status: Annotated[str | None, "as in the tracker", Values(example="In Progress")]
    summary: Annotated[str | None, Values(example="links stay down after a flap")]
    priority: Annotated[str | None, "as in the tracker", Values(example="High")]
    assignee: Annotated[str | None, Values(example="dana")]
    component: str | None
    resolution: Annotated[str | None, Values(example="Fixed")]
    versions: Annotated[str | None, "affected versions, separated by commas", Values(example="7.0, 8.0")]
    state: Annotated[BugState, "gone: no longer in the feed", Values(example="open")]
    labels: Annotated[list[str], Values(example=["links"])]
    first_seen: Time | None
    updated_at: Annotated[Time | None, "when the feed last changed it"]


class ListedBug(Bug):
    tests: Annotated[Count, "affected tests"]
    failing: Annotated[Count, "affected tests whose last result failed, in any environment"]
    modules: Annotated[list[str], "owning modules of the tests"]


class AffectedLane(TypedDict):
    release: str
    environment: str
    status: Status
    run: Id
    number: int
    started_at: Time
    kinds: Annotated[list[VerdictKind], "current verdict kinds"]
    sentence: Annotated[str | None, "reason of the verdict"]


class AffectedTest(TypedDict):
    test: Id
    key: Annotated[str, "file::class::name"]
    name: str
    module: str
    case_ids: Annotated[list[str], "case ids by which the bug names it", Values(example=["C1204"])]
    status: Annotated[Status | None, "worst status of its lanes; null if it did not run recently"]
    lanes: Annotated[list[AffectedLane], "newest result in each release and environment"]


class AmbiguousCase(TypedDict):
    case_id: Annotated[str, Values(example="C1204")]
    name: Annotated[str, "name that several tests have, without parameters", Values(example="test_flap")]
    tests: Annotated[Count, "tests of that name"]


class BugDetail(ListedBug):
    case_ids: Annotated[list[str], "case ids that it names", Values(example=["C1204"])]
    unmatched: Annotated[list[str], "case ids without a known test", Values(example=[])]
    ambiguous: Annotated[
        list[AmbiguousCase],
        "case ids that are about no test: give file and class in the metadata or the feed",
        Values(example=[]),
    ]
    affected: list[AffectedTest]


class ModuleBugs(TypedDict):
    module: str
    bugs: Count
    open: Annotated[Count, "open bugs"]
    tests: Annotated[Count, "failed or skipped tests with a bug"]
    types: Annotated[dict[str, int], "bugs by type", Values(example={"PROJ": 2})]


class StateCounts(TypedDict):
    """Bugs by state."""

    open: Count
    closed: Count
    gone: Count
