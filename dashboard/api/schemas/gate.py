"""The answer of the gate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Schema, Status, VerdictKind
from dashboard.api.schemas.runs import Run
from dashboard.api.schemas.verdicts import Host, Storm


class GateCounts(Schema):
    regression: Count
    new_failure: Count
    still_failing: Count


class GateTest(Schema):
    test: Id
    key: str
    name: str
    module: str
    class_: Literal["regression", "new_failure", "still_failing"] = Field(alias="class")
    before: Status | None
    kinds: list[VerdictKind] = Field(description="current verdict kinds of the test")
    sentence: str
    evidence: dict[str, Any]


class GateLeftOut(Schema):
    failures: Count = Field(description="failures of the run in mass failures or on bad hosts")
    noisy: Count = Field(description="failing tests that exclude_flaky left out")
    storms: list[Storm]
    hosts: list[Host]


class Gate(Schema):
    state: Literal["passed", "closed", "unknown"]
    reason: str
    pending: bool = Field(description="the state is unknown but may change: ask again later")
    run: Run | None
    baseline: Run | None
    new: Count = Field(description="number of failing tests that count")
    max_new: Count
    counts: GateCounts
    tests: list[GateTest]
    left_out: GateLeftOut
