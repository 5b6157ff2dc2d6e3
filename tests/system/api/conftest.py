"""The API over pipes and sockets, and as its document describes it."""

from __future__ import annotations

from support.api_fixtures import address, ask, client, filled, names, own_client, serve, server, world
from support.light_plans import light_plans

__all__ = ["address", "ask", "client", "filled", "light_plans", "names", "own_client", "serve", "server", "world"]
