"""Renders a module build's results as the files its job archives: order and rerun logs, JUnit XML, unrelated files.

A topology's XML and rerun log appear when its session has ended; its order log grows line by line.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from random import Random
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ingest.simulator import failure_messages
from ingest.simulator.failure_messages import ESCAPE
from ingest.simulator.jenkins_items import ArtifactFiles, PublishedReport
from ingest.simulator.programme import (
    BAD_HOST,
    ERROR,
    FAILED,
    NONE,
    SKIPPED,
    STATUS_NAMES,
    STORM,
    DrawnResults,
    Programme,
)
from ingest.simulator.published_reports import ReportCase, ReportSuite
from ingest.simulator.timeline import Execution, PlannedRun

AGENTS = 12
SKIP_REASON = "needs a testbed with two uplinks"
PADDED = tuple(f"{name:<7}" for name in STATUS_NAMES)


def build_map(run: PlannedRun, now: float) -> bytes:
    """The orchestrator's record of what it started, module by module."""
    return json.dumps({e.module.map_key: e.number for e in run.all_builds if e.started <= now}, indent=2).encode()


def files(programme: Programme, execution: Execution, now: float) -> ArtifactFiles:
    """Path -> content of the artifacts that exist at `now`, none for a build that failed before its tests."""
    found: ArtifactFiles = {}
    module, results = execution.module, programme.results(execution)
    prefix = f"results/logs/{int(execution.started)}_{module.short}"
    for topology, begin, end, complete in sessions(programme, execution, now):
        found[f"{prefix}_{topology}.order.txt"] = partial(order_log, programme, execution, begin, end)
        if complete:
            path = f"results/reports/junit/{topology}/report_1.xml"
            found[path] = partial(junit_xml, programme, execution, begin, end)
            if (results.rerun[begin:end] != NONE).any():
                path = f"results/logs/re_run_{module.short}_{topology}.order.txt"
                found[path] = partial(rerun_log, programme, execution, begin, end)
    if found:
        found["results/version.txt"] = lambda: f"{execution.run.version}\n".encode()
        if now >= execution.ended:
            found["results/reports/coverage.xml"] = lambda: _coverage(execution)
    return found


def sessions(programme: Programme, execution: Execution, now: float) -> list[tuple[str, int, int, bool]]:
    """(topology, first row, row after the last that has run, whether it is complete), one per topology begun."""
    seen, module = programme.visible(execution, now), execution.module
    ends = np.searchsorted(programme.results(execution).slot, module.topology_end).tolist()
    spans = zip(module.topologies, [0, *ends], ends, strict=False)
    return [(name, begin, min(end, seen), seen >= end) for name, begin, end in spans if begin < min(end, seen)]


def order_log(programme: Programme, execution: Execution, begin: int, end: int) -> bytes:
    """One line per test in the order of execution, with its first status."""
    results, rows = programme.results(execution), slice(begin, end)
    return _log_lines(programme, execution, results.slot[rows], results.host[rows], results.first[rows])


def rerun_log(programme: Programme, execution: Execution, begin: int, end: int) -> bytes:
    """The same for the reruns."""
    results = programme.results(execution)
    rows = begin + (results.rerun[begin:end] != NONE).nonzero()[0]
    return _log_lines(programme, execution, results.slot[rows], results.host[rows], results.rerun[rows])


def _log_lines(
    programme: Programme, execution: Execution, slot: np.ndarray, host: np.ndarray, status: np.ndarray
) -> bytes:
    text = execution.module.log_text
    marks = [f"  [{name}] {status} " for name in _hosts(programme, execution) for status in PADDED]
    rows = zip(slot.tolist(), (host * len(PADDED) + status).tolist(), strict=True)
    return "".join([f"{n:>5}{marks[m]}{text[k]}\n" for n, (k, m) in enumerate(rows, 1)]).encode()


def junit_xml(programme: Programme, execution: Execution, begin: int, end: int) -> bytes:
    """The report of one session in pytest's xunit1 dialect: first attempts only, as the session wrote them."""
    results = programme.results(execution)
    text = execution.module.xml_text
    slots, first = results.slot[begin:end].tolist(), results.first[begin:end]
    durations = results.duration[begin:end].tolist()
    rows = [f'{text[k]}{d / 1000:.3f}"/>\n' for k, d in zip(slots, durations, strict=True)]
    for row in first.nonzero()[0].tolist():
        opening = rows[row].removesuffix("/>\n")
        rows[row] = f"{opening}>{_outcome(programme, execution, results, begin + row)}</testcase>\n"
    counts = {status: int((first == status).sum()) for status in (FAILED, ERROR, SKIPPED)}
    started, where = datetime.fromtimestamp(execution.started, UTC).isoformat(), agent(execution)
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>'
        f'<testsuite name="pytest" errors="{counts[ERROR]}" failures="{counts[FAILED]}" skipped="{counts[SKIPPED]}" '
        f'tests="{end - begin}" time="{sum(durations) / 1000:.3f}" timestamp="{started}" hostname="{where}">\n'
    )
    return "".join([head, *rows, "</testsuite></testsuites>\n"]).encode()


