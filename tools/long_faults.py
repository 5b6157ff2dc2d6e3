"""A long fault test, too slow for the suite: hundreds of kill -9 while the server misbehaves and disks fill up.

`python tools/long_faults.py --kills 200 --seed 1`: each round fills a new store from the simulator, with processes that
are killed at random moments, under two kinds of faults drawn from the seed. Then the faults end, one more poll runs,
and the store must hold every result exactly once. Prints what was injected; exits 1 with the seed of a failed round.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import click
import duckdb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import requests
from support.store_assertions import assert_whole, expected_builds, stored_builds

from data.lake.connection import StoreError
from data.lake.store import Store
from data.settings import Settings, SourceSettings
from ingest import batch, http, pipeline
from ingest.simulator import Programme, SimulatorServer

KILLS_A_ROUND = 10
TROUBLE = {
    "slow": {"kind": "slow", "probability": 0.3, "delay_s": 0.2},
    "reset in a body": {"kind": "reset", "probability": 0.2, "keep": 0.6},
    "zip cut short": {"kind": "truncate", "path": r"\*zip\*", "probability": 0.4},
    "JSON cut short, status 200": {"kind": "truncate", "path": r"/\d+/api/json", "probability": 0.3, "keep": 0.9},
    "500 on single objects": {"kind": "status", "status": 500, "path": r"/\d*[13579]/api/json", "probability": 0.6},
    "404 that is none": {"kind": "status", "status": 404, "path": r"ESXI/\d+/api/json", "times": 5},
    "503 for some seconds": {"kind": "status", "status": 503, "for_s": 3.0, "retry_after": 0},
    "429": {"kind": "status", "status": 429, "probability": 0.3, "retry_after": 0},
    "token revoked in the middle": {"kind": "status", "status": 401, "after": 12},
    "a web page instead of a file": {"kind": "html", "path": "artifact", "probability": 0.2},
    "single sign-on": {"kind": "login", "after": 12, "times": 20},
}


def ingest(home: str, source: dict, largest_file: int | None, pipe: Connection) -> None:
    """One ingest process with many small commits. `largest_file`: bytes per file at which its disk is full."""
    logging.disable(logging.CRITICAL)
    batch.BATCH_RESULTS, http.FIRST_WAIT_S = 40, 0.001
    with suppress(StoreError, OSError, duckdb.Error):
        settings = SourceSettings(**source)
        store = Store.open(Settings(home=home, source=[settings]))
        pipe.send("open")
        if largest_file:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        pipeline.Pipeline(store, settings).poll(eager=True)


def play(server: SimulatorServer, seed: int, home: Path) -> Counter[str]:
    """Run one round. Raises AssertionError if a result is missing, duplicate or wrong."""
    chance = random.Random(seed)
    injected: Counter[str] = Counter()
    source = server.sources()[0] | {"timeout_s": 5}
    names = chance.sample(sorted(TROUBLE), 2)
    requests.post(f"{server.url}_sim/faults", json=[TROUBLE[name] | {"seed": seed} for name in names], timeout=30)
    context = multiprocessing.get_context("forkserver")
    for _ in range(KILLS_A_ROUND):
        largest_file = chance.choice((None, None, None, chance.randrange(1 << 12, 1 << 17)))
        here, there = context.Pipe()
        process = context.Process(target=ingest, args=(str(home), source, largest_file, there))
        process.start()
        there.close()
        # A third is killed while it opens or creates the store.
        with suppress(EOFError):
            if here.poll(chance.choice((0.3, 30, 30))):
                here.recv()
        process.join(chance.uniform(0.0, 1.6))
        if process.is_alive():
            process.kill()
            injected["kill -9"] += 1
        process.join()
        injected["disk full"] += largest_file is not None
    for name, rule in zip(names, requests.get(f"{server.url}_sim/faults", timeout=30).json(), strict=True):
        injected[name] += rule["hits"]
    requests.delete(f"{server.url}_sim/faults", timeout=30)
    settings = SourceSettings(**source)
    store = Store.open(Settings(home=home, source=[settings]))
    assert set(stored_builds(store).items()) <= set(expected_builds(server).items()), "what is there is wrong"
    for _ in range(2):
        poll = pipeline.Pipeline(store, settings).poll(eager=True)
    assert poll.error is None, poll.error
    assert_whole(store, server)
    store.close()
    return injected


def _rounds(server: SimulatorServer, kills: int, seed: int) -> Iterator[Counter[str]]:
    done = 0
    while done < kills:
        home = Path(tempfile.mkdtemp(prefix="regtracker-faults-"))
        try:
            injected = play(server, seed, home)
        except BaseException:
            click.echo(f"round of seed {seed}: the store is kept in {home}", err=True)
            raise
        shutil.rmtree(home)
        done += injected["kill -9"]
        seed += 1
        click.echo(f"seed {seed - 1}: {dict(injected)}", err=True)
        yield injected


@click.command()
@click.option("--kills", default=200, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(kills: int, seed: int) -> None:
    """Kill ingest at random moments, under faults, and compare the store with the truth."""
    multiprocessing.set_forkserver_preload(["long_faults"])
    logging.disable(logging.CRITICAL)
    began, rounds = time.monotonic(), 0
    total: Counter[str] = Counter()
    with SimulatorServer(Programme("tiny", live=False)) as server:
        for injected in _rounds(server, kills, seed):
            total += injected
            rounds += 1
    click.echo(json.dumps({"rounds": rounds, "lost": 0, "seconds": round(time.monotonic() - began), **total}))


if __name__ == "__main__":
    main()
