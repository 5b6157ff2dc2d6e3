"""A programme with every kind of trouble in it: what the judgement is tested on."""

from __future__ import annotations

import random

import pyarrow as pa

from support.store_builder import World, cases

RUNS = 40  # numbered 1 to 40
HOSTS = [f"10.0.0.{number}" for number in range(1, 7)]
BAD_HOST = HOSTS[2]
STORM_RUN, BREAKS, DRIFTS, PARTIAL = 25, 31, 21, 29


def _routing(rng: random.Random, run: int) -> pa.Table:
    """Single tests: one breaks for good, one fails now and then, one is rescued at times, one fails more often since
    run PARTIAL, one takes longer since run DRIFTS."""
    letters = {f"steady_{number}": "P" for number in range(20)}
    letters["breaks"] = "F" if run >= BREAKS else "P"
    letters["newly"] = "F" if run == RUNS else "P"
    letters["mended"] = "F" if 30 <= run < RUNS else "P"
    letters["hopeless"] = "F"
    letters["flaps"] = "F" if run % 4 == 1 else "P"
    letters["rescued"] = "FP" if run % 5 == 2 else "P"
    letters["worse"] = "F" if run >= PARTIAL and run % 2 else "P"
    letters["slows"] = "P"
    if run == RUNS:
        letters["late"] = "P"
    seconds = dict.fromkeys(letters, 1.5) | {"slows": (3 if run >= DRIFTS else 1) * rng.uniform(0.95, 1.05)}
    return cases("routing", letters, topology="3s", seconds=seconds)


def _nvs(run: int) -> pa.Table:
    """A mass failure: nothing worked in run STORM_RUN."""
    storm = run == STORM_RUN
    return cases(
        "nvs",
        {f"stored_{number}": "F" if storm else "P" for number in range(16)},
        message="LabUnreachable: lab controller 10.9.0.2 refused the connection",
    )


def _ha(rng: random.Random, run: int) -> pa.Table:
    """Tests that move between the hosts; on one of those a third fails."""
    host = {f"moves_{number}": HOSTS[(number + run) % len(HOSTS)] for number in range(60)}
    letters = {name: "F" if at == BAD_HOST and rng.random() < 0.33 else "P" for name, at in host.items()}
    return cases("ha", letters, host=host, message="SSHException: no banner from {name}")


def fill(world: World) -> None:
    """Release 7.0 with RUNS runs of three modules, and a short 6.0 before which nothing is known."""
    rng = random.Random(5)
    world.series([{"routing": _routing(rng, run), "nvs": _nvs(run), "ha": _ha(rng, run)} for run in range(1, RUNS + 1)])
    world.series(
        [{"routing": {"steady_0": "P", "breaks": "F" if run > 4 else "P", "only_here": "P"}} for run in range(1, 9)],
        release="6.0",
    )
