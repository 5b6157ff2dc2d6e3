"""The timeline: releases, their regression runs, and the module builds of each run, as a pure function of the seed.

History ends at `started`. Beyond it the timeline is extended on demand: at the pace of history, or, live,
a run every 50 s or so that takes about a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from ingest.simulator.product_tests import ProductModule

HOUR = 3600.0
CADENCE = 12 * HOUR
LIVE_CADENCE = 50.0
LIVE_PACE = 0.01  # a live run takes a hundredth of what a run of the history takes


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """`runs` in the history, the last one begun `age_h` hours before the start; `broken` and `no_map` index runs from
    the end (-1 the last): all of its builds failed before their tests, or it failed before it started any."""

    name: str
    runs: int
    age_h: float
    first_number: int
    broken: tuple[int, ...] = ()
    no_map: tuple[int, ...] = ()

    @property
    def active(self) -> bool:
        return self.age_h < 48


@dataclass(frozen=True, slots=True)
class ProgrammeSize:
    """`tests` are per module; `fleet` adds a folder of that many idle jobs, to count what a poll of many jobs costs;
    `archive` a job with that many builds of 500 tests, to measure what a backfill of a long history costs."""

    releases: tuple[ReleaseSpec, ...]
    modules: int
    tests: int
    fleet: int = 0
    archive: int = 0


MIN_RUNS = 8
RUNNING_AGE_H = 50 / 60
SIZES = {
    "tiny": ProgrammeSize(
        (
            ReleaseSpec("7.0", 8, 230, 180),
            ReleaseSpec("7.1", 10, RUNNING_AGE_H, 96, no_map=(-8,)),
            ReleaseSpec("8.0", 12, 5.0, 31, broken=(-5,)),
        ),
        modules=3,
        tests=26,
    ),
    "small": ProgrammeSize(
        (
            ReleaseSpec("7.0", 24, 230, 180),
            ReleaseSpec("7.1", 30, RUNNING_AGE_H, 96, no_map=(-8,)),
            ReleaseSpec("8.0", 30, 5.0, 31, broken=(-5,)),
        ),
        modules=8,
        tests=85,
    ),
    "medium": ProgrammeSize(
        (
            ReleaseSpec("7.0", 44, 230, 180),
            ReleaseSpec("7.1", 106, RUNNING_AGE_H, 96, no_map=(-8,)),
            ReleaseSpec("8.0", 70, 5.0, 31, broken=(-5,)),
            ReleaseSpec("8.1", 24, 9.0, 3, broken=(-1,)),
        ),
        modules=14,
        tests=328,
    ),
    "large": ProgrammeSize(
        (
            ReleaseSpec("6.4", 90, 400, 410),
            ReleaseSpec("7.0", 110, 230, 180),
            ReleaseSpec("7.1", 160, RUNNING_AGE_H, 96, no_map=(-8,)),
            ReleaseSpec("8.0", 130, 5.0, 31, broken=(-5,)),
            ReleaseSpec("8.1", 60, 9.0, 3, broken=(-1,)),
        ),
        modules=20,
        tests=1008,
    ),
}


@dataclass(slots=True, eq=False)
class Execution:
    """One build of a module job. `fate`: tests, aborted (a part of its tests ran) or broken (failed before them).

    `since` is the first run whose commits this build is the first to contain. A `rotated` build is known to its run
    but deleted from Jenkins. Times are seconds since the epoch; results are final `post` seconds after `ended`.
    """

    run: PlannedRun
    module: ProductModule
    number: int
    started: float
    ended: float
    post: float
    fate: str
    since: int
    rotated: bool

    @property
    def settled(self) -> float:
        return self.ended + self.post


@dataclass(slots=True, eq=False)
class PlannedRun:
    """One build of the orchestrating job, and the module builds it lists: `own` and taken over from the run before."""

    release: str
    index: int
    number: int
    version: str
    environment: str
    fate: str  # tests, broken or no_map
    started: float
    pace: float
    ended: float = 0.0
    own: list[Execution] = field(default_factory=list)
    all_builds: list[Execution] = field(default_factory=list)

    @property
    def settled(self) -> float:
        return self.ended + 60 * self.pace


class PlannedRelease:
    """The runs of one release line, drawn one after the other because build numbers count on."""

    def __init__(self, seed: int, spec: ReleaseSpec, index: int, modules: list[ProductModule], first: float) -> None:
        self.seed, self.spec, self.index, self.modules, self.first = seed, spec, index, modules, first
        self.name = spec.name
        self.runs: list[PlannedRun] = []
        self.executions: list[list[Execution]] = [[] for _ in modules]
        self._next_number = [17 + 9 * module.index + 5 * index for module in modules]
        self._since = [0] * len(modules)

    @property
    def folder(self) -> str:
        return f"qa/{self.name}"

    @cached_property
    def finished_history(self) -> list[int]:
        """Runs of the history, by index, in which production tests ran and every build came to its end."""
        last = len(self.runs[: self.spec.runs]) - (1 if self.spec.age_h == RUNNING_AGE_H else 0)
        return [run.index for run in self.runs[:last] if run.environment == "prod" and run.fate == "tests"]

    def add_run(self, started: float, pace: float) -> None:
        index = len(self.runs)
        from_end = index - self.spec.runs
        rng = Random(f"{self.seed}:run:{self.name}:{index}")
        fate = "broken" if from_end in self.spec.broken else "no_map" if from_end in self.spec.no_map else "tests"
        environment = "staging" if (from_end + 1) % 6 == 3 else "prod"
        version = f"{self.name}.0.{4 + index // 2}"
        run = PlannedRun(self.name, index, self.spec.first_number + index, version, environment, fate, started, pace)
        previous = self.runs[-1] if self.runs else None
        for position, module in enumerate(self.modules):
            if fate == "no_map":
                break
            draw = rng.random()
            earlier = None
            if previous and previous.environment == environment:
                earlier = next((e for e in previous.own if e.module is module and e.fate == "tests"), None)
            # What runs now and what has just run must show every module, so only older runs take builds over.
            if draw < 0.03 and earlier and fate == "tests" and from_end < -2:
                run.all_builds.append(earlier)
                continue
            run.own.append(self._execution(run, position, draw, rng))
            run.all_builds.append(run.own[-1])
        run.ended = max([e.settled for e in run.own], default=started + 9 * pace * 60) + 180 * pace
        self.runs.append(run)

    def _execution(self, run: PlannedRun, position: int, draw: float, rng: Random) -> Execution:
        module = self.modules[position]
        minute = 60 * run.pace
        started = run.started + minute * ((3, 38, 73)[position * 3 // len(self.modules)] + rng.uniform(0, 1.5))
        ended = started + minute * rng.uniform(20, 34)
        fate = "tests"
        quiet = -3 <= run.index - self.spec.runs < 0  # nothing odd in the last runs, they are what a viewer sees first
        if run.fate == "broken" or (0.03 <= draw < 0.04 and not quiet):
            fate, ended = "broken", started + minute * rng.uniform(1, 3)
        elif 0.04 <= draw < 0.045 and not quiet:
            fate, ended = "aborted", started + minute * 15
        rotated = run.index < 2 and position == 1
        number, since = self._next_number[position], self._since[position]
        self._next_number[position], self._since[position] = number + 1, run.index + 1
        execution = Execution(run, module, number, started, ended, 2 * minute, fate, since, rotated)
        self.executions[position].append(execution)
        return execution


class Timeline:
    def __init__(
        self, seed: int, size: ProgrammeSize, modules: list[ProductModule], started: float, live: bool
    ) -> None:
        self.live, self.started, self._seed = live, started, seed
        if any(spec.runs < MIN_RUNS for spec in size.releases):
            raise ValueError(f"every release needs at least {MIN_RUNS} runs, so that faults have room")
        self.releases = []
        for index, spec in enumerate(size.releases):
            first = started - spec.age_h * HOUR - (spec.runs - 1) * CADENCE
            self.releases.append(PlannedRelease(seed, spec, index, modules, first))
        # Newest first, so that a run that is under way at the start ends before the next of its release begins.
        self._active = [release for release in reversed(self.releases) if release.spec.active]
        for release in self.releases:
            for _ in range(release.spec.runs):
                release.add_run(*self._when(release))

    def _when(self, release: PlannedRelease) -> tuple[float, float]:
        """Start (seconds since the epoch) and pace of the release's next run."""
        index, runs = len(release.runs), release.spec.runs
        jitter = Random(f"{self._seed}:start:{release.name}:{index}").uniform(-1, 1)
        if index == runs - 1 and release.spec.age_h == RUNNING_AGE_H:
            pace = LIVE_PACE if self.live else 1.0
            return self.started - RUNNING_AGE_H * HOUR * pace, pace
        if index < runs or not self.live:
            return release.first + index * CADENCE + 2400 * jitter, 1.0
        turn = (index - runs) * len(self._active) + self._active.index(release)
        return self.started + 20 + turn * LIVE_CADENCE + 8 * jitter, LIVE_PACE

    def extend(self, now: float) -> None:
        for release in self._active:
            while (when := self._when(release))[0] <= now:
                release.add_run(*when)

    def runs(self, now: float) -> Iterable[PlannedRun]:
        return (run for release in self.releases for run in release.runs if run.started <= now)
