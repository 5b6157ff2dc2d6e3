"""Verdicts of whole stores against a slow, literal reading of the rules: any mix of skips, reruns, topologies,
environments, commits and absent builds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.store_builder import World, cases

from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries import grid, runs
from data.verdicts import verdicts
from data.verdicts.rules import classify

pytestmark = [pytest.mark.slow, pytest.mark.usual_plans]

numbers = count()
TESTS = [f"t{number}" for number in range(8)]
ATTEMPTS = ["", "", "P", "P", "P", "P", "F", "F", "FP", "FF", "FFP", "S"]  # what may happen on one topology


def one_run(rng: random.Random) -> dict[str, dict[str, str]]:
    """topology -> test -> the letters of its attempts."""
    return {topology: {test: rng.choice(ATTEMPTS) for test in TESTS} for topology in ("3s", "5s")}


def status(attempts: list[str]) -> tuple[str, bool]:
    """(P F K S or - where it did not run, whether it both failed and passed in this run) by what happened anywhere."""
    final = [letters[-1] for letters in attempts if letters]
    rescued = any(letters[-1] == "P" and len(letters) > 1 for letters in attempts if letters)
    if not final:
        return "-", False
    if "F" in final:
        return "F", rescued
    if rescued:
        return "K", True
    return ("P" if "P" in final else "S"), False


def expected(history: list[tuple[str, dict[str, dict[str, str]]]], test: str) -> set[str]:
    """The words of a test after runs of (commit, what happened), oldest first."""
    ran = []
    for commit, run in history:
        letter, rescued = status([run[topology][test] for topology in run])
        if letter in "PFK":
            ran.append((commit, letter, rescued))
    disagreed = []
    for commit, _, rescued in ran:
        outcomes = {("F" if other == "F" else "P") for at, other, _ in ran if at == commit}
        disagreed.append(rescued or len(outcomes) == 2)
    return set(classify("".join(letter for _, letter, _ in ran), disagreed=tuple(disagreed)))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[Store]:
    """Each example has a release of its own."""
    store = World.at(tmp_path_factory.mktemp("oracle")).store
    yield store
    store.close()


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.integers(1, 14))
def test_every_word_of_a_store_is_that_of_the_literal_rules(store, seed, length):
    rng = random.Random(seed)
    world, release = World(store), f"9.{next(numbers)}"
    lanes: dict[str, list] = {"prod": [], "staging": []}
    programme = []
    for number in range(length):
        environment = rng.choice(["prod", "prod", "staging"])
        commit = f"c{number // rng.choice([1, 1, 2])}"
        run = one_run(rng)
        has_builds = rng.random() < 0.9
        tables = [
            cases("m", {test: letters for test, letters in of.items() if letters}, topology=topology)
            for topology, of in run.items()
        ]
        content = pa.concat_tables(tables) if has_builds else None
        programme.append(({"m": content}, {"environment": environment, "revision": commit}))
        lanes[environment].append((commit, run if has_builds else {}))
    world.series(programme, release=release)
    found = {
        (row["environment"], row["name"]): set(row["kinds"])
        for row in verdicts.verdicts(world.store, Filter(release=release, include_storms=True))
    }
    drawn = grid.grid(world.store, Filter(release=release))
    for environment, history in lanes.items():
        for test in TESTS:
            assert found.get((environment, test), set()) == expected(history, test), (environment, test)
    by_run = [run for _, run in _newest_first(drawn, lanes)]
    shown = {test["name"]: cells for test, cells in zip(drawn["tests"], drawn["cells"], strict=True)}
    for test in shown:
        assert shown[test] == "".join(status([run[topology][test] for topology in run])[0] for run in by_run)


def _newest_first(drawn, lanes) -> list:
    """What happened in each column of a grid."""
    left = {environment: list(history) for environment, history in lanes.items()}
    return [left[run["environment"]].pop() for run in drawn["runs"]]


def test_runs_are_numbered_as_the_oracle_expects(tmp_path):
    world = World.at(tmp_path)
    programme = [world.run({"m": {"a": "P"}}) for _ in range(3)]
    assert [run["id"] for run in runs.runs(world.store, Filter())] == [ids.text(run.id) for run in reversed(programme)]
