"""Every verdict of the API can be computed again from the evidence in its JSON alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from support import regression_scenario
from support.store_builder import World

from data.verdicts.evidence import judging as evidence

ROUTES = (
    "/verdicts?release=7.0&limit=500",
    "/verdicts?release=7.0&include_storms=1&limit=500",
    "/verdicts/excluded?release=7.0",
    "/failures?release=7.0",
    "/storms?release=7.0",
    "/hosts?release=7.0",
    "/flaky?release=7.0&limit=500",
    "/regressions?release=7.0",
    "/regressions?release=7.0&base=6.0",
    "/durations/tests?release=7.0",
    "/durations/modules?release=7.0",
    "/compare?base=6.0&candidate=7.0",
    "/compare?base={older}&candidate={newest}",
    "/runs/{newest}/changes",
    "/releases/7.0/matrix",
    "/failures/{signature}?release=7.0",
    "/tests/{test}/suspects?release=7.0",
)


@pytest.fixture(scope="module")
def client(serve, tmp_path_factory):
    world = World.at(tmp_path_factory.mktemp("trouble") / "home")
    regression_scenario.fill(world)
    return serve(world.store.settings.home).test_client()


def get(client, path: str) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, (path, answer.text)
    return answer.json


def with_evidence(value: Any) -> Iterator[dict[str, Any]]:
    """Every object with a sentence and evidence, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("evidence"), dict) and "rule" in value["evidence"]:
            yield value
        value = [part for name, part in value.items() if name != "evidence"]
    if isinstance(value, list):
        for part in value:
            yield from with_evidence(part)


def test_every_answer_follows_from_the_evidence_beside_it(client):
    newest = get(client, "/runs?release=7.0&limit=16")["items"]
    failing = next(row for row in get(client, "/verdicts?release=7.0")["items"] if row["range_99"])
    names = {
        "newest": newest[0]["id"],
        "older": newest[-1]["id"],
        "signature": get(client, "/failures?release=7.0")["items"][0]["signature"],
        "test": failing["test"],
    }
    rules = set()
    for route in ROUTES:
        rows = list(with_evidence(get(client, route.format(**names))))
        assert rows or route.startswith("/durations/modules"), route
        for row in rows:
            rule = row["evidence"]["rule"]
            rules.add(rule)
            again = evidence.judge(row["evidence"])
            shown = {name: value for name, value in again.items() if name in row}
            assert shown or rule == "class", (route, rule)
            assert {name: row[name] for name in shown} == orjson.loads(orjson.dumps(shown)), route
            assert row["sentence"] == evidence.sentence(row["evidence"]), route
    assert rules >= set(evidence.RULES) - {"change_point"}
