"""`regtracker check`: can each source be read, and what would its rules make of its last builds? Nothing is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from data.settings import SourceSettings
from ingest.build_download import claimed_by, read_build_map, read_build_object, read_files
from ingest.build_reader import utc_now
from ingest.build_rows import read_results
from ingest.candidates import described
from ingest.discovery import iter_builds
from ingest.jenkins.build_details import BuildDetail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError, NotFoundError
from ingest.layouts import layout_of
from ingest.layouts.orchestrator import MAP_FILE, OrchestratorLayout
from ingest.naming_rules import UNKNOWN
from ingest.parsers.zip_archive import BadArchiveError

BUILDS = 3  # of a job that are looked at
JOBS = 5  # of a folder


@dataclass
class Finding:
    """What was found of one source. `problems` stop ingestion; `remarks` say which rule matched nothing."""

    source: str
    url: str
    jenkins: str | None = None  # its version
    jobs: int = 0
    builds: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "ok": not self.problems}

    def lines(self) -> Iterator[str]:
        """The same for people."""
        state = "cannot be used" if self.problems else "ok"
        yield f"source {self.source}: {state}; Jenkins {self.jenkins or 'unknown'}, {self.jobs} jobs"
        yield from (f"  problem: {problem}" for problem in self.problems)
        for row in self.builds:
            yield f"  {row['job']} #{row['number']} {row['display_name']!r} ({row['state']}): {'; '.join(_facts(row))}"
        yield from (f"  remark: {remark}" for remark in self.remarks)


def _facts(row: dict[str, Any]) -> Iterator[str]:
    yield f"release {row['release']}"
    yield f"version {row['version'] or 'none'}"
    yield f"environment {row['environment']}"
    yield f"modules {', '.join(row['modules'])}" if "modules" in row else f"module {row['module']}"
    yield from (f"{count} files {rule}" for rule, count in row.get("files", {}).items())
    if "tests" in row:
        owners = ", ".join(f"{owner} {count}" for owner, count in row["owners"].items())
        yield f"{row['tests']} tests" + (f" owned by {owners}" if owners else "")


def check(source: SourceSettings) -> Finding:
    """Ask one source what a poll would ask, a few builds deep."""
    finding = Finding(source.name, source.url)
    jenkins = Jenkins(source)
    try:
        _look(jenkins, source, finding)
    except JenkinsError as error:
        finding.problems.append(str(error))
    finding.jenkins = jenkins.version
    if not finding.problems and jenkins.version is None:
        finding.remarks.append("no answer names a version of Jenkins (X-Jenkins): is this a Jenkins?")
    return finding


def _look(jenkins: Jenkins, source: SourceSettings, finding: Finding) -> None:
    layout = layout_of(source)
    try:
        jobs = layout.jobs(jenkins)
    except NotFoundError as error:
        jenkins.api("", "nodeDescription")  # tells a wrong address from a wrong name
        finding.problems.append(f"{error} The name is taken from source.job = {source.job!r}.")
        return
    finding.jobs = len(jobs)
    if not jobs:
        finding.problems.append(
            f"no job below {source.job.strip('/') or 'the root'!r} is let in by include = {source.include}"
        )
    for job in jobs[:JOBS]:
        with _noted(finding):
            numbers = [number for number, _ in islice(iter_builds(jenkins, job.job, first=BUILDS), BUILDS)]
            if not numbers:
                finding.remarks.append(f"{job.job} has no builds")
            for number in numbers:
                with _noted(finding):
                    detail, _ = read_build_object(jenkins, job.job, number)
                    if isinstance(layout, OrchestratorLayout):
                        _look_at_parent(jenkins, source, layout, detail, finding)
                    else:
                        _look_at_build(jenkins, source, layout, detail, finding, [])
    _sum_up(source, finding)


@contextmanager
def _noted(finding: Finding) -> Iterator[None]:
    """What is wrong with one job or build is noted, and the others are looked at all the same."""
    try:
        yield
    except JenkinsError as error:
        if error.everywhere:
            raise
        finding.problems.append(str(error))


def _look_at_parent(
    jenkins: Jenkins, source: SourceSettings, layout: OrchestratorLayout, detail: BuildDetail, finding: Finding
) -> None:
    build_map, _ = read_build_map(jenkins, detail, MAP_FILE)
    run = layout.parent(detail, detail.started_at or utc_now(), None)
    listed = layout.listed(detail, build_map)
    finding.builds.append(described(detail, run) | {"modules": sorted(module for _, _, module in listed)})
    if not listed and detail.final:
        finding.remarks.append(f"{detail.job} #{detail.number} lists no module builds (no artifact {MAP_FILE})")
    started = [(job, number) for job, number, _ in listed if number]
    if started and len(finding.builds) == 1:
        module, _ = read_build_object(jenkins, *started[0])
        _look_at_build(jenkins, source, layout, module, finding, [run])


def _look_at_build(
    jenkins: Jenkins, source: SourceSettings, layout, detail: BuildDetail, finding: Finding, parents
) -> None:
    place = layout.place(detail, detail.started_at or utc_now(), parents, None)
    files = Counter(claimed_by(source.results, path) or "of no rule" for path in detail.artifacts)
    row = described(detail, place) | {"module": place.module, "files": dict(files)}
    finding.builds.append(row)
    if sum("tests" in build for build in finding.builds) == 0:
        with read_files(jenkins, source, detail) as files:
            try:
                results = read_results(source, files, detail.number)
            except BadArchiveError as error:
                finding.remarks.append(f"{detail.job} #{detail.number}: {error}")
                return
        finals = [case for case in results.cases if case.is_final]
        row["tests"] = len(finals)
        row["owners"] = dict(Counter(layout.rules.owner(case.file, place.module) for case in finals).most_common(20))
        finding.remarks += results.warnings[:3]
        if detail.final and not finals:
            finding.remarks.append(f"{detail.job} #{detail.number}: no results; source.results = {source.results}")


def _sum_up(source: SourceSettings, finding: Finding) -> None:
    nowhere = [f"{row['job']} #{row['number']}" for row in finding.builds if row["release"] == UNKNOWN]
    if nowhere:
        names = {row["display_name"] for row in finding.builds if row["release"] == UNKNOWN}
        finding.remarks.append(
            f"no release for {', '.join(nowhere[:3])}: source.version = {source.version!r} was searched in the display "
            f"names ({', '.join(sorted(names)[:3])}) and in the parameters"
        )
