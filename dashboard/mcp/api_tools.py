"""What all tools share: looking up ids by name, and answers short enough for a model.

A list is cut at `limit` rows and a text at MAX_TEXT characters. Both are marked: a model would take the part for the
whole.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from dashboard.api_client import Api, ApiError
from data.model.json_values import JsonObject

MAX_TEXT = 3_000
ApiQueryValues = dict[str, str | int | None]
_ID = re.compile("[0-9a-f]{16}")

ReleaseArgument = Annotated[str, Field(description="release line, such as 7.0 (from list_releases)")]
OptionalReleaseArgument = Annotated[str | None, Field(description="release line, such as 7.0; omit for all")]
EnvironmentArgument = Annotated[str | None, Field(description="tested environment, such as prod; omit for all")]
ModuleArgument = Annotated[str | None, Field(description="owning module (from list_filters); omit for all")]
RunArgument = Annotated[
    str,
    Field(
        description='a run: its id, release and number such as "7.0#60", or "7.0" for `latest_run` of list_releases: '
        "its newest finished run in the given environment, or in the one that tests most"
    ),
]
TestArgument = Annotated[
    str, Field(description="a test: its id, its key file::class::name, or a unique part of the key")
]
BuildArgument = Annotated[str, Field(description="a build's id")]
LimitArgument = Annotated[int, Field(description="maximum number of rows", ge=1, le=200)]
AsOfArgument = Annotated[
    str | int | None,
    Field(description="snapshot number or ISO 8601 time: read the store as of then; omit for now"),
]


class ApiTools:
    """Calls the API as of a snapshot. Methods raise ToolError with the API's message."""

    def __init__(self, api: Api, as_of: str | int | None = None) -> None:
        self._api, self._as_of = api, None if as_of is None else str(as_of)

    def get(self, path: str, **query: Any) -> Any:
        try:
            return shortened(self._api.get(path, as_of=self._as_of, **query))
        except ApiError as error:
            raise ToolError(str(error)) from error

    def rows(self, path: str, limit: int, without: tuple[str, ...] = ("evidence",), /, **query: Any) -> JsonObject:
        """{"items", "cut", "snapshot"}: at most `limit` rows of a list route, `without` these columns."""
        found = self.get(path, limit=limit, **query)
        items = [{name: value for name, value in row.items() if name not in without} for row in found.pop("items")]
        return {"items": items, "cut": found.pop("next") is not None, **found}

    def run_id(self, run: str, environment: str | None = None) -> str:
        """The id of a run given by id, release and number, or release."""
        if _ID.fullmatch(run):
            return run
        release, _, number = (part.strip() for part in run.partition("#"))
        if not number:
            return self._newest_finished(release, environment)
        query = {"release": release, "environment": environment, "limit": 1000}
        runs = self.get("/runs", fields="id,number,environment", **query)["items"]
        runs = [row for row in runs if str(row["number"]) == number]
        if not runs:
            raise ToolError(f"no such run: {run!r}; list_runs lists them")
        if len(runs) > 1:
            found = ", ".join(f"{row['id']} ({row['environment']})" for row in runs)
            raise ToolError(f"{run!r} is ambiguous; use one of these ids: {found}")
        return runs[0]["id"]

    def _newest_finished(self, release: str, environment: str | None) -> str:
        tile = self.get(f"/releases/{quote(release, safe='')}", environment=environment)
        if tile["latest_run"] is None:
            running = tile["running_run"]
            also = f"; {release}#{running['number']} is running" if running else ""
            raise ToolError(f"release {release!r} has no finished run{also}")
        return tile["latest_run"]["id"]

    def test_id(self, test: str) -> str:
        """The id of a test given by id, key or part of the key."""
        if _ID.fullmatch(test):
            return test
        found = self.get("/tests", q=test.replace("::", " "), limit=20)["items"]
        exact = [row for row in found if test in (row["key"], row["name"])]
        chosen = exact if len(exact) == 1 else found
        if not chosen:
            raise ToolError(f"no such test: {test!r}; find_tests searches by part of the key")
        if len(chosen) > 1:
            keys = ", ".join(f"{row['test']} ({row['key']})" for row in chosen[:10])
            raise ToolError(f"{test!r} is ambiguous; use one of these ids: {keys}")
        return chosen[0]["test"]


def shortened(value: Any) -> Any:
    """The value with long texts cut and marked."""
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]} ... [cut: {MAX_TEXT} of {len(value)} characters]"
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value
