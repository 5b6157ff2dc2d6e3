"""One state for each release and environment: the same by every route, on the badge and on the screens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from support.store_builder import World

GOOD = {"routing": {"a": "P", "b": "P"}, "firewall": {f"f{number}": "P" for number in range(5)}}
LACKING = {**GOOD, "firewall": None}


def fill(world: World) -> None:
    """7.0 is incomplete on prod and failing on staging; 8.0 is failing and stale; 9.0 is well."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)

    def series(release: str, contents: list, newest: timedelta, environment: str = "prod") -> None:
        last = len(contents) - 1
        world.series(
            (
                (modules, {"started_at": now - newest - timedelta(hours=last - at)})
                for at, modules in enumerate(contents)
            ),
            release=release,
            environment=environment,
        )

    broken = {**GOOD, "routing": {"a": "F", "b": "P"}}
    series("7.0", [GOOD, GOOD, LACKING], timedelta(hours=1))
    series("7.0", [{"routing": {"a": letter}} for letter in "PFF"], timedelta(hours=2), "staging")
    series("8.0", [GOOD, broken, broken], timedelta(days=9))
    series("9.0", [GOOD, GOOD], timedelta(hours=3))


def get(client: FlaskClient, path: str):
    return client.get(f"/api/v1{path}").json


def badge(client: FlaskClient, release: str, environment: str = "prod") -> str:
    svg = client.get(f"/api/v1/badges/{release}.svg?environment={environment}").text
    return re.search("<title>(.*)</title>", svg)[1]


def test_all_routes_have_one_state_and_one_count(world, own_client):
    fill(world)
    tiles = {tile["release"]: tile for tile in get(own_client, "/releases")["items"]}
    assert {name: (tile["environment"], tile["state"]) for name, tile in tiles.items()} == {
        "7.0": ("prod", "incomplete"),
        "8.0": ("prod", "failing"),
        "9.0": ("prod", "ok"),
    }
    assert (tiles["8.0"]["stale"], tiles["8.0"]["regressions"]) == (True, 1)
    assert tiles["8.0"]["reasons"] == ["1 regression.", "No new run for 9 days."]
    for name, tile in tiles.items():
        alone = get(own_client, f"/releases/{name}")
        assert alone | {"freshness_s": 0} == tile | {"freshness_s": 0}
        columns = {column["value"]: column for column in get(own_client, f"/releases/{name}/matrix")["columns"]}
        for lane in tile["lanes"]:
            column = columns[lane["environment"]]
            for key in ("state", "incomplete", "stale", "reasons", "unjudged"):
                assert column[key] == lane[key], (name, lane["environment"], key)
            assert column["tests"] == lane["regressions"] + lane["new_failures"] + lane["always_failing"]
            assert lane["state"] in badge(own_client, name, lane["environment"])
            rows = get(own_client, f"/verdicts?release={name}&environment={lane['environment']}")["items"]
            words = [row["kind"] for row in rows]
            assert (words.count("regression"), words.count("flaky")) == (lane["regressions"], lane["flaky"])
    overall = {column["value"]: column["state"] for column in get(own_client, "/matrix")["columns"]}
    assert overall == {"7.0": "failing", "8.0": "failing", "9.0": "ok"}
    assert badge(own_client, "7.0") == "7.0: incomplete", "two of two passed is not 100 %"
    assert badge(own_client, "9.0") == "9.0: 100.00 % ok"


def test_the_gate_says_why_it_knows_nothing(world, own_client):
    fill(world)
    answer = get(own_client, "/gate?release=7.0&environment=prod")
    assert (answer["state"], answer["run"]["state"]) == ("unknown", "incomplete")
    assert answer["reason"] == "Run #3 is incomplete: 1 of 2 builds has no results."
    assert get(own_client, "/gate?release=9.0")["state"] == "passed"
    assert get(own_client, "/gate?release=8.0")["reason"] == "0 tests broke (limit 0), compared with #8."


def test_runs_modules_changes_and_trends_say_what_is_missing(world, own_client):
    fill(world)
    run = get(own_client, "/runs?release=7.0&environment=prod&limit=1")["items"][0]
    assert (run["state"], run["incomplete"], run["missing"], run["aborted"]) == ("incomplete", True, 1, 0)
    modules = {row["module"]: row for row in get(own_client, f"/runs/{run['id']}/modules")["items"]}
    assert (modules["firewall"]["state"], modules["firewall"]["expected_total"]) == ("missing", 5)
    assert (modules["routing"]["state"], modules["routing"]["incomplete"]) == ("ok", False)
    changes = get(own_client, f"/runs/{run['id']}/changes")
    assert (changes["counts"]["disappeared"], changes["counts"]["not_compared"], changes["delta"]) == (0, 5, None)
    assert changes["lacks"][0]["sentence"] == "#3 lacks firewall: 5 tests cannot be compared."
    (line,) = get(own_client, "/trends?release=7.0&environment=prod")["series"]
    assert [point["incomplete"] for point in line["points"]] == [False, False, True]
    assert {build["health"] for build in get(own_client, f"/builds?run={run['id']}")["items"]} == {"ok"}
