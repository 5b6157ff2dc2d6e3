"""Stores that many tests share: one that they only read, and one in which each has a release of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from support import regression_scenario
from support.light_plans import light_plans
from support.store_builder import World

from data.lake.store import Store
from data.model.filters import Filter

__all__ = ["light_plans", "programme"]


@pytest.fixture(scope="session")
def programme(tmp_path_factory) -> Iterator[Store]:
    """The store of regression_scenario.py."""
    world = World.at(tmp_path_factory.mktemp("programme"), memory_tables=True)
    regression_scenario.fill(world)
    yield world.store
    world.store.close()


_minor = count()


@pytest.fixture(scope="module")
def store_of_releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """With memory tables, as the web has it."""
    with closing(World.at(tmp_path_factory.mktemp("releases"), memory_tables=True).store) as store:
        yield store


@pytest.fixture
def shared_world(store_of_releases: Store) -> World:
    """A release of the test's own, 7.x; the tests of a module share the store."""
    return World(store_of_releases, release=f"7.{next(_minor)}")


@pytest.fixture
def own(shared_world: World) -> Filter:
    """The release of the test."""
    return Filter(release=shared_world.release)
