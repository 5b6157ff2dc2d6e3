"""Reads one build from Jenkins: what it says of itself, and the files of its results, in few requests."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, BinaryIO

from data.model.build_record import RawFile
from data.settings import SourceSettings
from data.write import raw_files
from data.write.raw_files import AXIS_END
from ingest.jenkins.build_details import TREE, Axis, BuildDetail, read_build_detail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import InvalidResponseError, LoginRedirectError, NotFoundError, ServerError
from ingest.jenkins.urls import artifact_path, build_path, encode
from ingest.parsers.zip_archive import BadArchiveError, members

# One file is fetched by itself; from two on, one zip of them all.
SINGLE = 1
MOST_SINGLE = 500  # files fetched one by one from a server that makes no zip
RAW_LIMIT = 32 << 20  # bytes of one raw file that are kept; a larger one is read, but not kept

_CASE = "className,name,status,duration,skipped,skippedMessage,errorDetails,errorStackTrace"
_SUITES = f"suites[name,timestamp,duration,enclosingBlockNames,cases[{_CASE}]]"
_REPORT = f"duration,failCount,passCount,skipCount,totalCount,{_SUITES}"
TESTNG_TREE = (
    "total,fail-config,skip-config,"
    "package[name,classs[name,test-method[name,className,status,duration,startedAt,exception,parameters]]]"
)
REPORT_TREE = f"{_REPORT},childReports[child[number,url],result[{_REPORT}]]"


@dataclass
class DownloadedFiles:
    """One file, or a zip of several, as it came. A zip's path is the pattern that it was asked for with. What an axis
    build gave has the axis before its path: `os=debian12//reports/junit.xml`."""

    path: str
    kind: str
    is_zip: bool
    stream: BinaryIO

    def keep(self) -> RawFile | None:
        """As a raw file for the store; None where it is too large."""
        size = self.stream.seek(0, 2)
        if size > RAW_LIMIT:
            return None
        self.stream.seek(0)
        return (raw_files.pack_zip if self.is_zip else raw_files.pack)(self.path, self.kind, self.stream.read())


@dataclass
class ResultFiles:
    """The result files of one build. `remarks` are (path, what is wrong), `flags` keys of data.model.build_record.FLAGS."""

    fetched: list[DownloadedFiles] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)

    def remark(self, remarks: Iterable[Sequence[str]]) -> None:
        """Note what could not be fetched."""
        self.flags.add("unreadable")
        self.remarks += [(path, text) for path, text in remarks]

    def keep(self) -> list[RawFile] | None:
        """All of it as raw files; None where one is too large."""
        kept = [file.keep() for file in self.fetched]
        if self.remarks:
            kept.append(raw_files.pack("remarks.json", "remarks", json.dumps(self.remarks).encode()))
        return None if None in kept else kept

    def __enter__(self) -> ResultFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.fetched:
            file.stream.close()


def kept_files(kept: Iterable[RawFile]) -> ResultFiles:
    """The result files of a build as they were fetched, from what was kept."""
    files = ResultFiles()
    for file in kept:
        if file.kind == "remarks":
            files.remark(json.loads(raw_files.unpack(file)))
        elif file.kind not in ("build", "upstream"):
            stream = io.BytesIO(raw_files.unpack(file))
            files.fetched.append(DownloadedFiles(file.path, file.kind, file.encoding == "zip", stream))
    return files


def read_build_object(jenkins: Jenkins, job: str, number: int) -> tuple[BuildDetail, RawFile]:
    """A build's own description, and the raw file that keeps it. Raises JenkinsError."""
    answer = jenkins.api(build_path(job, number), TREE)
    return read_build_detail(job, number, answer), raw_files.pack("build.json", "build", json.dumps(answer).encode())


def detail_of(file: RawFile, job: str, number: int) -> BuildDetail:
    """The inverse, from what was kept."""
    return read_build_detail(job, number, json.loads(raw_files.unpack(file)))


def read_build_map(jenkins: Jenkins, detail: BuildDetail, name: str) -> tuple[dict[str, Any] | None, RawFile | None]:
    """The artifact by which an orchestrating build lists its module builds; None where it has none."""
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
        raise InvalidResponseError(f"{jenkins.url(path)} is no JSON ({error}). It will be asked again.") from None
    if not isinstance(answer, dict):
        raise ServerError(f"{jenkins.url(path)} is no JSON object of module to build number.")
    return answer, raw_files.pack(name, "build_map", content)


def read_files(jenkins: Jenkins, source: SourceSettings, detail: BuildDetail) -> ResultFiles:
    """The files that the source's `results` name; `test_report` and `console` only where nothing before them was.

    Those of a matrix build's axes are read where it has none itself, neither files nor an aggregated report.
    """
    files = ResultFiles()
    try:
        _read_into(files, jenkins, source, detail)
        for axis in detail.axes if not files.fetched else ():
            _read_axis(files, jenkins, source, detail, axis)
    except BaseException:
        files.__exit__()
        raise
    return files


