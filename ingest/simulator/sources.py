"""The `[[source]]` tables with which a tracker ingests the simulator."""

from __future__ import annotations

from data.model.json_values import Json, JsonObject
from ingest.simulator.programme import Programme

VERSION_RULE = r"VER:\s*(?P<version>\d+(\.\d+)+)"
MODULE_RULE = r"(?i)^(?P<module>.+?)([_-]module)?([_-]esxi)?$"
RELEASE_RULE = r"^(?P<release>\d+\.\d+)"
ALL_BUILDS = 10_000  # the truth counts all of the history, so all of it is taken at first sight
OWNER_RULE = r"tests/(?P<module>[^/]+)/"


def sources(programme: Programme, url: str) -> list[JsonObject]:
    """One orchestrator source a release."""
    return [
        {
            "name": f"sim-{release.name}",
            "url": url,
            "poll_minutes": 0.1 if programme.live else 5,
            "layout": "orchestrator",
            "job": f"{release.folder}/MODULE-RUN",
            "include": ["*"],
            "history": ALL_BUILDS,
            "module": MODULE_RULE,
            "version": VERSION_RULE,
            "release": RELEASE_RULE,
            "environment": {"parameter": "RUN_STAGING_TESTS_ONLY", "map": {"true": "staging"}, "default": "prod"},
            "owner": OWNER_RULE,
            "results": ["junit:**/junit/**/*.xml", "order:**/*.order.txt", "test_report"],
        }
        for release in programme.releases
    ]


def extra_sources(url: str) -> list[JsonObject]:
    """One source for each of the other layouts; their truth is in `sources` of the truth, by name."""
    common: JsonObject = {"url": url, "poll_minutes": 5, "history": ALL_BUILDS}
    numbered: JsonObject = {**common, "version": r"^(?P<version>\d+(\.\d+)+)$", "release": RELEASE_RULE}
    fixed: JsonObject = {**common, "release_fixed": "main"}
    surefire: list[Json] = ["junit:**/surefire-reports/*.xml", "test_report"]
    pytest: list[Json] = ["junit:reports/junit.xml", "test_report"]
    return [
        {**numbered, "name": "libcore", "layout": "job", "job": "libcore-nightly", "results": surefire},
        {**fixed, "name": "compat", "layout": "job", "job": "compat-matrix", "results": ["test_report"]},
        {**fixed, "name": "axes", "layout": "job", "job": "axes-matrix", "results": pytest},
        {**common, "name": "webapp", "layout": "multibranch", "job": "webapp", "results": pytest},
        {
            **numbered,
            "name": "platform",
            "layout": "folder",
            "job": "platform/nightly",
            "group_by": "parameter:RUN_ID",
            "results": pytest,
        },
        {**fixed, "name": "suite", "layout": "orchestrator", "job": "suite", "results": pytest},
        {**fixed, "name": "nightly", "layout": "view", "job": "nightly", "results": ["test_report"]},
    ]
