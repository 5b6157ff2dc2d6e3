"""The description of a build, parsed tolerantly: nearly every field is missing on some server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

from data.model.build_record import CommitRecord
from data.model.input_checks import believed
from data.model.json_values import Json, JsonObject
from ingest.jenkins.json_values import dicts, json_object
from ingest.jenkins.revision import ACTION_TREE, CHANGES_TREE, built_revision

_CHANGES = f"{CHANGES_TREE},items[commitId,revision,user,timestamp,msg,author[fullName]]"
_SUB_BUILDS = "jobName,buildNumber,url"
TREE = (
    "number,url,result,building,inProgress,timestamp,duration,displayName,builtOn,"
    "actions[parameters[name,value],causes[shortDescription,userId,upstreamProject,upstreamBuild],"
    f"failCount,skipCount,totalCount,urlName,{ACTION_TREE}],"
    f"artifacts[relativePath],changeSet[{_CHANGES}],changeSets[{_CHANGES}],"
    "runs[number,url,artifacts[relativePath]],"
    f"subBuilds[{_SUB_BUILDS},build[subBuilds[{_SUB_BUILDS}]]]"
)


@dataclass(frozen=True)
class Counters:
    """Jenkins' own counts of a build's tests."""

    total: int
    failed: int
    skipped: int
    report: str = "testReport"  # the path below the build at which Jenkins shows them


@dataclass(frozen=True)
class Axis:
    """One axis build of a matrix build, with the same number. `name` is like os=debian12,python=3.13."""

    name: str
    artifacts: list[str]


@dataclass(frozen=True)
class JenkinsBuildDetail:
    """One build as its server describes it. `started_at` is naive UTC; None without a valid time."""

    job: str
    number: int
    started_at: datetime | None = None
    duration_s: float | None = None
    final: bool = False
    result: str | None = None
    display_name: str = ""
    agent: str = ""
    revision: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    causes: list[JsonObject] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    counters: Counters | None = None
    commits: list[CommitRecord] = field(default_factory=list)
    sub_builds: list[tuple[str, int, str]] = field(default_factory=list)  # (job name, number, relative url)
    axes: list[Axis] = field(default_factory=list)  # of a matrix build, those that it ran itself

    @property
    def may_have_tests(self) -> bool:
        """False only if Jenkins counted no tests."""
        return self.counters is None or self.counters.total > 0

    @property
    def upstream(self) -> tuple[str, int] | None:
        """(full name, number) of the build that started this one."""
        for cause in self.causes:
            project, number = cause.get("upstreamProject"), _whole_number(cause.get("upstreamBuild"))
            if project and number is not None and project != self.job:
                return str(project), number
        return None


def read_build_detail(job: str, number: int, answer: JsonObject) -> JenkinsBuildDetail:
    """Parse the API object of a build. Final means: neither building nor in progress, and with a result."""
    actions = dicts(answer.get("actions"))
    final = not answer.get("building") and not answer.get("inProgress") and answer.get("result") is not None
    duration = _number(answer.get("duration"))
    return JenkinsBuildDetail(
        job=job,
        number=number,
        started_at=moment(answer.get("timestamp")),
        duration_s=duration / 1000 if duration and duration > 0 else None,
        final=final,
        # Jenkins may set a result long before the build ends, when one parallel branch has failed.
        result=str(answer["result"]) if final else None,
        display_name=str(answer.get("displayName") or f"#{number}"),
        agent=str(answer.get("builtOn") or ""),
        revision=built_revision(job, actions, _change_sets(answer)),
        parameters=_parameters(actions),
        causes=[_cause(cause) for action in actions for cause in dicts(action.get("causes"))],
        artifacts=_artifacts(answer),
        counters=_counters(actions),
        commits=_commits(answer),
        sub_builds=_sub_builds(dicts(answer.get("subBuilds"))),
        axes=_axes(answer, number),
    )


def moment(milliseconds: Json) -> datetime | None:
    """A time of Jenkins (ms since 1970) as naive UTC; None if it is not valid, near the epoch or in the future."""
    value = _number(milliseconds)
    if value is None or not believed(value / 1000):
        return None
    return datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None)


def _number(value: Json) -> float | None:
    """A number, or text with a number."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        return float(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _parameters(actions: list[JsonObject]) -> dict[str, str]:
    parameters = {}
    for action in actions:
        for parameter in dicts(action.get("parameters")):
            if parameter.get("name"):
                value = parameter.get("value")
                text = "" if value is None else str(value)
                parameters[str(parameter["name"])] = text.lower() if isinstance(value, bool) else text
    return parameters


def _cause(cause: JsonObject) -> JsonObject:
    return {key: value for key, value in cause.items() if key != "_class" and value is not None}


def _counters(actions: list[JsonObject]) -> Counters | None:
    counted = [action for action in actions if _whole_number(action.get("totalCount")) is not None]
    counted.sort(key=lambda action: action.get("urlName") != "testReport")
    if not counted:
        return None
    total, failed, skipped = (
        _whole_number(counted[0].get(name)) or 0 for name in ("totalCount", "failCount", "skipCount")
    )
    return Counters(total, failed, skipped, str(counted[0].get("urlName") or "testReport"))


def _change_sets(answer: JsonObject) -> list[JsonObject]:
    return dicts([answer.get("changeSet"), *dicts(answer.get("changeSet")), *dicts(answer.get("changeSets"))])


def _commits(answer: JsonObject) -> list[CommitRecord]:
    commits = {}
    for item in (item for changes in _change_sets(answer) for item in dicts(changes.get("items"))):
        revision = item.get("commitId") or item.get("id") or item.get("revision")
        if revision:
            commits[str(revision)] = CommitRecord(
                revision=str(revision),
                author=str(json_object(item.get("author")).get("fullName") or item.get("user") or ""),
                message=str(item.get("msg") or ""),
                committed_at=moment(item.get("timestamp")),
            )
    return list(commits.values())


def _artifacts(answer: JsonObject) -> list[str]:
    found = [item.get("relativePath") for item in dicts(answer.get("artifacts"))]
    return [str(path) for path in found if path]


def _axes(answer: JsonObject, number: int) -> list[Axis]:
    """A matrix build shows, for each axis that it did not run, an older build of that axis: those are left out."""
    found = []
    for run in dicts(answer.get("runs")):
        parts = str(run.get("url") or "").rstrip("/").split("/")
        if len(parts) > 1 and parts[-1] == str(number) and "=" in parts[-2]:
            found.append(Axis(unquote(parts[-2]), _artifacts(run)))
    return found


def _sub_builds(items: list[JsonObject]) -> list[tuple[str, int, str]]:
    """All builds that the phases of a multijob started. A nested multijob has no tests: its builds take its place."""
    found = []
    for item in items:
        below = _sub_builds(dicts(json_object(item.get("build")).get("subBuilds")))
        number = _whole_number(item.get("buildNumber"))
        if below:
            found += below
        elif number is not None and item.get("jobName"):
            found.append((str(item["jobName"]), number, str(item.get("url") or "")))
    return found


def _whole_number(value: Json) -> int | None:
    number = _number(value)
    return int(number) if number is not None and abs(number) < 2**31 else None