def _read_axis(files: ResultFiles, jenkins: Jenkins, source: SourceSettings, detail: BuildDetail, axis: Axis) -> None:
    own = ResultFiles()
    try:
        _read_into(
            own, jenkins, source, BuildDetail(f"{detail.job}/{axis.name}", detail.number, artifacts=axis.artifacts)
        )
    except NotFoundError as error:
        own.remark([("", str(error))])
    finally:
        files.fetched += [replace(file, path=f"{axis.name}{AXIS_END}{file.path}") for file in own.fetched]
        if own.remarks:
            files.remark([(f"{axis.name}{AXIS_END}{path}", text) for path, text in own.remarks])


def _read_into(files: ResultFiles, jenkins: Jenkins, source: SourceSettings, detail: BuildDetail) -> None:
    claims = defaultdict(list)
    for path in detail.artifacts:
        claims[claimed_by(source.results, path)].append(path)
    here = build_path(detail.job, detail.number)
    for entry in source.results:
        paths = claims[entry]
        if len(paths) > SINGLE:
            _add_zip(jenkins, detail, entry, paths, files)
        elif paths:
            _add_singles(jenkins, detail, entry, paths, files)
        elif entry == "test_report" and not files.fetched and detail.may_have_tests:
            _add_report(jenkins, here, detail, files)
        elif entry == "console" and not files.fetched and not detail.axes:
            _add_console(jenkins, here, files)


def _add_console(jenkins: Jenkins, here: str, files: ResultFiles) -> None:
    try:
        stream = jenkins.download(f"{here}consoleText")
    except NotFoundError:
        files.remark([("console.txt", "Jenkins has the build, but no console log of it (404)")])
    else:
        files.fetched.append(DownloadedFiles("console.txt", "console", False, stream))


def _add_report(jenkins: Jenkins, here: str, detail: BuildDetail, files: ResultFiles) -> None:
    """Jenkins' own report of the tests, of the plugin that counted them."""
    testng = detail.counters is not None and detail.counters.report == "testngreports"
    name, kind, tree = (
        ("testngreports", "testng_json", TESTNG_TREE) if testng else ("testReport", "test_report", REPORT_TREE)
    )
    try:
        stream = jenkins.download(f"{here}{name}/api/json", tree, check=_ends_as_json)
    except NotFoundError:
        return
    if detail.axes and b'"childReports"' not in stream.read():
        stream.close()  # counts alone: the axes tell the rest
        return
    files.fetched.append(DownloadedFiles(f"{kind}.json", kind, False, stream))


def _add_singles(jenkins: Jenkins, detail: BuildDetail, entry: str, paths: list[str], files: ResultFiles) -> None:
    kind = entry.partition(":")[0]
    for path in paths[:MOST_SINGLE]:
        try:
            stream = jenkins.download(artifact_path(detail.job, detail.number, path))
        except NotFoundError:
            files.remark([(path, "the build lists this artifact, but Jenkins has it no more (404)")])
        else:
            files.fetched.append(DownloadedFiles(path, kind, False, stream))
    if len(paths) > MOST_SINGLE:
        files.remark([(paths[MOST_SINGLE], f"{len(paths)} files, and no zip of them: the rest was left out")])


def _add_zip(jenkins: Jenkins, detail: BuildDetail, entry: str, paths: list[str], files: ResultFiles) -> None:
    kind, _, glob = entry.partition(":")
    pattern = "/".join(part if _is_wild(part) else encode(part) for part in glob.split("/"))
    path = f"{build_path(detail.job, detail.number)}artifact/{pattern}/*zip*/r.zip"
    try:
        stream = jenkins.download(path, check=_complete)
    except (NotFoundError, ServerError, LoginRedirectError):
        # External artifact storage, or a server that is no Jenkins, may know nothing of zips.
        _add_singles(jenkins, detail, entry, paths, files)
    else:
        files.fetched.append(DownloadedFiles(glob, kind, True, stream))


def _ends_as_json(stream: BinaryIO) -> str:
    stream.seek(max(stream.seek(0, 2) - 64, 0))
    problem = "" if stream.read().rstrip().endswith(b"}") else "its JSON breaks off"
    stream.seek(0)
    return problem


def _complete(stream: BinaryIO) -> str:
    """What is wrong with a zip, for it has no length by which to see that it was cut short."""
    try:
        next(members(stream), None)
    except BadArchiveError as error:
        return str(error)
    return ""


def claimed_by(results: list[str], path: str) -> str | None:
    """The first entry of a source's `results` whose pattern an artifact's path matches."""
    for entry in results:
        _, colon, glob = entry.partition(":")
        if colon and glob_regex(glob).fullmatch(path):
            return entry
    return None


def full_path(glob: str, name: str) -> str:
    """The path among the artifacts of what a zip names: Jenkins leaves out the folders before the first wildcard."""
    base = "".join(f"{part}/" for part in _before_wild(glob))
    regex = glob_regex(glob)
    return name if regex.fullmatch(name) and not regex.fullmatch(base + name) else base + name


def _before_wild(glob: str) -> Iterator[str]:
    for part in glob.split("/"):
        if _is_wild(part):
            return
        yield part


def _is_wild(part: str) -> bool:
    return "*" in part or "?" in part


@lru_cache(1024)
def glob_regex(glob: str) -> re.Pattern[str]:
    """An Ant pattern: ** any folders, * and ? within one name."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob + "**" if glob.endswith("/") else glob)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
