"""What we rely on of Dash beyond its documented interface: its addresses, its scripts, how it sets itself up.

No other Python module knows it (`assets/dash.js` is its counterpart in the browser), so that a new version of Dash is
checked here.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from dash import Dash
from flask import Flask

COMPONENT_PATH = "/_dash-component-suites/"  # the scripts of Dash and of its components
PLOTLY_PATH = f"{COMPONENT_PATH}plotly/package_data/plotly.min.js"
_LAYOUT_PATH = "/_dash-layout"
_DEPENDENCIES_PATH = "/_dash-dependencies"
# Dash loads them always: a polyfill for browsers without Promise (0.1 s to run), and tables that no screen has.
_UNUSED = re.compile(r'<script src="[^"]*/(?:deps/polyfill@|dash_table/)[^"]*"></script>')


class App(Dash):
    """Dash without unused scripts, on a Flask application that exists."""

    def __init__(self, server: Flask, **options: Any) -> None:
        import_module("pandas")  # Plotly imports it at its first figure, and fails if two threads do so
        any_server: Any = server  # Dash takes any Flask application; its stubs know only a factory
        # `use_async` is otherwise on wherever asgiref is installed, at half the throughput.
        super().__init__("dashboard", server=any_server, use_async=False, **options)

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        parts["scripts"] = _UNUSED.sub("", parts["scripts"])
        return super().interpolate_index(*args, **parts)

    def finish_setup(self) -> None:
        """Dash sets itself up in its first request, and a second one at the same moment fails: make the first here."""
        self.server.test_client().get(_DEPENDENCIES_PATH)


def asks_for_layout(path: str) -> bool:
    """Whether the browser asks for the layout of the page that it has opened."""
    return path.endswith(_LAYOUT_PATH)
