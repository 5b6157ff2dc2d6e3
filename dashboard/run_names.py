"""How a list of runs names them: "#12", or "nightly #12" where runs of several jobs of one release are in the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from data.answers.matrix import MatrixRun
from data.answers.runs import Run
from data.answers.trends import GridRun, Point

Named = Run | MatrixRun | GridRun | Point


def run_namer(runs: Iterable[Named | None], one_release: bool = False) -> Callable[[Named], str]:
    """Names the runs of a list. Of a job's full name, its last folders that distinguish it from the others are used.
    `one_release`: all are of one release, whether they have it or not."""

    def release_of(run: Named) -> object:
        return None if one_release else run.get("release")

    jobs: dict[object, set[str]] = defaultdict(set)
    for run in runs:
        if run is not None and run.get("job") is not None:
            jobs[release_of(run)].add(str(run["job"]))
    short = {release: _short_names(names) for release, names in jobs.items()}

    def name(run: Named) -> str:
        of_release = short.get(release_of(run), {})
        job = of_release.get(str(run.get("job")), "") if len(of_release) > 1 else ""
        return f"{job} #{run['number']}".lstrip()

    return name


def _short_names(jobs: set[str]) -> dict[str, str]:
    """Job -> the fewest last segments of its full name with which no other job ends."""
    parts = {job: job.split("/") for job in jobs}
    found = {}
    for job, segments in parts.items():
        depth = 1
        while depth < len(segments) and any(
            other[-depth:] == segments[-depth:] for name, other in parts.items() if name != job
        ):
            depth += 1
        found[job] = "/".join(segments[-depth:])
    return found


FUNCTIONS = {"run_namer": run_namer}
