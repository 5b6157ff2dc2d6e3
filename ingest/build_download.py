"""Download one build from Jenkins: its description and its result files, in few requests.

The result files of a stored build come from `kept_files` (ingest/build_files.py) instead: `rebuild` needs no Jenkins.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

from data.model.build_record import RawFile
from data.model.json_values import JsonObject
from data.settings import SourceSettings
from data.write import raw_files
from data.write.raw_files import AXIS_END
from ingest.artifacts import claimed_by, zip_path
from ingest.build_files import DownloadedFiles, ResultFiles
from ingest.jenkins.build_details import TREE, Axis, JenkinsBuildDetail, read_build_detail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import InvalidResponseError, LoginRedirectError, NotFoundError, ServerError
from ingest.jenkins.urls import artifact_path, build_path

MAX_SINGLE_FILES = 500  # of a server that does not zip artifacts; usually two files or more come as one zip

_CASE = "className,name,status,duration,skipped,skippedMessage,errorDetails,errorStackTrace"
_SUITES = f"suites[name,timestamp,duration,enclosingBlockNames,cases[{_CASE}]]"
_REPORT = f"duration,failCount,passCount,skipCount,totalCount,{_SUITES}"
TESTNG_TREE = (
    "total,fail-config,skip-config,"
    "package[name,classs[name,test-method[name,className,status,duration,startedAt,exception,parameters]]]"
)
REPORT_TREE = f"{_REPORT},childReports[child[number,url],result[{_REPORT}]]"


def read_build_object(jenkins: Jenkins, job: str, number: int) -> tuple[JenkinsBuildDetail, RawFile]:
    """A build's description, and the raw file of it. Raises JenkinsError."""
    answer = jenkins.api(build_path(job, number), TREE)
    return read_build_detail(job, number, answer), raw_files.pack("build.json", "build", json.dumps(answer).encode())


def read_build_map(jenkins: Jenkins, detail: JenkinsBuildDetail, name: str) -> tuple[JsonObject | None, RawFile | None]:
    """The artifact in which an orchestrating build lists its module builds, and the raw file of it; None without one.

    Raises JenkinsError.
    """
    found = [path for path in detail.artifacts if path.rpartition("/")[2] == name]
    if detail.artifacts and not found:
        return None, None
    path = artifact_path(detail.job, detail.number, found[0] if found else name)
    try:
        with jenkins.download(path) as file:
            content = file.read()
    except NotFoundError:
        return None, None
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise InvalidResponseError(f"{jenkins.url(path)} is not JSON ({error}). It will be tried again.") from None
    if not isinstance(answer, dict):
        raise ServerError(f"{jenkins.url(path)} is not a JSON object from module to build number.")
    return answer, raw_files.pack(name, "build_map", content)


def read_files(jenkins: Jenkins, source: SourceSettings, detail: JenkinsBuildDetail) -> ResultFiles:
    """The files that the source's `results` name; `test_report` and `console` only if no entry before them gave a file.

    The files of a matrix build's axes are read if the build itself has neither files nor an aggregated report.
    Raises JenkinsError.
    """
    files = ResultFiles()
    try:
        _read_into(files, jenkins, source, detail)
        for axis in detail.axes if not files.downloads else ():
            _read_axis(files, jenkins, source, detail, axis)
    except BaseException:
        files.close()
        raise
    return files


def _read_axis(
    files: ResultFiles, jenkins: Jenkins, source: SourceSettings, detail: JenkinsBuildDetail, axis: Axis
) -> None:
    own = ResultFiles()
    try:
        axis_build = JenkinsBuildDetail(f"{detail.job}/{axis.name}", detail.number, artifacts=axis.artifacts)
        _read_into(own, jenkins, source, axis_build)
    except NotFoundError as error:
        own.remark([("", str(error))])
    finally:
        files.downloads += [replace(file, path=f"{axis.name}{AXIS_END}{file.path}") for file in own.downloads]
        if own.remarks:
            files.remark([(f"{axis.name}{AXIS_END}{path}", text) for path, text in own.remarks])


def _read_into(files: ResultFiles, jenkins: Jenkins, source: SourceSettings, detail: JenkinsBuildDetail) -> None:
    claims: dict[str | None, list[str]] = defaultdict(list)
    for artifact in detail.artifacts:
        claims[claimed_by(source.results, artifact)].append(artifact)
    path = build_path(detail.job, detail.number)
    for entry in source.results:
        paths = claims[entry]
        if len(paths) > 1:
            _add_zip(jenkins, detail, entry, paths, files)
        elif paths:
            _add_singles(jenkins, detail, entry, paths, files)
        elif entry == "test_report" and not files.downloads and detail.may_have_tests:
            _add_report(jenkins, path, detail, files)
        elif entry == "console" and not files.downloads and not detail.axes:
            _add_console(jenkins, path, files)


def _add_console(jenkins: Jenkins, path: str, files: ResultFiles) -> None:
    try:
        stream = jenkins.download(f"{path}consoleText")
    except NotFoundError:
        files.remark([("console.txt", "Jenkins has the build, but not its console log (404)")])
    else:
        files.downloads.append(DownloadedFiles("console.txt", "console", False, stream))


def _add_report(jenkins: Jenkins, path: str, detail: JenkinsBuildDetail, files: ResultFiles) -> None:
    """The test report of the plugin that counted the build's tests: junit or TestNG."""
    testng = detail.counters is not None and detail.counters.report == "testngreports"
    name, kind, tree = (
        ("testngreports", "testng_json", TESTNG_TREE) if testng else ("testReport", "test_report", REPORT_TREE)
    )
    try:
        stream = jenkins.download(f"{path}{name}/api/json", "json", tree)
    except NotFoundError:
        return
    if detail.axes and b'"childReports"' not in stream.read():
        stream.close()  # only counts: the results are in the axis builds
        return
    files.downloads.append(DownloadedFiles(f"{kind}.json", kind, False, stream))


def _add_singles(
    jenkins: Jenkins, detail: JenkinsBuildDetail, entry: str, paths: list[str], files: ResultFiles
) -> None:
    kind = entry.partition(":")[0]
    for path in paths[:MAX_SINGLE_FILES]:
        try:
            stream = jenkins.download(artifact_path(detail.job, detail.number, path))
        except NotFoundError:
            files.remark([(path, "the build lists this artifact, but Jenkins no longer has it (404)")])
        else:
            files.downloads.append(DownloadedFiles(path, kind, False, stream))
    if len(paths) > MAX_SINGLE_FILES:
        text = f"{len(paths)} files but no zip: the files from this one on were left out"
        files.remark([(paths[MAX_SINGLE_FILES], text)])


def _add_zip(jenkins: Jenkins, detail: JenkinsBuildDetail, entry: str, paths: list[str], files: ResultFiles) -> None:
    kind, _, glob = entry.partition(":")
    path = f"{build_path(detail.job, detail.number)}artifact/{zip_path(glob)}"
    try:
        stream = jenkins.download(path, "zip")
    except (NotFoundError, ServerError, LoginRedirectError):
        # External artifact storage, or a server that is not Jenkins, may not make zips.
        _add_singles(jenkins, detail, entry, paths, files)
    else:
        files.downloads.append(DownloadedFiles(glob, kind, True, stream))
