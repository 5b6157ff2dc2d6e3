"""Statistics over many runs: flaky tests, rising failure rates, suspects, changed durations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Rate, Schema, Time
from dashboard.api.schemas.verdicts import BuildPointer, RunPointer


class WithEvidence(Schema):
    sentence: str
    evidence: dict[str, Any] = Field(description="the numbers from which this can be recomputed")


class TestReference(Schema):
    test: Id
    key: str
    name: str
    module: str
    release: str
    environment: str | None


class Flaky(TestReference, WithEvidence):
    """A flaky test, with confidence and cost."""

    score: float = Field(ge=0, le=100, description="flips to failing per 100 results")
    flips: Count
    considered: Count
    score_interval_95: list[float]
    onsets: float
    rescued: Count = Field(description="runs in which it passed on a rerun")
    disagreed: Count = Field(description="runs of the same commit with different results")
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]
    clean_results: Count = Field(description="since its last flaky result")
    clean_days: float
    recovered: bool
    disturbed_runs: Count
    time_lost_s: float = Field(description="failed attempts and reruns in the disturbed runs")
    last_disturbed: RunPointer
    strip: str


class RateOf(Schema):
    release: str | None
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]


class RateClaim(Schema):
    claim: Literal["confirmed", "suspected", "required"] | None = Field(
        description="confirmed: over all tests; suspected: for this test alone; required: nothing to compare with"
    )
    p: float | None
    q: float | None
    base: RateOf
    sample: RateOf
    sentence: str


class RisingTest(TestReference, WithEvidence):
    """A test that fails more often than before."""

    claim: Literal["confirmed", "suspected", "required"]
    extreme: bool
    opened: bool = Field(description="it was reported before, and needs less evidence to stay so")
    p: float | None
    q: float | None
    base: RateOf
    sample: RateOf
    strip: str


class RisingRatesSummary(Schema):
    release: str
    base: str
    sample_runs: Count
    base_runs: Count
    compared: Count = Field(description="tests")
    confirmed: Count
    suspected: Count
    required: Count
    expected_by_chance: float = Field(description="suspected tests expected by chance")


class RisingRates(RisingRatesSummary):
    tests: list[RisingTest]


class RisingTestList(RisingRatesSummary):
    items: list[RisingTest]
    next: str | None
    snapshot: Count


class SuspectCommit(Schema):
    revision: str | None
    author: str | None
    message: str | None
    committed_at: Time | None
    url: str | None
    probability: Rate
    build: BuildPointer


class Suspects(WithEvidence):
    """The commits that may have broken a test, in one release and environment."""

    release: str
    environment: str | None
    test: Id
    after: int = Field(description="number of the last run without the culprit")
    until: int = Field(description="number of the first run with the culprit")
    suspects: list[SuspectCommit]
    none: Rate = Field(description="probability that it is none of them")


class ChangedDuration(WithEvidence):
    module: str
    release: str
    environment: str | None
    slower: bool
    before_s: float = Field(description="median")
    after_s: float
    factor: float
    p: float
    run: RunPointer = Field(description="first run at the new level")


class ChangedTest(ChangedDuration):
    test: Id
    key: str
    name: str
    topology: str
