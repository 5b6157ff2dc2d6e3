"""The tests of the simulated product: which exist, where they live, on what topology they run, how long they take.

A module job is a list of slots, one per test and topology, ordered topology by topology as a session executes them.
Everything that does not change from build to build is prepared here, including text for logs and XML, so that rendering
a build is one pass of string joins.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from xml.sax.saxutils import quoteattr

import numpy as np

from ingest.simulator import vocabulary


@dataclass(frozen=True, slots=True)
class ProductTest:
    """`class_name` is empty for a test that is a plain function of its file."""

    file: str
    class_name: str
    name: str
    line: int

    @property
    def key(self) -> str:
        return f"{self.file}::{self.class_name}::{self.name}"

    @property
    def log_name(self) -> str:
        return f"{self.file}::{self.class_name}::{self.name}" if self.class_name else f"{self.file}::{self.name}"

    @property
    def dotted_class(self) -> str:
        dotted = self.file.removesuffix(".py").replace("/", ".")
        return f"{dotted}.{self.class_name}" if self.class_name else dotted

    @property
    def owner(self) -> str:
        return self.file.split("/")[2]


class ProductModule:
    """One module job: its tests and, as arrays over its slots, their properties.

    Arrays: `test` (index into `tests`), `topology` (index into `topologies`), `seconds` (usual duration), `skip` and
    `noise` (probabilities), `staging` (run in the staging environment only), `block` (slots of one block share a host).
    """

    def __init__(self, seed: int, index: int, tests: int) -> None:
        self.index = index
        self.map_key, self.name, self.short, areas = vocabulary.MODULES[index]
        self.job = self.map_key.replace("_", "-")
        self.reruns = index % 2 == 0
        rng = Random(f"{seed}:module:{self.name}")
        self.topologies = [vocabulary.TOPOLOGIES[0], vocabulary.TOPOLOGIES[1 + index % 4]]
        self.tests = _tests(rng, self.name, areas, tests)
        self._lay_out_slots(rng)

    def _lay_out_slots(self, rng: Random) -> None:
        per_topology: list[list[int]] = [[], []]
        for test in range(len(self.tests)):
            draw = rng.random()
            if draw < 0.8:
                per_topology[0].append(test)
            if draw >= 0.55:
                per_topology[1].append(test)
        self.test = np.array(per_topology[0] + per_topology[1])
        self.topology = np.repeat([0, 1], [len(per_topology[0]), len(per_topology[1])])
        self.topology_end = [len(per_topology[0]), len(self.test)]
        numbers = np.random.default_rng(rng.randrange(2**63))
        count = len(self.tests)
        seconds = np.round(numbers.lognormal(1.3, 1.0, count), 3).clip(0.004, 900)
        fate = numbers.random(count)
        always_skipped, sometimes_skipped = fate < 0.012, (fate >= 0.012) & (fate < 0.02)
        skip = np.where(always_skipped, 1.0, np.where(sometimes_skipped, 0.3, 0.0))
        noise = np.where((fate > 0.2) & (fate < 0.23), 0.004, 0.0)
        staging = (fate > 0.3) & (fate < 0.4)
        self.steady = np.flatnonzero((skip == 0) & (noise == 0) & ~staging)
        self.seconds, self.skip, self.noise = seconds[self.test], skip[self.test], noise[self.test]
        self.staging = staging[self.test]
        self.block = np.arange(len(self.test)) // 9
        self.slots_of = [np.flatnonzero(self.test == test) for test in range(count)]
        tests = [self.tests[test] for test in self.test]
        self.log_text = [test.log_name for test in tests]
        self.xml_text = [_start_tag(test) for test in tests]


def _start_tag(test: ProductTest) -> str:
    attributes = (("classname", test.dotted_class), ("name", test.name), ("file", test.file), ("line", str(test.line)))
    return "<testcase " + " ".join(f"{name}={_quoted(value)}" for name, value in attributes) + ' time="'


def _quoted(value: str) -> str:
    return quoteattr(value, {'"': "&quot;"})


def _tests(rng: Random, module: str, areas: tuple[str, ...], count: int) -> list[ProductTest]:
    """`count` tests in classes of 5 to 14; every eighth class is in another module's folder, which then owns it."""
    others = [name for _, name, _, _ in vocabulary.MODULES if name != module]
    places = [(area, topic) for topic in vocabulary.TOPICS for area in areas]
    tests: list[ProductTest] = []
    for number in range(10**6):
        if len(tests) >= count:
            return tests[:count]
        area, topic = places[number % len(places)]
        more = "" if number < len(places) else str(number // len(places) + 1)
        if number % 8 == 5:
            folder, stem = f"{rng.choice(others)}/{module}", f"{module}_{area}_{topic}{more}_test.py"
        else:
            folder, stem = f"{module}/{area}", f"{area}_{topic}{more}_test.py"
        words_of_class = "" if number % 25 == 13 else f"{area}_{topic}{more}"
        class_name = "".join(["Test", *(word.title() for word in words_of_class.split("_"))]) if words_of_class else ""
        tests += _class(rng, f"data_plane/tests/{folder}/{stem}", class_name)
    raise AssertionError("unreachable: every class adds tests")


def _class(rng: Random, file: str, class_name: str) -> list[ProductTest]:
    names: list[str] = []
    for pair in rng.sample(range(len(vocabulary.VERBS) * len(vocabulary.OBJECTS)), rng.randint(5, 12)):
        name = (
            f"test_{vocabulary.VERBS[pair % len(vocabulary.VERBS)]}_{vocabulary.OBJECTS[pair // len(vocabulary.VERBS)]}"
        )
        # A plain function with "::" among its parameters could be read in two ways, so it gets none.
        if class_name and rng.random() < 0.12:
            names += [f"{name}[{value}]" for value in rng.choice(vocabulary.PARAMETERS)]
        else:
            names.append(name)
    return [ProductTest(file, class_name, name, 20 + 14 * position) for position, name in enumerate(names)]
