"""The MCP server: every public method of the tool classes is a tool, with its docstring as the description.

Each tool also takes `as_of`, and refuses unknown arguments. All are read-only.
"""

from __future__ import annotations

import signal
from functools import wraps
from importlib.metadata import version
from inspect import Parameter, signature
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import ConfigDict, model_validator

from dashboard.api_client import Api
from dashboard.mcp.api_tools import ApiTools, AsOfArgument
from dashboard.mcp.bugs import BugTools
from dashboard.mcp.runs import RunTools
from dashboard.mcp.tests import TestTools

INSTRUCTIONS = """Regression test results of a product on Jenkins. A release line (7.0) is tested in runs (7.0#60); a
run consists of one build per module. Start with list_releases. Verdict kinds: regression, new_failure, always_failing,
flaky, fixed; failures in mass failures (storms) and on bad hosts do not count. Rates are 0 to 1, times UTC, durations
seconds, ids 16 hexadecimal digits. `cut` true: there are more rows; raise the limit or narrow the filter. `as_of` reads
an earlier snapshot, such as the `snapshot` of another answer."""
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


def create(api: Api) -> MCPServer:
    server: MCPServer = MCPServer(
        "regtracker",
        title="Regression Tracker",
        instructions=INSTRUCTIONS,
        version=version("regtracker"),
        log_level="WARNING",
        subscriptions=False,
        tools=[
            _tool(api, kind, name)
            for kind in (RunTools, TestTools, BugTools)
            for name in vars(kind)
            if not name.startswith("_")
        ],
    )
    return server


def _tool(api: Api, kind: type[ApiTools], name: str) -> Tool:
    method = getattr(kind, name)

    @wraps(method)
    def call(as_of: str | int | None = None, **given: Any) -> object:
        return method(kind(api, as_of), **given)

    own = signature(method, eval_str=True)
    dated = Parameter("as_of", Parameter.KEYWORD_ONLY, default=None, annotation=AsOfArgument)
    vars(call)["__signature__"] = own.replace(
        parameters=[*list(own.parameters.values())[1:], dated], return_annotation=dict[str, Any]
    )
    tool = Tool.from_function(call, annotations=READ_ONLY)
    model: Any = tool.fn_metadata.arg_model
    allowed = ", ".join(model.model_fields)

    class Arguments(model):
        model_config = ConfigDict(extra="forbid", title=model.__name__)

        @model_validator(mode="before")
        @classmethod
        def _refuse_unknown(cls, given: dict[str, Any]) -> dict[str, Any]:
            if unknown := sorted(given.keys() - model.model_fields.keys()):
                raise ValueError(f"{name} has no argument {unknown[0]!r}; it takes {allowed}")
            return given

    tool.fn_metadata.arg_model = Arguments
    tool.parameters = Arguments.model_json_schema(by_alias=True)
    return tool


def serve(api: Api, http: bool, host: str, port: int) -> None:
    """Serve until the client disconnects (stdio) or a signal arrives (streamable HTTP, at /mcp)."""
    if http:
        create(api).run("streamable-http", host=host, port=port, stateless_http=True, json_response=True)
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing else interrupts the thread that reads standard input
        create(api).run("stdio")
