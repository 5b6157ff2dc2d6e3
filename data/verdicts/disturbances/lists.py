"""Mass failures and hosts as the API and the screens list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from data.answers.evidence import HostEvidence, StormEvidence
from data.answers.verdicts import Host, Storm
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts.disturbances.bad_hosts import LaneHost
from data.verdicts.disturbances.mass_failures import StormHit, storms_in_window
from data.verdicts.evidence.disturbances import host_sentence, storm_sentence
from data.verdicts.evidence.rates import rate
from data.verdicts.lane_analysis import LONG_WINDOW, LaneAnalysis, analyse_lanes, long_reach
from data.verdicts.lanes import MASK_BITS, LaneWindow, filtered_releases, lane_window
from data.verdicts.statistics.signatures import title


@cached_query(of_release)
def storm_list(store: Store, flt: Filter) -> list[Storm]:
    """The storms of the newest `flt.runs` (60, at most 62) builds of each job and lane, newest first."""
    rows = []
    for release in filtered_releases(store, flt):
        window = lane_window(store, replace(flt, release=release), min(flt.runs or LONG_WINDOW, MASK_BITS))
        rows += storm_rows(store, window, storms_in_window(store, window)[1])
    if flt.module is not None:
        rows = [row for row in rows if flt.module in (row["module"], row["job_module"])]
    return sorted(rows, key=lambda row: (row["started_at"], row["job"]), reverse=True)


@cached_query(of_release)
def host_list(store: Store, flt: Filter) -> list[Host]:
    """The hosts of the newest `flt.runs` (60, at most 62) builds of each job and lane: bad hosts first, then by the
    ratio of failures to expected failures."""
    rows = []
    for release in filtered_releases(store, flt):
        analysis = analyse_lanes(
            store,
            replace(flt, release=release, include_storms=False, module=None),
            long_reach(store, flt.runs or LONG_WINDOW),
        )
        rows += [host_row(analysis, host) for host in analysis.hosts]
    return sorted(rows, key=lambda row: (not row["sick"], -(row["ratio"] or 0), row["host"], row["release"]))


def storm_rows(store: Store, window: LaneWindow, storms: Sequence[StormHit]) -> list[Storm]:
    """One row per storm of this window, with its evidence."""
    signatures = store.cursor().execute(
        "SELECT signature, pattern FROM signatures WHERE signature IN (SELECT unnest($found::BIGINT[]))",
        {"found": [storm.signature for storm in storms if storm.signature is not None]},
    )
    patterns: dict[int | None, str] = {signature: title(pattern) for signature, pattern in signatures.fetchall()}
    builds = {build.build: build for build in window.builds}
    rows: list[Storm] = []
    for storm in storms:
        run = window.runs[storm.lane][storm.age]
        evidence: StormEvidence = {
            "rule": "storm",
            "total": storm.total,
            "failed": storm.failed,
            "top": storm.top,
            "stretch": storm.stretch,
            "number": run.number,
            "column": storm.module or storm.job.rpartition("/")[2],
            "message": patterns.get(storm.signature),
        }
        rows.append(
            {
                "release": run.release,
                "environment": run.environment,
                "run": ids.text(run.run),
                "number": run.number,
                "started_at": iso(run.started_at),
                "build": ids.text(storm.build),
                "build_number": builds[storm.build].number,
                "job": storm.job,
                "job_module": builds[storm.build].module,
                "module": storm.module,
                "kind": storm.kind,
                "total": storm.total,
                "failed": storm.failed,
                "signature": None if storm.signature is None else ids.text(storm.signature),
                "pattern": patterns.get(storm.signature),
                "top": storm.top,
                "sentence": storm_sentence(evidence),
                "evidence": evidence,
            }
        )
    return rows


def host_row(analysis: LaneAnalysis, host: LaneHost) -> Host:
    """One host of this analysis, with its evidence: the counts of all hosts of its lane."""
    release, environment = analysis.window.lanes[host.lane]
    runs = analysis.window.runs[host.lane]
    evidence: HostEvidence = {
        "rule": "host",
        "host": host.host,
        "hosts": {
            other.host: [other.total, other.failed, other.expected]
            for other in analysis.hosts
            if other.lane == host.lane
        },
        "left_out": runs[host.worst].number,
        "runs": len({build.age for build in analysis.window.builds if build.lane == host.lane}),
    }
    return {
        "host": host.host,
        "release": release,
        "environment": environment,
        "sick": host.bad,
        **rate(host.failed, host.total),
        "expected": host.expected,
        "ratio": host.ratio,
        "p": host.p,
        "q": host.q,
        "sentence": host_sentence(evidence),
        "evidence": evidence,
    }
