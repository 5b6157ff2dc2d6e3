"""The suites of a JUnit file: what an open one collects, and what closed ones add to the report."""

from __future__ import annotations

from ingest.parsers import junit_dialects, junit_totals
from ingest.parsers.cases import FAILED, INIT, Case, DeclaredCounts
from ingest.parsers.junit_totals import CATCH2_HOST, PYTEST, SuiteCounts, SuiteTotals
from ingest.parsers.text import Clip, clip, epoch, seconds
from ingest.parsers.totals import Difference

NAME_CHARS = 4 << 10


class JunitSuite:
    """An open suite. Its cases are `cases[first:last]` of the report."""

    __slots__ = (
        "declared", "differs", "elapsed", "empty", "failed", "file", "first", "host", "id", "init", "is_go", "kept",
        "label", "last", "lines", "name", "nested", "output", "own", "parent", "path", "seconds", "start",
    )  # fmt: skip

    def __init__(self, attrs: dict[str, str], parent: JunitSuite | None, first: int, lines: int) -> None:
        get = attrs.get
        self.parent = parent
        name = get("name")
        self.name = name if name is None else clip(name, NAME_CHARS)
        package = get("package")
        self.label = f"{package}.{self.name}" if package and self.name else self.name or package or ""
        self.path: str = junit_dialects.path_of_node(attrs, self.name, parent.path if parent else "")
        self.id = get("id")
        self.file: str = get("file") or (parent.file if parent else "")
        host = get("hostname")
        self.host: str = host if host and host != CATCH2_HOST else parent.host if parent else ""
        start, time = get("timestamp"), get("time")
        self.start: float | None = (epoch(start) if start else None) or (parent.start if parent else None)
        self.seconds = seconds(time) if time else None
        self.declared = SuiteTotals.read(attrs)
        self.lines = lines  # how many differences there were before it
        self.first = self.last = first
        self.empty: list[JunitSuite] | None = None  # nested suites without cases that declare some
        self.elapsed = 0.0
        self.kept = 0  # cases that are directly in this suite
        self.own = SuiteCounts()  # these, without `tests`
        self.nested: SuiteCounts | None = None  # the sum of the nested suites
        self.differs: dict[str, int] = {}  # by measure, how much more these suites declare than they have
        self.init: Case | None = None  # its own <error> or <failure>
        self.failed: list[Case] = []
        self.output: Clip | None = None
        self.is_go = False  # of a tool that converts what go prints


