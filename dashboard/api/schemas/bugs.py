"""Bugs of the tracker: which tests they are about, and how these fare."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Schema, Status, Time, VerdictKind


class Bug(Schema):
    bug: str = Field(description="its id in the tracker", examples=["PROJ-123"])
    type: str = Field(description="the group of the feed that it stands in", examples=["PROJ"])
    url: str = Field(description="in the tracker", examples=["https://tracker.example.com/browse/PROJ-123"])
    status: str | None = Field(description="the tracker's word", examples=["In Progress"])
    summary: str | None = Field(examples=["links stay down after a flap"])
    priority: str | None = Field(description="the tracker's word", examples=["High"])
    assignee: str | None = Field(examples=["dana"])
    component: str | None
    resolution: str | None = Field(examples=["Fixed"])
    versions: str | None = Field(description="affected ones, separated by commas", examples=["7.0, 8.0"])
    state: Literal["open", "closed", "gone"] = Field(description="gone: no longer in the feed", examples=["open"])
    labels: list[str] = Field(examples=[["links"]])
    first_seen: Time | None
    updated_at: Time | None = Field(description="when the feed told something new of it last")


class ListedBug(Bug):
    tests: Count = Field(description="that it is about")
    failing: Count = Field(description="of these, how many failed when they ran last, in any environment")
    modules: list[str] = Field(description="that own the tests")


class AffectedLane(Schema):
    release: str
    environment: str
    status: Status
    run: Id
    number: int
    started_at: Time
    kinds: list[VerdictKind] = Field(description="its words today")
    sentence: str | None = Field(description="what they follow from")


class AffectedTest(Schema):
    test: Id
    key: str = Field(description="file::class::name")
    name: str
    module: str
    case_ids: list[str] = Field(description="by which the bug names it", examples=[["C1204"]])
    status: Status | None = Field(description="the worst of its lanes; null where it did not run lately")
    lanes: list[AffectedLane] = Field(description="its newest result in each release and environment")


class BugDetail(ListedBug):
    case_ids: list[str] = Field(description="that it names", examples=[["C1204"]])
    unmatched: list[str] = Field(description="of these, the ones that no known test has", examples=[[]])
    affected: list[AffectedTest]


class ModuleBugs(Schema):
    module: str
    bugs: Count
    open: Count = Field(description="of these, how many are open")
    tests: Count = Field(description="failed or skipped tests that have a bug")
    types: dict[str, int] = Field(description="bugs by type", examples=[{"PROJ": 2}])
