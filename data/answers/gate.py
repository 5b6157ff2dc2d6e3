"""The answer of the gate."""

from typing import Annotated, Literal, TypedDict

from data.answers.base import Count, Id, Status, VerdictKind
from data.answers.evidence import ComparisonEvidence
from data.answers.runs import Run
from data.answers.verdicts import Host, Storm


class GateCounts(TypedDict):
    regression: Count
    new_failure: Count
    still_failing: Count


GateState = Literal["passed", "closed", "unknown"]
FailingClass = Literal["regression", "new_failure", "still_failing"]
GateTest = TypedDict(
    "GateTest",
    {
        "test": Id,
        "key": str,
        "name": str,
        "module": str,
        "class": FailingClass,
        "before": Status | None,
        "kinds": Annotated[list[VerdictKind], "current verdict kinds of the test"],
        "sentence": str,
        "evidence": ComparisonEvidence,
    },
)


class GateLeftOut(TypedDict):
    failures: Annotated[Count, "failures of the run in mass failures or on bad hosts"]
    noisy: Annotated[Count, "failing tests that exclude_flaky left out"]
    storms: list[Storm]
    hosts: list[Host]


class Gate(TypedDict):
    state: GateState
    reason: str
    pending: Annotated[bool, "the state is unknown but may change: ask again later"]
    run: Run | None
    baseline: Run | None
    new: Annotated[Count, "number of failing tests that count"]
    max_new: Count
    counts: GateCounts
    tests: list[GateTest]
    left_out: GateLeftOut
