"""The planted faults of the simulated product: everything that a tracker should find, chosen by the seed.

Faults are planted where their truth is certain: a regression begins in a run that built its module, away from storms,
on a test that nothing else disturbs. The history is planned at once; later runs get their own breakages one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from ingest.simulator.product_tests import ProductModule
from ingest.simulator.timeline import PlannedRelease, Timeline

FOREVER = 10**9
STORM_RATE, BAD_HOST_RATE = 0.96, 0.2


@dataclass(frozen=True, slots=True)
class PlantedChange:
    """One test that behaves differently from run `start` (index) until before run `stop`.

    `kind` is broken (fails at `rate`), flaky (fails at `rate`) or slower (takes `factor` times as long). `commit` names
    what broke it as (release, run index): the first commit of that run. `family` chooses its failure text.
    """

    kind: str
    release: str
    module: int
    test: int
    start: int = 0
    stop: int = FOREVER
    rate: float = 0.0
    factor: float = 1.0
    commit: tuple[str, int] | None = None
    family: int = 0


@dataclass(frozen=True, slots=True)
class PlantedBadHost:
    """A bad host: from run `start` of its release on, tests on it fail at BAD_HOST_RATE."""

    release: str
    topology: str
    position: int
    start: int


class FaultSchedule:
    """`storms` are (release, run index, module index); `appears`/`disappears` map (release, module) to {test: run}."""

    def __init__(self, seed: int, timeline: Timeline, modules: list[ProductModule]) -> None:
        self._seed, self._modules = seed, modules
        self._releases = {release.name: release for release in timeline.releases}
        self._by_module: defaultdict[tuple[str, int], list[PlantedChange]] = defaultdict(list)
        self._taken: dict[tuple[str, int], set[int]] = {(r, m.index): set() for r in self._releases for m in modules}
        self.storms: set[tuple[str, int, int]] = set()
        self.bad_hosts: list[PlantedBadHost] = []
        self.appears: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        self.disappears: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        self.forwarded: defaultdict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
        self._plan_flaky(Random(f"{seed}:flaky"))
        for position, release in enumerate(timeline.releases):
            rng = Random(f"{seed}:plan:{release.name}")
            self._plan_disturbances(rng, release, position)
            self._plan_coming_and_going(rng, release, position)
            self._plan_lasting(rng, release)
            newer = timeline.releases[position + 1] if position + 1 < len(timeline.releases) else None
            self._plan_breakages(rng, release, newer)
        self._culprits = {c.commit for changes in self._by_module.values() for c in changes if c.commit}
        self._later = lru_cache(maxsize=None)(self._draw_later)

    def changes(self, release: str, module: int, run: int) -> list[PlantedChange]:
        """The changes in force in that run, those of runs after the history included."""
        active = [c for c in self._by_module[release, module] if c.start <= run < c.stop]
        return active + [
            c for c in self._later_in_force(release, run) if c.module == module and c.start <= run < c.stop
        ]

    def all_changes(self, release: str, runs: int) -> list[PlantedChange]:
        """Every change of the release that begins within its first `runs` runs."""
        planned = [c for m in self._modules for c in self._by_module[release, m.index] if c.start < runs]
        history = self._releases[release].spec.runs
        return planned + [c for run in range(history, runs) for c in self._later(release, run)]

    def breaks_in(self, release: str, run: int) -> bool:
        """Whether the first commit of this run is the culprit of something, so that the run must have one."""
        if run >= self._releases[release].spec.runs:
            return bool(self._later(release, run))
        return (release, run) in self._culprits

    def is_taken(self, release: str, module: int, test: int) -> bool:
        return test in self._taken[release, module]

    def _later_in_force(self, release: str, run: int) -> list[PlantedChange]:
        first = max(self._releases[release].spec.runs, run - 7)
        return [change for start in range(first, run + 1) for change in self._later(release, start)]

    def _draw_later(self, release: str, run: int) -> list[PlantedChange]:
        """Breakages after the history: fixed again within seven runs, on tests that differ from run to run."""
        rng = Random(f"{self._seed}:later:{release}:{run}")
        if rng.random() > 0.4:
            return []
        module = rng.choice(self._modules)
        taken = self._taken[release, module.index]
        free = [test for test in map(int, module.steady) if test not in taken and test % 8 == run % 8]
        tests = rng.sample(free, min(len(free), rng.randint(1, 3)))
        stop, family = run + rng.randint(2, 7), rng.randrange(1000)
        commit = (release, run)
        return [PlantedChange("broken", release, module.index, t, run, stop, 1.0, 1.0, commit, family) for t in tests]

    def _take(self, rng: Random, release: str, module: ProductModule, count: int = 1) -> list[int]:
        """Up to `count` undisturbed tests of the module, neighbours in one file where there are any."""
        taken = self._taken[release, module.index]
        free = [test for test in map(int, module.steady) if test not in taken]
        if not free:
            return []
        first = rng.choice(free)
        file = module.tests[first].file
        chosen = [first, *(test for test in free if test > first and module.tests[test].file == file)][:count]
        taken.update(chosen)
        return chosen

    def _add(self, change: PlantedChange) -> None:
        self._by_module[change.release, change.module].append(change)

    def _amount(self, per_thousand: float, least: int) -> int:
        return max(least, round(sum(len(module.tests) for module in self._modules) * per_thousand / 1000))

    def _plan_flaky(self, rng: Random) -> None:
        """A flaky test is flaky in every release, at one rate."""
        for _ in range(self._amount(16, 3)):
            module = rng.choice(self._modules)
            name = next(iter(self._releases))
            for test in self._take(rng, name, module):
                rate, family = round(rng.uniform(0.05, 0.35), 3), rng.randrange(1000)
                for release in self._releases:
                    self._taken[release, module.index].add(test)
                    self._add(PlantedChange("flaky", release, module.index, test, rate=rate, family=family))

    def _plan_disturbances(self, rng: Random, release: PlannedRelease, position: int) -> None:
        runs = release.finished_history
        for run in rng.sample(runs[1:-3], 1 + len(runs) // 40):
            built = [e for e in release.runs[run].own if e.fate == "tests"]
            if built:
                self.storms.add((release.name, run, rng.choice(built).module.index))
        if release.spec.active:
            topology = self._modules[position % len(self._modules)].topologies[0]
            self.bad_hosts.append(
                PlantedBadHost(release.name, topology, rng.randrange(6), runs[-max(2, len(runs) // 4)])
            )

    def _plan_coming_and_going(self, rng: Random, release: PlannedRelease, position: int) -> None:
        for module in self._modules:
            if position == 0:  # the oldest release lacks the newest tests
                taken = self._taken[release.name, module.index]
                for test in set(range(len(module.tests) * 11 // 12, len(module.tests))) - taken:
                    self.appears[release.name, module.index][test] = FOREVER
                    taken.add(test)
            for test in self._take(rng, release.name, module, 1 + len(module.tests) // 90):
                self.appears[release.name, module.index][test] = rng.choice(release.finished_history[1:])
            for test in self._take(rng, release.name, module, len(module.tests) // 60):
                self.disappears[release.name, module.index][test] = rng.choice(release.finished_history[2:])

    def _plan_lasting(self, rng: Random, release: PlannedRelease) -> None:
        for _ in range(self._amount(3, 1)):
            module = rng.choice(self._modules)
            for test in self._take(rng, release.name, module):
                self._add(
                    PlantedChange("broken", release.name, module.index, test, rate=1.0, family=rng.randrange(1000))
                )
        runs = release.finished_history
        for _ in range(self._amount(4, 2)):
            module = rng.choice(self._modules)
            start, factor = runs[int(len(runs) * rng.uniform(0.35, 0.75))], round(rng.uniform(1.5, 4), 2)
            for test in self._take(rng, release.name, module):
                self._add(PlantedChange("slower", release.name, module.index, test, start, factor=factor))

    def _plan_breakages(self, rng: Random, release: PlannedRelease, newer: PlannedRelease | None) -> None:
        runs = release.finished_history
        in_storm = {run for name, run, _ in self.storms if name == release.name}
        undisturbed = [p for p in range(3, len(runs)) if not in_storm.intersection(runs[p - 1 : p + 2])]
        lasting = [p for p in undisturbed if p < len(runs) - 1]
        middle = [p for p in lasting if len(runs) / 3 < p < len(runs) * 2 / 3] or lasting
        for number in range(self._amount(7, 3)):
            rate = 1.0
            # Half are recent enough to be seen as regressions, not as tests that always fail.
            start = runs[rng.choice(lasting if number % 2 else lasting[-7:])]
            if number % 4 == 3:  # a partial one needs enough builds to show its rate
                rate, start = round(rng.uniform(0.3, 0.6), 2), runs[rng.choice(middle)]
            tests = self._break(rng, release, start, FOREVER, rate, count=1 if rate < 1 else rng.randint(1, 4))
            if newer and rate == 1.0 and rng.random() < 0.3:
                self._forward(tests, release, start, newer)
        for _ in range(self._amount(4, 2)):
            start, stop = sorted(rng.sample(undisturbed, 2))
            self._break(rng, release, runs[start], runs[stop], 1.0, rng.randint(1, 3))
        if release.spec.active:
            last = len(runs) - 1
            self._break(rng, release, runs[last], FOREVER, 1.0, 2)
            self._break(rng, release, runs[rng.choice(lasting)], runs[last], 1.0, 2)

    def _break(
        self, rng: Random, release: PlannedRelease, start: int, stop: int, rate: float, count: int
    ) -> list[PlantedChange]:
        built = [e.module for e in release.runs[start].own if e.fate == "tests"]
        # A rerun would hide most failures of a test that fails half of the time.
        built = [module for module in built if rate == 1.0 or not module.reruns] or built
        if not built:
            return []
        module, family = rng.choice(built), rng.randrange(1000)
        commit = (release.name, start)
        changes = [
            PlantedChange("broken", release.name, module.index, test, start, stop, rate, 1.0, commit, family)
            for test in self._take(rng, release.name, module, count)
        ]
        for change in changes:
            self._add(change)
        return changes

    def _forward(
        self, changes: list[PlantedChange], release: PlannedRelease, start: int, newer: PlannedRelease
    ) -> None:
        """The commit is merged into the newer release too, and breaks the same tests there a run later."""
        merged = release.runs[start].started + 6 * 3600
        runs = newer.finished_history
        target = next((run for run in runs[3:-1] if newer.runs[run].started > merged), None)
        if not changes or target is None or newer.runs[target].started > merged + 2 * 86400:
            return
        module = self._modules[changes[0].module]
        free = [c for c in changes if c.test not in self._taken[newer.name, module.index]]
        if not free or not any(e.module is module and e.fate == "tests" for e in newer.runs[target].own):
            return
        self.forwarded[newer.name, target].append((release.name, start))
        for change in free:
            self._taken[newer.name, module.index].add(change.test)
            commit, family = change.commit, change.family
            self._add(
                PlantedChange(
                    "broken", newer.name, module.index, change.test, target, FOREVER, 1.0, 1.0, commit, family
                )
            )
