"""The MCP server: every public method of the tool classes is a tool, its docstring the description. Read-only."""

from __future__ import annotations

import signal
from importlib.metadata import version

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

from dashboard.client import Api
from dashboard.mcp.asking import Asking
from dashboard.mcp.bugs import BugTools
from dashboard.mcp.runs import RunTools
from dashboard.mcp.tests import TestTools

INSTRUCTIONS = """Regression test results of a product on Jenkins. A release line (7.0) is tested in runs (7.0#60), a
run in builds of modules. Begin with list_releases. Words: regression, new_failure, always_failing, flaky, fixed; storms
and sick hosts are left out of them. Rates are 0 to 1, times UTC, durations seconds, ids 16 hexadecimal digits. `cut`
true means that there are more rows than were given: raise the limit or narrow the filter."""
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


def create(api: Api) -> MCPServer:
    server: MCPServer = MCPServer(
        "regtracker",
        title="Regression Tracker",
        instructions=INSTRUCTIONS,
        version=version("regtracker"),
        log_level="WARNING",
        subscriptions=False,
    )
    for tools in (RunTools(api), TestTools(api), BugTools(api)):
        names = [name for name in vars(type(tools)) if not name.startswith("_") and name not in vars(Asking)]
        for name in names:
            server.add_tool(getattr(tools, name), annotations=READ_ONLY)
    return server


def serve(api: Api, http: bool, host: str, port: int) -> None:
    """Until the client ends it (stdio), or a signal does (streamable HTTP, at /mcp)."""
    if http:
        create(api).run("streamable-http", host=host, port=port, stateless_http=True, json_response=True)
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing else wakes the thread that waits for the client's words
        create(api).run("stdio")
