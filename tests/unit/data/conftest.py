"""The store of regression_scenario.py, made once and only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import regression_scenario
from support.light_plans import light_plans
from support.store_builder import World

from data.lake.store import Store

__all__ = ["light_plans", "programme"]


@pytest.fixture(scope="session")
def programme(tmp_path_factory) -> Iterator[Store]:
    world = World.at(tmp_path_factory.mktemp("programme"), memory_tables=True)
    regression_scenario.fill(world)
    yield world.store
    world.store.close()