def _outcome(programme: Programme, execution: Execution, results: DrawnResults, row: int) -> str:
    if results.first[row] == SKIPPED:
        test = execution.module.tests[execution.module.test[results.slot[row]]]
        where = escape(f"{test.file}:{test.line}: {SKIP_REASON}")
        return f'<skipped type="pytest.skip" message="{SKIP_REASON}">{where}</skipped>'
    texts = failure(programme, execution, row)
    tag = "error" if results.first[row] == ERROR else "failure"
    return (
        f"<{tag} message={quoteattr(_printable(texts.message))}>{escape(_printable(texts.trace))}</{tag}>"
        f"<system-out>{escape(_printable(texts.output))}</system-out>"
    )


def _printable(text: str) -> str:
    """XML 1.0 has no escape character; pytest writes it out."""
    return text.replace(ESCAPE, "#x1B")


def failure(programme: Programme, execution: Execution, row: int) -> failure_messages.FailureText:
    """The text of the first attempt that failed at `row` of the results."""
    results, module = programme.results(execution), execution.module
    slot, cause = int(results.slot[row]), int(results.cause[row])
    test = module.tests[module.test[slot]]
    families = failure_messages.ERRORS if results.first[row] == ERROR else failure_messages.FAILURES
    if cause in (STORM, BAD_HOST):
        template = failure_messages.STORM if cause == STORM else failure_messages.BAD_HOST
    else:
        family = results.changes[cause].family if cause >= 0 else int(module.test[slot])
        template = families[family % len(families)]
    rng = Random(((programme.seed * 64 + module.index) * 1_000_003 + execution.number) * 8191 + slot)
    return failure_messages.failure_text(rng, test, template, _hosts(programme, execution)[results.host[row]])


def test_report(programme: Programme, execution: Execution, now: float) -> PublishedReport | None:
    """What Jenkins makes of the XML; None while there is none."""
    results = programme.results(execution)
    suites: list[ReportSuite] = []
    for _, begin, end, complete in sessions(programme, execution, now):
        if complete:
            cases = [_case(programme, execution, results, row) for row in range(begin, end)]
            seconds = round(sum(case["duration"] for case in cases), 3)
            started = datetime.fromtimestamp(execution.started, UTC).isoformat()
            suites.append({"name": "pytest", "duration": seconds, "timestamp": started, "cases": cases})
    return {"suites": suites} if suites else None


def report_counts(programme: Programme, execution: Execution, now: float) -> dict[str, int] | None:
    """The counts of that report, without making it."""
    seen = [(begin, end) for _, begin, end, complete in sessions(programme, execution, now) if complete]
    if not seen:
        return None
    first = np.concatenate([programme.results(execution).first[begin:end] for begin, end in seen])
    return {
        "failCount": int(((first == FAILED) | (first == ERROR)).sum()),
        "skipCount": int((first == SKIPPED).sum()),
        "totalCount": len(first),
    }


def _case(programme: Programme, execution: Execution, results: DrawnResults, row: int) -> ReportCase:
    module, status = execution.module, int(results.first[row])
    test = module.tests[module.test[results.slot[row]]]
    texts = failure(programme, execution, row) if status in (FAILED, ERROR) else None
    return {
        "className": test.dotted_class,
        "name": test.name,
        "duration": int(results.duration[row]) / 1000,
        "status": "FAILED" if texts else STATUS_NAMES[status],
        "skipped": status == SKIPPED,
        "skippedMessage": SKIP_REASON if status == SKIPPED else None,
        "errorDetails": _printable(texts.message) if texts else None,
        "errorStackTrace": _printable(texts.trace) if texts else None,
        "stdout": _printable(texts.output) if texts else None,
        "stderr": None,
    }


def console(programme: Programme, execution: Execution, now: float) -> str:
    """The log so far, without console notes."""
    module, results = execution.module, programme.results(execution)
    lines = [f"Running on {agent(execution)} in /var/lib/jenkins/workspace/{module.job}", "+ ./install.sh"]
    if execution.fate == "broken" and now >= execution.ended:
        lines += [
            "tar: release.tar.gz: Cannot open: No such file or directory",
            f"{ESCAPE}[31mERROR: {execution.run.version} was not installed, no test ran{ESCAPE}[0m",
            "Build step 'Execute shell' marked build as failure",
        ]
    for row in range(programme.visible(execution, now)):
        status = STATUS_NAMES[results.first[row]]
        lines.append(f"{module.log_text[results.slot[row]]} {status}")
        if status in ("FAILED", "ERROR"):
            lines.append(f"E   {failure(programme, execution, row).message}")
    if now >= execution.ended and execution.fate == "aborted":
        lines.append("Aborted by Ada Berg")
    return "\n".join(lines) + "\n"


def agent(execution: Execution) -> str:
    return f"agent-{1 + (execution.module.index * 5 + execution.number) % AGENTS:02d}"


def _hosts(programme: Programme, execution: Execution) -> list[str]:
    return programme.host_names(execution.run.release, execution.module)


def _coverage(execution: Execution) -> bytes:
    """An XML file that is not a test report."""
    rate = 0.7 + (execution.number % 10) / 100
    return f'<?xml version="1.0"?>\n<coverage line-rate="{rate:.2f}" version="7.6"><packages/></coverage>\n'.encode()
