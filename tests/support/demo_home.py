"""A store filled from the simulated Jenkins, as `regtracker demo` fills it, and every way to read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from dash import Dash

from dashboard.api_client import Api
from dashboard.app import create_app
from dashboard.mcp.runs import RunTools
from dashboard.mcp.tests import TestTools
from data.lake.store import Store
from data.settings import SourceSettings, load
from ingest.pipeline import Pipeline
from ingest.simulator import Programme, ProgrammeSize, ReleaseSpec
from ingest.simulator.server import SimulatorServer
from ingest.simulator.timeline import RUNNING_AGE_H
from regtracker import connect, main
from support.screen import Screen

# A stale release, and one with more runs than lists look at, the newest of them running.
SIZE = ProgrammeSize(
    (ReleaseSpec("7.0", 8, 230, 180), ReleaseSpec("7.1", 24, RUNNING_AGE_H, 96, broken=(-5,))), modules=3, tests=26
)


def fill(home: Path) -> None:
    """Read the history of a simulated Jenkins; one of its runs is running."""
    with SimulatorServer(Programme(SIZE)) as jenkins:
        sources = [SourceSettings(**source) for source in jenkins.sources()]
        store = Store.open(load(home=home, source=sources))
        for source in sources:
            assert Pipeline(store, source).poll().error is None
        store.close()


class DemoHome:
    """Readers of one store. Each answer is read once: the store does not change."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.app: Dash = create_app(load(home=home))
        api = Api(self.app.server)
        self.run_tools, self.test_tools = RunTools(api), TestTools(api)
        self.tracker = connect(home)
        self.get: Callable[[str], Any] = cache(self._get)
        self.screen: Callable[[str, str], Screen] = cache(self._screen)

    def _get(self, path: str, accept: str = "*/*") -> Any:
        answer = self.app.server.test_client().get(f"/api/v1{path}", headers={"Accept": accept})
        assert answer.status_code == 200, (path, answer.text)
        return answer.json if answer.is_json else answer.text

    def items(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list route."""
        found = self.get(f"{path}{'&' if '?' in path else '?'}limit=1000")
        assert found["next"] is None, path
        return found["items"]

    def file(self, path: str) -> list[dict[str, str]]:
        """The rows of a list route as CSV."""
        return list(csv.DictReader(io.StringIO(self._get(path, "text/csv"))))

    def _screen(self, slot: str, href: str) -> Screen:
        wanted = f"{slot}-html"
        body = {
            "output": f"{wanted}.data",
            "outputs": {"id": wanted, "property": "data"},
            "inputs": [
                {"id": "url", "property": "href", "value": f"http://host{href}"},
                {"id": "snapshot", "property": "data", "value": None},
            ],
            "changedPropIds": ["url.href"],
        }
        answer = self.app.server.test_client().post("/_dash-update-component", json=body)
        return Screen(answer.json["response"][wanted]["data"]["html"])

    def sql(self, query: str) -> list[list[Any]]:
        answer = self.app.server.test_client().post("/api/v1/sql", json={"sql": query, "limit": 1000})
        assert answer.status_code == 200, answer.text
        return answer.json["rows"]

    def command(self, *arguments: str) -> Any:
        """The JSON that a verb prints for this store."""
        found = CliRunner(env={"REGTRACKER_HOME": str(self.home)}).invoke(main, [*arguments, "--json"])
        return json.loads(found.stdout)
