"""The evidence of verdicts: the numbers from which a verdict and its sentence can be computed again.

`rule` names what follows from it (`data/verdicts/evidence/judging.py`). Statuses are letters, oldest run first: P
passed, F failed, K passed after a failed attempt.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from data.answers.base import Count, Id, Rate, Time, VerdictKind

ExclusionReason = Literal["storm", "host", "aborted", "running"]
ComparisonClass = Literal[
    "regression", "new_failure", "still_failing", "fixed", "new_pass", "appeared", "disappeared", "not_compared"
]
Claimed = Literal["confirmed", "suspected", "required"]


class FailureRate(TypedDict):
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]


class RunHistory(TypedDict):
    """The runs in which a test ran, oldest first."""

    statuses: str
    runs: list[Id]
    numbers: list[int]


class ExcludedRun(TypedDict):
    run: Id
    number: int
    why: ExclusionReason


class Stretch(TypedDict):
    """The failures at the end of a history."""

    runs: Count
    since: Annotated[int, "number of the first of these runs"]
    passed: Annotated[int | None, "number of the run before"]


class ChangePointEvidence(RunHistory):
    rule: Literal["change_point"]
    threshold: float


class StatusEvidence(RunHistory):
    """What decides the verdict kinds of a test."""

    rule: Literal["words"]
    disagreed: Annotated[list[int], "indices of the results that disagree within their run, or on its commit"]
    rescued: Annotated[list[int], "those of them in which a rerun passed and another topology failed"]
    window: Count
    newest: Annotated[int, "number of the newest run of the test's module"]
    excluded: Annotated[list[ExcludedRun], "runs whose failures do not count"]
    stretch: NotRequired[Stretch]
    change_point: NotRequired[ChangePointEvidence]


class VerdictEvidence(StatusEvidence, FailureRate):
    pass


class SuspectsFacts(TypedDict):
    """What the probability of each commit follows from."""

    statuses: str
    first: Annotated[int, "index of the first run of the last good segment"]
    included: Annotated[list[int | None], "how many of the commits each run has"]
    commits: Annotated[list[str | None], "revisions, oldest first"]
    weights: Annotated[list[float], "prior weight of each commit"]


class SuspectsEvidence(SuspectsFacts):
    rule: Literal["suspects"]
    runs: list[Id]
    numbers: list[int]
    after: Annotated[int, "index of the last run that is certainly good"]
    until: Annotated[int, "index of the first run that is certainly broken"]


class FlakyEvidence(RunHistory):
    rule: Literal["flaky"]
    disagreed: list[int]
    rescued: list[int]
    days_ago: list[float]


class RateSide(TypedDict):
    release: str | None
    failed: Count
    of: Count


class RateEvidence(TypedDict):
    rule: Literal["fisher"]
    base: RateSide
    sample: RateSide
    opened: Annotated[bool, "it was reported before"]
    cut: Annotated[float | None, "the largest p that is confirmed"]
    cut_open: Annotated[float | None, "the largest p that keeps an open regression open"]


class ComparedSide(TypedDict):
    """A test on one side of a comparison: its final results, and where its worst one is."""

    of: str
    passed: Count
    failed: Count
    skipped: Count
    build: NotRequired[Id]
    topology: NotRequired[str]
    signature: NotRequired[Id | None]
    lacking: NotRequired[Annotated[bool, "this side lacks results of the test's build"]]


class ComparisonEvidence(TypedDict):
    rule: Literal["class"]
    base: ComparedSide
    candidate: ComparedSide
    kinds: Annotated[list[VerdictKind], "current verdict kinds"]


class KindCounts(TypedDict):
    """Tests by their worst verdict kind."""

    regression: Count
    new_failure: Count
    always_failing: Count
    flaky: Count
    fixed: Count


class CellFacts(TypedDict):
    """What the state of a cell is judged on."""

    total: Count
    passed: Count
    failed: Count
    errors: Count
    skipped: Count
    stormy: Annotated[Count, "results in mass failures"]
    stormy_failures: Count
    expected: Annotated[bool, "the module was tested here in an earlier run"]
    ended: Annotated[bool, "a build that usually tests it ended without a result"]
    lacking: Annotated[bool, "a build that usually tests it is missing or was aborted"]
    unread: Annotated[Count, "builds that wait to be read before it is judged"]
    expected_total: int | None
    words: KindCounts
    so_far: Annotated[Count, "broken tests whose newest failure is in a run that goes on"]
    running_numbers: Annotated[list[int], "the numbers of those runs"]
    unjudged: Count
    sick: Annotated[Count, "tests that fail on bad hosts only"]


class CellEvidence(CellFacts):
    rule: Literal["cell"]
    module: str
    column: str | None
    numbers: list[int]


class DurationEvidence(TypedDict):
    rule: Literal["duration"]
    of: Literal["results", "module"]
    seconds: list[float]
    runs: list[Id]
    numbers: list[int]


class PatternEvidence(TypedDict):
    rule: Literal["pattern"]
    count: Count
    tests: Count
    builds: Count
    modules: list[str]
    hosts: list[str]
    first_seen: Time
    last_seen: Time | None
    since: Annotated[Time | None, "it is new if it was not seen before"]


class StormEvidence(TypedDict):
    rule: Literal["storm"]
    total: Count
    failed: Count
    top: Annotated[Count, "failures with the most frequent message"]
    stretch: Annotated[Count, "builds in a row in which most tests failed"]
    number: int
    column: Annotated[str, "the module, or the job's name"]
    message: str | None


class HostEvidence(TypedDict):
    rule: Literal["host"]
    host: str
    hosts: Annotated[dict[str, list[float]], "by host: results, failures, expected failures"]
    left_out: Annotated[int, "number of the run that is left out, as the one with most of its failures"]
    runs: Count


class HostFinding(FailureRate):
    """What follows from the counts of all hosts; `sick`: it fails more often than others."""

    sick: bool
    expected: float
    ratio: float | None
    p: float | None
    q: float | None


class RunFacts(TypedDict):
    """What a run lacks."""

    number: int
    missing: Count
    aborted: Count
    partial: Annotated[Count, "builds that lack a part of their results"]
    first_partial: Annotated[str | None, "the first build that lacks results for a known reason, and the reason"]
    result: str | None
    builds: Count
    incomplete: bool


class LaneFacts(TypedDict):
    """What the state of a release in an environment is judged on, but for the clock."""

    run: Annotated[RunFacts | None, "its newest finished run"]
    running: Annotated[bool, "a run goes on"]
    words: KindCounts
    so_far: Annotated[Count, "broken tests whose newest failure is in a run that goes on"]
    running_numbers: Annotated[list[int], "the numbers of those runs"]
    unjudged: Count
    failing: Annotated[bool, "a module is failing"]
    usable: Annotated[bool, "a module has usable results"]
    unusable: Annotated[list[str], "modules without usable results"]
    unread: Annotated[str | None, "why it is not judged: its history is still being read"]


class LaneEvidence(LaneFacts):
    age_s: Annotated[float, "age of its newest run"]
    stale_hours: float


Evidence = (
    VerdictEvidence
    | ChangePointEvidence
    | SuspectsEvidence
    | FlakyEvidence
    | RateEvidence
    | ComparisonEvidence
    | CellEvidence
    | DurationEvidence
    | PatternEvidence
    | StormEvidence
    | HostEvidence
)