class ClosedSuites:
    """What the closed suites of a report come to, for `Report`. `cases` are those of the reader, which some change."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases
        self.seconds = 0.0
        self.differences: list[Difference] = []
        self.uncounted = 0
        self.unmarked = 0
        self.totals: dict[str | None, DeclaredCounts] = {}
        self.started: float | None = None
        self._distinct: set[tuple[str, str | None, int | None]] = set()

    def __len__(self) -> int:
        """As in Jenkins, a suite without tests does not count, and parts with the same name and id count as one suite;
        here only if they declare no counts of their own."""
        return len(self._distinct)

    def add(self, suite: JunitSuite, is_junit: bool) -> None:
        """Add a suite that has just closed. `is_junit`: the report is one without doubt, even if it has no test."""
        if suite.kept:
            declares = suite.declared is not None and suite.declared.tests is not None
            self._distinct.add((suite.label, suite.id, len(self._distinct) if declares else None))
            self.seconds += suite.elapsed if suite.seconds is None else suite.seconds
        self._check_totals(suite, is_junit)
        if suite.kept:
            junit_dialects.remove_positions(self.cases, suite.first)
        self._note_totals(suite)
        tests = suite.declared.tests if suite.declared is not None and suite.name == PYTEST else None
        if tests is not None and tests < suite.kept + suite.own.errors:
            cases = self.cases[suite.first :]
            self.unmarked += junit_dialects.mark_reruns_of_pytest(cases, tests)
            self.cases[suite.first :] = cases

    def _note_totals(self, suite: JunitSuite) -> None:
        """Keep the totals by which repeated results are judged."""
        declared = suite.declared
        if declared is None and not suite.is_go:
            return
        failed = None if declared is None or declared.failures is None is declared.errors else declared.failed
        counts = DeclaredCounts(None if declared is None else declared.tests, failed, suite.is_go)
        if suite.kept:
            known = self.totals.get(suite.label)
            self.totals[suite.label] = counts if known is None else known.plus(counts)
        if suite.parent is None:
            self.totals[None] = counts

    def _check_totals(self, suite: JunitSuite, is_junit: bool) -> None:
        """Compare what a suite declares with what it has, and add it to the suite around it."""
        own, declared, parent = suite.own, suite.declared, suite.parent
        own.tests, suite.last = suite.kept, len(self.cases)
        total = own
        if suite.nested is not None:
            total = suite.nested
            total.add(own)
        if suite.empty:
            self._compare_empty(suite, total)
        if declared is not None and parent is not None and declared.tests and not total.tests:
            parent.empty = [*(parent.empty or ()), suite]
        elif declared is not None:
            self._compare(suite, declared, total)
        self.started = self.started or suite.start
        if parent is not None:
            parent.nested = parent.nested or SuiteCounts()
            parent.nested.add(total)
            if suite.differs:
                _add_differences(parent, suite)
            return
        if is_junit and declared is not None and declared.failed and not self.cases:
            self._add_missing_failure(suite, declared.failed)

    def _compare_empty(self, suite: JunitSuite, total: SuiteCounts) -> None:
        """Compare the nested suites that declare tests and have none; one without a name may sum up the others."""
        for empty in suite.empty or ():
            if empty.declared is not None and (empty.label or not junit_totals.sums_up(empty.declared, total)):
                self._compare(empty, empty.declared, SuiteCounts())
                _add_differences(suite, empty)

    def _compare(self, suite: JunitSuite, declared: SuiteTotals, total: SuiteCounts) -> None:
        if declared.is_exact(total):
            suite.differs = {}
            return
        own = suite.own if suite.kept or suite.parent is not None else total
        found = junit_totals.differences(declared, own, total, self.cases[suite.first : suite.last])
        left_out = declared.skipped_tests - total.skipped
        if left_out > 0 and left_out == suite.differs.get("tests"):
            # The tests that the nested suites lack are skipped ones, as only this one says.
            del suite.differs["tests"]
            self.differences[suite.lines :] = [one for one in self.differences[suite.lines :] if one.measure != "tests"]
            found.pop("tests", None)
            found.pop("skipped tests", None)
        # What nested suites declare wrongly, the sums around them declare wrongly too.
        more = {measure: count - read for measure, (count, read) in found.items()}
        new = {measure: numbers for measure, numbers in found.items() if suite.differs.get(measure) != more[measure]}
        suite.differs = more
        element = f"suite {clip(suite.label, 100)!r}" if suite.parent is not None and suite.label else ""
        # pytest counts subtests that passed, and does not write them; it writes the whole file at the end.
        uncounted = ("tests",) if declared.is_of_pytest and total.tests else ()
        self.differences += [
            Difference(measure, count, read, element, measure in uncounted) for measure, (count, read) in new.items()
        ]

    def _add_missing_failure(self, suite: JunitSuite, failed: int) -> None:
        """A report that declares failures and has no test at all: it failed before its tests."""
        message = f"The report declares {failed} failed, but has no test: it failed before its tests."
        self.cases.append(
            Case(
                clip(suite.file, NAME_CHARS),
                suite.name or "",
                INIT,
                FAILED,
                "error",
                message=message,
                host=suite.host,
                suite=suite.label,
                started_at=suite.start,
            )
        )
        self.uncounted += 1


def _add_differences(outer: JunitSuite, inner: JunitSuite) -> None:
    for measure, more in inner.differs.items():
        outer.differs[measure] = outer.differs.get(measure, 0) + more
