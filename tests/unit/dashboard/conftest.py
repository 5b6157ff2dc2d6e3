"""The dashboard without a browser: an application on a store of known content, and a way to run one callback whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from support.compiled_templates import compiled_templates
from support.light_plans import light_plans
from support.screen import Screen
from support.store_builder import World

from dashboard.app import create_app
from data.settings import load

__all__ = ["app", "call", "compiled_templates", "filled_app", "light_plans", "screen", "show", "world"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path / "home", memory_tables=False)


@pytest.fixture(scope="module")
def filled_app(filled: World) -> Dash:
    """On the module's `filled`, a store that its tests only read."""
    return create_app(load(home=filled.store.settings.home))


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Dash:
    """On `filled` in a test that takes it, else on the test's own `world`."""
    if "filled" in request.fixturenames:
        return request.getfixturevalue("filled_app")
    return create_app(load(home=request.getfixturevalue("world").store.settings.home))


@pytest.fixture
def call() -> Callable[[Dash, str, dict[str, Any]], Any]:
    """The response to one callback's POST: `call(app, "slot-html.data", {"url.href": ...})`, and its states."""

    def post(app: Dash, output: str, inputs: dict[str, Any], states: dict[str, Any] | None = None) -> Any:
        def target(key: str) -> dict[str, str]:
            return dict(zip(("id", "property"), key.rsplit(".", 1), strict=True))

        body = {
            "output": output,
            "outputs": target(output),
            "inputs": [target(key) | {"value": value} for key, value in inputs.items()],
            "state": [target(key) | {"value": value} for key, value in (states or {}).items()],
            "changedPropIds": list(inputs),
        }
        return app.server.test_client().post("/_dash-update-component", json=body)

    return post


@pytest.fixture
def show(app: Dash, call: Callable[..., Any]) -> Callable[[str, str], dict[str, Any]]:
    """What a slot is given for an address: {html, at, snapshot}, through Dash's own route."""

    def ask(slot: str, href: str) -> dict[str, Any]:
        answer = call(app, f"{slot}-html.data", {"url.href": href, "snapshot.data": None})
        return answer.json["response"][f"{slot}-html"]["data"]

    return ask


@pytest.fixture
def screen(show: Callable[[str, str], dict[str, Any]]) -> Callable[[str, str], Screen]:
    """What a slot shows at an address: `screen("run", "/runs/latest").one("link", "Compare").href`."""
    return lambda slot, href: Screen(show(slot, href)["html"])
