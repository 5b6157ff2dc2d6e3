"""`regtracker check`: try to read each source, and apply its rules to its last builds. Nothing is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import NotRequired

from data.model.json_values import JsonObject
from data.model.run_record import RunRecord
from data.number_text import counted
from data.settings import LimitSettings, SourceSettings
from ingest.artifacts import claimed_by
from ingest.build_download import read_build_map, read_build_object, read_files
from ingest.build_results import read_results
from ingest.candidates import DescribedBuild, describe
from ingest.clock import utc_now
from ingest.discovery import iter_builds
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError, NotFoundError
from ingest.layouts import layout_of
from ingest.layouts.job import JobLayout
from ingest.layouts.naming_rules import UNKNOWN
from ingest.layouts.orchestrator import MAP_FILE, OrchestratorLayout
from ingest.parsers.allowance import Allowance, LimitError
from ingest.parsers.zip_archive import BadArchiveError

BUILDS = 3  # checked per job
JOBS = 5  # checked per source


class CheckedBuild(DescribedBuild):
    """`modules`: of an orchestrating build; the others of a build. `tests` and `owners`: of the one whose results were
    read."""

    modules: NotRequired[list[str]]
    module: NotRequired[str]
    files: NotRequired[dict[str, int]]
    tests: NotRequired[int]
    owners: NotRequired[dict[str, int]]


@dataclass
class Finding:
    """The result for one source. `problems` stop ingestion; `remarks` name rules that matched nothing."""

    source: str
    url: str
    jenkins: str | None = None  # its version
    jobs: int = 0
    builds: list[CheckedBuild] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def document(self) -> JsonObject:
        return {**asdict(self), "ok": not self.problems}

    def lines(self) -> Iterator[str]:
        """The finding as text."""
        state = "cannot be used" if self.problems else "ok"
        yield f"source {self.source}: {state}; Jenkins {self.jenkins or 'unknown'}, {counted(self.jobs, 'job')}"
        yield from (f"  problem: {problem}" for problem in self.problems)
        for row in self.builds:
            yield f"  {row['job']} #{row['number']} {row['display_name']!r} ({row['state']}): {'; '.join(_facts(row))}"
        yield from (f"  remark: {remark}" for remark in self.remarks)


def _facts(row: CheckedBuild) -> Iterator[str]:
    yield f"release {row['release']}"
    yield f"version {row['version'] or 'none'}"
    yield f"environment {row['environment']}"
    yield f"modules {', '.join(row['modules'])}" if "modules" in row else f"module {row['module']}"
    yield from (f"{counted(count, 'file')} {rule}" for rule, count in row.get("files", {}).items())
    if "tests" in row:
        owners = ", ".join(f"{owner} {count}" for owner, count in row["owners"].items())
        yield counted(row["tests"], "test") + (f" owned by {owners}" if owners else "")


def check(source: SourceSettings) -> Finding:
    """Read a source as a poll would, for a few builds."""
    finding = Finding(source.name, source.url)
    jenkins = Jenkins(source)
    try:
        _check_source(jenkins, source, finding)
    except JenkinsError as error:
        finding.problems.append(str(error))
    finding.jenkins = jenkins.version
    if not finding.problems and jenkins.version is None:
        finding.remarks.append("no answer has an X-Jenkins header: is this a Jenkins?")
    return finding


def _check_source(jenkins: Jenkins, source: SourceSettings, finding: Finding) -> None:
    layout = layout_of(source)
    try:
        jobs = layout.jobs(jenkins)
    except NotFoundError as error:
        jenkins.api("", "nodeDescription")  # raises if the address is wrong, and not only the name
        finding.problems.append(f"{error} The name comes from source.job = {source.job!r}.")
        return
    finding.jobs = len(jobs)
    if not jobs:
        finding.problems.append(
            f"no job below {source.job.strip('/') or 'the root'!r} matches include = {source.include}"
        )
    for job in jobs[:JOBS]:
        with _continue_on_error(finding):
            numbers = [number for number, _ in islice(iter_builds(jenkins, job.job, first=BUILDS), BUILDS)]
            if not numbers:
                finding.remarks.append(f"{job.job} has no builds")
            for number in numbers:
                with _continue_on_error(finding):
                    detail, _ = read_build_object(jenkins, job.job, number)
                    if isinstance(layout, OrchestratorLayout):
                        _check_parent(jenkins, source, layout, detail, finding)
                    else:
                        _check_build(jenkins, source, layout, detail, finding, [])
    _note_missing_releases(source, finding)


@contextmanager
def _continue_on_error(finding: Finding) -> Iterator[None]:
    """Add an error of one job or build to the problems, and go on with the others."""
    try:
        yield
    except JenkinsError as error:
        if error.everywhere:
            raise
        finding.problems.append(str(error))


def _check_parent(
    jenkins: Jenkins, source: SourceSettings, layout: OrchestratorLayout, detail: JenkinsBuildDetail, finding: Finding
) -> None:
    build_map, _ = read_build_map(jenkins, detail, MAP_FILE)
    run = layout.parent(detail, detail.started_at or utc_now(), None)
    module_builds = layout.listed_builds(detail, build_map)
    finding.builds.append({**describe(detail, run), "modules": sorted(module for _, _, module in module_builds)})
    if not module_builds and detail.final:
        finding.remarks.append(f"{detail.job} #{detail.number} lists no module builds (no artifact {MAP_FILE})")
    started = [(job, number) for job, number, _ in module_builds if number]
    if started and len(finding.builds) == 1:
        module, _ = read_build_object(jenkins, *started[0])
        _check_build(jenkins, source, layout, module, finding, [run])


def _check_build(
    jenkins: Jenkins,
    source: SourceSettings,
    layout: JobLayout,
    detail: JenkinsBuildDetail,
    finding: Finding,
    parents: Sequence[RunRecord],
) -> None:
    placement = layout.placement(detail, detail.started_at or utc_now(), parents, None)
    claims = Counter(claimed_by(source.results, path) or "that no rule matches" for path in detail.artifacts)
    row: CheckedBuild = {**describe(detail, placement), "module": placement.module, "files": dict(claims)}
    finding.builds.append(row)
    if any("tests" in build for build in finding.builds):
        return
    with read_files(jenkins, source, detail) as files:
        try:
            results = read_results(source, files, detail.number, allowance=Allowance(**LimitSettings().model_dump()))
        except (BadArchiveError, LimitError) as error:
            finding.remarks.append(f"{detail.job} #{detail.number}: {error}")
            return
    finals = [case for case in results.cases if case.is_final]
    row["tests"] = len(finals)
    row["owners"] = dict(Counter(layout.rules.owner(case.file, placement.module) for case in finals).most_common(20))
    finding.remarks += [str(warning) for warning in results.warnings[:3]]
    if detail.final and not finals:
        finding.remarks.append(f"{detail.job} #{detail.number}: no results; source.results = {source.results}")


def _note_missing_releases(source: SourceSettings, finding: Finding) -> None:
    unnamed = [f"{row['job']} #{row['number']}" for row in finding.builds if row["release"] == UNKNOWN]
    if unnamed:
        names = {row["display_name"] for row in finding.builds if row["release"] == UNKNOWN}
        finding.remarks.append(
            f"no release for {', '.join(unnamed[:3])}: source.version = {source.version!r} was searched in the display "
            f"names ({', '.join(sorted(names)[:3])}) and in the parameters"
        )
