"""Bugs of the tracker, and the status of the tests they affect."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Schema, Status, Time, VerdictKind


class Bug(Schema):
    bug: str = Field(description="id in the tracker", examples=["PROJ-123"])
    type: str = Field(description="group of the feed", examples=["PROJ"])
    url: str = Field(description="URL in the tracker", examples=["https://tracker.example.com/browse/PROJ-123"])
    status: str | None = Field(description="as in the tracker", examples=["In Progress"])
    summary: str | None = Field(examples=["links stay down after a flap"])
    priority: str | None = Field(description="as in the tracker", examples=["High"])
    assignee: str | None = Field(examples=["dana"])
    component: str | None
    resolution: str | None = Field(examples=["Fixed"])
    versions: str | None = Field(description="affected versions, separated by commas", examples=["7.0, 8.0"])
    state: Literal["open", "closed", "gone"] = Field(description="gone: no longer in the feed", examples=["open"])
    labels: list[str] = Field(examples=[["links"]])
    first_seen: Time | None
    updated_at: Time | None = Field(description="when the feed last changed it")


class ListedBug(Bug):
    tests: Count = Field(description="affected tests")
    failing: Count = Field(description="affected tests whose last result failed, in any environment")
    modules: list[str] = Field(description="owning modules of the tests")


class AffectedLane(Schema):
    release: str
    environment: str
    status: Status
    run: Id
    number: int
    started_at: Time
    kinds: list[VerdictKind] = Field(description="current verdict kinds")
    sentence: str | None = Field(description="reason of the verdict")


class AffectedTest(Schema):
    test: Id
    key: str = Field(description="file::class::name")
    name: str
    module: str
    case_ids: list[str] = Field(description="case ids by which the bug names it", examples=[["C1204"]])
    status: Status | None = Field(description="worst status of its lanes; null if it did not run recently")
    lanes: list[AffectedLane] = Field(description="newest result in each release and environment")


class AmbiguousCase(Schema):
    case_id: str = Field(examples=["C1204"])
    name: str = Field(description="name that several tests have, without parameters", examples=["test_flap"])
    tests: Count = Field(description="tests of that name")


class BugDetail(ListedBug):
    case_ids: list[str] = Field(description="case ids that it names", examples=[["C1204"]])
    unmatched: list[str] = Field(description="case ids without a known test", examples=[[]])
    ambiguous: list[AmbiguousCase] = Field(
        description="case ids that are about no test: give file and class in the metadata or the feed", examples=[[]]
    )
    affected: list[AffectedTest]


class ModuleBugs(Schema):
    module: str
    bugs: Count
    open: Count = Field(description="open bugs")
    tests: Count = Field(description="failed or skipped tests with a bug")
    types: dict[str, int] = Field(description="bugs by type", examples=[{"PROJ": 2}])
