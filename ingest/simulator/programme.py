"""The simulated regression programme: a pure function of (size, seed, start) and the clock.

Of a build, only its position in the timeline is kept: results are drawn on demand from (seed, release, module, build
number), so that ten million of them need no memory.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

import numpy as np

from ingest.simulator import vocabulary
from ingest.simulator.planted_faults import BAD_HOST_RATE, STORM_RATE, FaultSchedule, PlantedChange
from ingest.simulator.product_tests import ProductModule
from ingest.simulator.timeline import SIZES, Execution, PlannedRelease, PlannedRun, ProgrammeSize, Timeline

PASSED, FAILED, ERROR, SKIPPED, NONE = 0, 1, 2, 3, -1
STATUS_NAMES = ("PASSED", "FAILED", "ERROR", "SKIPPED")
BACKGROUND, STORM, BAD_HOST = -1, -2, -3  # causes; a cause of 0 or more is an index into `Results.changes`
HOSTS_PER_TOPOLOGY = 6


@dataclass(frozen=True, slots=True)
class ProductCommit:
    """`timestamp` in seconds since the epoch."""

    id: str
    author: str
    user: str
    message: str
    timestamp: float
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DrawnResults:
    """One build's results as arrays, one entry per slot that ran, in the order of execution.

    `slot` indexes the module's slots; `first`, `rerun` (NONE where there was no rerun) and `final` are statuses;
    `duration` is in milliseconds; `host` indexes `Programme.host_names`; `cause` is what made it fail.
    """

    slot: np.ndarray
    first: np.ndarray
    rerun: np.ndarray
    final: np.ndarray
    duration: np.ndarray
    host: np.ndarray
    cause: np.ndarray
    changes: tuple[PlantedChange, ...]

    def count(self, status: int, upto: int | None = None) -> int:
        return int(np.count_nonzero(self.final[:upto] == status))


class Programme:
    """`started` (default: now) is where history ends and the clock begins. The clock stops there unless `live`;
    `advance` moves it. Equal arguments give equal worlds, byte for byte."""

    def __init__(
        self, size: str | ProgrammeSize = "small", seed: int = 7, started: datetime | None = None, live: bool = False
    ) -> None:
        self.size_name = size if isinstance(size, str) else "custom"
        self.size = SIZES[size] if isinstance(size, str) else size
        self.seed, self.live = seed, live
        # Whole seconds, as a start that went through a configuration file would be.
        self.started = float(int((started or datetime.now(UTC)).timestamp()))
        self.modules = [ProductModule(seed, index, self.size.tests) for index in range(self.size.modules)]
        self.timeline = Timeline(seed, self.size, self.modules, self.started, live)
        self.plan = FaultSchedule(seed, self.timeline, self.modules)
        self._releases = {release.name: release for release in self.timeline.releases}
        self._advanced = 0.0
        self._lock = threading.Lock()
        self.results = lru_cache(maxsize=48)(self._results)
        self.commits = lru_cache(maxsize=None)(self._commits)
        self.outcome = lru_cache(maxsize=None)(self._outcome)
        self.host_names = lru_cache(maxsize=None)(self._host_names)
        self.undisturbed = lru_cache(maxsize=None)(self._undisturbed)

    @property
    def releases(self) -> list[PlannedRelease]:
        return self.timeline.releases

    def release(self, name: str) -> PlannedRelease:
        return self._releases[name]

    def now(self) -> float:
        """The simulated time in seconds since the epoch. Extends the timeline to it."""
        with self._lock:
            now = (time.time() if self.live else self.started) + self._advanced
            self.timeline.extend(now)
            return now

    def advance(self, seconds: float) -> float:
        with self._lock:
            self._advanced += seconds
        return self.now()

    def finish(self) -> float:
        """Move the clock to when every run that has begun is final; runs that begin meanwhile go on."""
        now = self.now()
        return self.advance(max([run.settled - now for run in self.timeline.runs(now)] + [0.0]))

    def executions(self, release: str, module: int, now: float) -> list[Execution]:
        """The builds of a module job that had begun by `now`, oldest first."""
        return [e for e in self._releases[release].executions[module] if e.started <= now]

    def visible(self, execution: Execution, now: float) -> int:
        """How many of the build's slots have run by `now`."""
        if execution.fate == "broken":
            return 0
        total = len(self.results(execution).slot)
        full = total if execution.fate == "tests" else int(total * 0.6)
        if now >= execution.ended:
            return full
        # The first tenth of a build installs the product.
        share = (now - execution.started) / (execution.ended - execution.started)
        return max(0, min(full, int(full * (share - 0.1) / 0.9)))

    def _outcome(self, execution: Execution) -> str:
        """The result in Jenkins' vocabulary."""
        if execution.fate != "tests":
            return "FAILURE" if execution.fate == "broken" else "ABORTED"
        results = self.results(execution)
        return "UNSTABLE" if results.count(FAILED) + results.count(ERROR) else "SUCCESS"

    def _commits(self, release: str, run: int) -> tuple[ProductCommit, ...]:
        """The commits that the run is the first to test, the culprit of what breaks in it first."""
        rng = Random(f"{self.seed}:commits:{release}:{run}")
        own = rng.choices((0, 1, 2, 3, 5), (15, 62, 14, 6, 3))[0]
        breaks = self.plan.breaks_in(release, run)
        started = self._releases[release].runs[run].started
        commits = [
            self._commit(rng, release, run, position, started) for position in range(max(own, 1) if breaks else own)
        ]
        merged = [self.commits(*origin)[0] for origin in self.plan.forwarded[release, run]]
        return (*commits, *merged)

    def _commit(self, rng: Random, release: str, run: int, position: int, started: float) -> ProductCommit:
        author, user = rng.choice(vocabulary.AUTHORS)
        module = rng.choice(self.modules)
        if position == 0 and self.plan.breaks_in(release, run) and rng.random() < 0.85:
            broken = [c for c in self.plan.all_changes(release, run + 1) if c.commit == (release, run)]
            module = self.modules[broken[0].module]
        area = rng.choice(vocabulary.MODULES[module.index][3])
        message = f"{module.name}: {area}: {rng.choice(vocabulary.CHANGES)}"
        paths = (f"src/{module.name}/{area}.c", f"src/{module.name}/{area}.h")[: rng.randint(1, 2)]
        digest = hashlib.sha1(f"{self.seed}:{release}:{run}:{position}".encode()).hexdigest()
        return ProductCommit(digest, author, user, message, float(int(started - rng.uniform(600, 39000))), paths)

    def commits_of(self, execution: Execution) -> list[ProductCommit]:
        """The change set of a module build: all commits since the job's previous build."""
        release, last = execution.run.release, execution.run.index
        seen = {c.id: c for run in range(execution.since, last + 1) for c in self.commits(release, run)}
        return list(seen.values())

    def revision(self, run: PlannedRun) -> str:
        """The commit that the run tested: the latest of its release's history."""
        for index in range(run.index, -1, -1):
            if commits := self.commits(run.release, index):
                return commits[-1].id
        return hashlib.sha1(f"{self.seed}:{run.release}:base".encode()).hexdigest()

    def _results(self, execution: Execution) -> DrawnResults:
        module, run = execution.module, execution.run
        release = self._releases[run.release]
        slot = np.flatnonzero(self._running(release, module, run))
        rng = np.random.default_rng((self.seed, release.index, module.index, execution.number))
        draw = rng.random((4, len(module.test)))[:, slot]
        spread = np.exp(0.07 * rng.standard_normal(len(module.test)))[slot]

        block = module.block[slot] + run.index
        position = block % HOSTS_PER_TOPOLOGY
        rate, factor = module.noise.copy(), np.ones(len(module.test))
        cause = np.full(len(module.test), BACKGROUND)
        changes = tuple(self.plan.changes(release.name, module.index, run.index))
        for index, change in enumerate(changes):
            where = module.slots_of[change.test]
            factor[where] = change.factor
            if change.kind != "slower":
                rate[where], cause[where] = change.rate, index
        rate, factor, cause = rate[slot], factor[slot], cause[slot]
        for bad in self.plan.bad_hosts:
            if bad.release == release.name and bad.start <= run.index and bad.topology in module.topologies:
                here = (position == bad.position) & (module.topology[slot] == module.topologies.index(bad.topology))
                here &= self.undisturbed(release.name, module)[slot]
                rate[here], cause[here] = BAD_HOST_RATE, BAD_HOST
        if (release.name, run.index, module.index) in self.plan.storms:
            rate, cause = np.maximum(rate, STORM_RATE), np.full(len(slot), STORM)

        failed = draw[0] < rate
        # Whether a failure is an error belongs to the test and what broke it, not to chance.
        is_error = (module.test[slot] * 7 + cause * 3) % 9 == 0
        first = np.where(failed, np.where(is_error, ERROR, FAILED), PASSED)
        first[(draw[1] < module.skip[slot])] = SKIPPED
        rerun = np.full(len(slot), NONE)
        if module.reruns:
            again = (first == FAILED) | (first == ERROR)
            lasting = np.where(cause == BACKGROUND, 0.05, np.where(cause == BAD_HOST, 0.4, rate))
            rerun[again] = np.where(draw[2] < lasting, first, PASSED)[again]
        final = np.where(rerun == NONE, first, rerun)
        duration = (1000 * module.seconds[slot] * spread * factor * np.where(failed, 0.5 + draw[3], 1.0)).astype(int)
        duration[first == SKIPPED] = 0
        host = module.topology[slot] * HOSTS_PER_TOPOLOGY + position
        return DrawnResults(slot, first, rerun, final, duration, host, cause, changes)

    def _host_names(self, release: str, module: ProductModule) -> list[str]:
        """The addresses that `Results.host` indexes. Modules of a release share the hosts of a topology."""
        net = 20 + self._releases[release].index
        positions = [vocabulary.TOPOLOGIES.index(topology) for topology in module.topologies]
        return [f"10.{net}.{30 + position}.{11 + n}" for position in positions for n in range(HOSTS_PER_TOPOLOGY)]

    def exists(self, release: str, module: int, test: int, run: int) -> bool:
        appears, disappears = self.plan.appears[release, module], self.plan.disappears[release, module]
        return appears.get(test, 0) <= run and (test not in disappears or run < disappears[test])

    def _running(self, release: PlannedRelease, module: ProductModule, run: PlannedRun) -> np.ndarray:
        mask = module.staging if run.environment == "staging" else ~module.staging
        mask = mask.copy()
        for test in (*self.plan.appears[release.name, module.index], *self.plan.disappears[release.name, module.index]):
            if not self.exists(release.name, module.index, test, run.index):
                mask[module.slots_of[test]] = False
        return mask

    def _undisturbed(self, release: str, module: ProductModule) -> np.ndarray:
        """Slots of tests for which nothing else is planned: only these fail on a bad host."""
        return np.array([not self.plan.is_taken(release, module.index, test) for test in module.test])
