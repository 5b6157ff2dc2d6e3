"""Statistics over many runs: flaky tests, rising failure rates, suspects, changed durations."""

from typing import Annotated, Literal, TypedDict

from data.answers.base import RECOMPUTABLE, Count, Id, Rate, Time, Values
from data.answers.evidence import ChangePointEvidence, DurationEvidence, FlakyEvidence, RateEvidence, SuspectsEvidence
from data.answers.verdicts import BuildPointer, RunPointer


class TestReference(TypedDict):
    test: Id
    key: str
    name: str
    module: str
    release: str
    environment: str | None


class Flaky(TestReference):
    """A flaky test, with confidence and cost."""

    score: Annotated[float, "flips to failing per 100 results", Values(minimum=0, maximum=100)]
    flips: Count
    considered: Count
    score_interval_95: list[float]
    onsets: float
    rescued: Annotated[Count, "runs in which it passed on a rerun"]
    disagreed: Annotated[Count, "runs of the same commit with different results"]
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]
    clean_results: Annotated[Count, "since its last flaky result"]
    clean_days: float
    recovered: bool
    disturbed_runs: Count
    time_lost_s: Annotated[float, "failed attempts and reruns in the disturbed runs"]
    last_disturbed: RunPointer
    strip: str
    sentence: str
    evidence: Annotated[FlakyEvidence, RECOMPUTABLE]


class RateOf(TypedDict):
    release: str | None
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]


class RateChange(TypedDict):
    """How a segment began: run numbers, 99 % sure."""

    after: int
    until: int
    most_likely: int


class RateSegment(TypedDict):
    """Runs with one failure rate."""

    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]
    first: RunPointer
    last: RunPointer
    change: Annotated[RateChange | None, "null for the oldest"]


class RateHistory(TypedDict):
    """A test in a release and environment, as segments of one failure rate each."""

    release: str
    environment: str
    segments: Annotated[list[RateSegment], "newest first"]
    sentence: str
    evidence: ChangePointEvidence


class RateClaim(TypedDict):
    claim: Annotated[
        Literal["confirmed", "suspected", "required"] | None,
        ("confirmed: over all tests; suspected: for this test alone; required: nothing to compare with"),
    ]
    p: float | None
    q: float | None
    base: RateOf
    sample: RateOf
    sentence: str


class RisingTest(TestReference):
    """A test that fails more often than before."""

    claim: Literal["confirmed", "suspected", "required"]
    extreme: bool
    opened: Annotated[bool, "it was reported before, and needs less evidence to stay so"]
    p: float | None
    q: float | None
    base: RateOf
    sample: RateOf
    strip: str
    sentence: str
    evidence: Annotated[RateEvidence, RECOMPUTABLE]


class RisingRatesSummary(TypedDict):
    release: str
    base: str
    sample_runs: Count
    base_runs: Count
    compared: Annotated[Count, "tests"]
    confirmed: Count
    suspected: Count
    required: Count
    expected_by_chance: Annotated[float, "suspected tests expected by chance"]


class RisingRates(RisingRatesSummary):
    tests: list[RisingTest]


class RisingTestList(RisingRatesSummary):
    items: list[RisingTest]
    next: str | None
    snapshot: Count


class SuspectCommit(TypedDict):
    revision: str | None
    author: str | None
    message: str | None
    committed_at: Time | None
    url: str | None
    probability: Rate
    build: BuildPointer


class Suspects(TypedDict):
    """The commits that may have broken a test, in one release and environment."""

    release: str
    environment: str | None
    test: Id
    after: Annotated[int, "number of the last run without the culprit"]
    until: Annotated[int, "number of the first run with the culprit"]
    suspects: list[SuspectCommit]
    none: Annotated[Rate, "probability that it is none of them"]
    sentence: str
    evidence: Annotated[SuspectsEvidence, RECOMPUTABLE]


class ChangedDuration(TypedDict):
    module: str
    release: str
    environment: str | None
    slower: bool
    before_s: Annotated[float, "median"]
    after_s: float
    factor: float
    p: float
    run: Annotated[RunPointer, "first run at the new level"]
    sentence: str
    evidence: Annotated[DurationEvidence, RECOMPUTABLE]


class ChangedTest(ChangedDuration):
    test: Id
    key: str
    name: str
    topology: str
