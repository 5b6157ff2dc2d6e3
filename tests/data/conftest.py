"""The store of trouble.py, made once and only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trouble
from builders import World

from data.store import Store


@pytest.fixture(scope="session")
def programme(tmp_path_factory) -> Iterator[Store]:
    world = World.at(tmp_path_factory.mktemp("programme"), mirrored=True)
    trouble.fill(world)
    yield world.store
    world.store.close()
