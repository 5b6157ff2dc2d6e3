"""The simulated product's bug tracker: a feed of bugs about the planted faults, as of the simulated clock.

People file a bug once something has failed for some runs, not for everything, and close it when it works again.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

from data.model.json_values import JsonObject
from ingest.simulator import vocabulary
from ingest.simulator.metadata_csv import case_numbers, test_function
from ingest.simulator.planted_faults import PlantedChange
from ingest.simulator.programme import Programme

URL = "https://tracker.example.com/browse/"
PRODUCT, LAB = "NET", "LAB"  # bugs of the product, and of tests and the lab they run in
FILED_AFTER = 2  # runs
FILED = 0.8  # of what is broken


BugFeed = dict[str, list[JsonObject]]  # by group


def bug_feed(programme: Programme) -> BugFeed:
    """Bugs by group; the same for the same seed and time."""
    now, cases = programme.now(), case_numbers(programme)
    together: dict[tuple[Any, ...], list[PlantedChange]] = defaultdict(list)
    for release in programme.releases:
        ended = sum(run.settled <= now for run in release.runs)
        for change in programme.plan.all_changes(release.name, ended):
            if change.kind == "flaky":
                together["flaky", change.module, change.test].append(change)
            elif change.kind == "broken" and ended - change.start >= FILED_AFTER:
                together[change.commit or change.release, change.module, change.family].append(change)
    feed: BugFeed = {PRODUCT: [], LAB: []}
    for key, changes in together.items():
        rng = Random(f"{programme.seed}:bug:{key}")
        number = rng.randrange(1_000, 200_000)  # depends on the fault alone: the same in the next feed
        if rng.random() < FILED:
            group = LAB if key[0] == "flaky" else PRODUCT
            feed[group].append(_bug(programme, rng, f"{group}-{number}", changes, cases))
    # As in real feeds: one bug without any details or test case.
    feed[LAB].append(
        {"defect_id": f"{LAB}-7", "URL": f"{URL}{LAB}-7", "labels": [], "case_id": None, "jira_info": None}
    )
    return feed


def _bug(
    programme: Programme, rng: Random, name: str, changes: list[PlantedChange], cases: dict[tuple[str, str, str], int]
) -> JsonObject:
    tests = [programme.modules[change.module].tests[change.test] for change in changes]
    first, change = tests[0], changes[0]
    works = all(_works(programme, change) for change in changes)
    numbers = sorted({cases[test_function(test)] for test in tests})
    subject = first.name.partition("[")[0].removeprefix("test_").replace("_", " ")
    if change.kind == "flaky":
        summary = f"{subject} fails now and then ({change.rate:.0%} of the runs)"
    elif change.commit:
        version = programme.release(change.commit[0]).runs[change.commit[1]].version
        summary = f"{subject} fails since {version}"
    else:
        summary = f"{subject} has never worked on {change.release}"
    return {
        "defect_id": name,
        "URL": URL + name,
        "labels": [first.owner, "flaky" if change.kind == "flaky" else "regression"],
        # test plans know a case by either id
        "case_id": ", ".join(
            f"C{20000 + number}" if rng.random() < 0.6 else f"TC-{1000 + number}" for number in numbers
        ),
        "jira_info": {
            "status": rng.choice(("Closed", "Resolved")) if works else rng.choice(("Open", "In Progress", "Reopened")),
            "summary": summary,
            "priority": "Low" if change.kind == "flaky" else rng.choice(("Critical", "High", "High", "Medium")),
            "assignee": rng.choice(vocabulary.AUTHORS)[1] + "@example.com",
            "component": first.owner,
            "resolution": "Fixed" if works else None,
            "affected_versions": ", ".join(sorted({change.release for change in changes})),
        },
    }


def _works(programme: Programme, change: PlantedChange) -> bool:
    """Whether what was broken has been seen to work again."""
    runs, now = programme.release(change.release).runs, programme.now()
    return change.stop < len(runs) and runs[change.stop].settled <= now
