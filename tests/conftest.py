"""Markers, the order of the tests, the profile of property tests, and the reference inputs, which are beside the
checkout and are never copied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in each run: a change must not pass or fail by luck. `--hypothesis-profile explore` draws new ones.
# No property has a deadline: a busy machine must not fail it.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile("steady")

# On stores as small as those of tests, the second thread of DuckDB finds nothing to do and waits busily, which doubles
# what the whole suite costs. The demo runs as users run it; `REGTRACKER_STORE__THREADS=2 make test` tries the rest so.
os.environ.setdefault("REGTRACKER_STORE__THREADS", "1")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
SYSTEM = Path(__file__).parent / "system"
MARKER_OF_FIXTURE = {
    "chromium": "browser",
    "corpus": "corpus",
    "cases": "corpus",
    "histories": "corpus",
    "catalog": "postgres",
    # a store of the test's own
    "world": "slow",
    "home": "slow",
    "regtracker": "slow",
    "own_client": "slow",
}


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: tests of browsers and processes wait for most of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures and folders; share them out among the workers."""
    for item in items:
        names = {marker for fixture, marker in MARKER_OF_FIXTURE.items() if fixture in item.fixturenames}
        if SYSTEM in item.path.parents:
            names |= {"browser" if item.path.parent.name == "browser" else "process"}
        for name in names:
            item.add_marker(name)
    items[:] = balanced(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed of the order, which pytest-randomly's own header does not under `-q`."""
    terminalreporter.write_line(f"The order of this run: --randomly-seed={config.option.randomly_seed}")


def balanced(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of two workers, the first begins with the long processes and the second with the browser; both end with short
    tests, of which the one that ends first takes some of the other's."""
    groups: dict[str, list[pytest.Item]] = {"browser": [], "long": [], "short": []}
    for item in items:
        markers = {marker.name for marker in item.iter_markers()}
        group = "browser" if "browser" in markers else "long" if markers & {"process", "slow", "postgres"} else "short"
        groups[group].append(item)
    half = max(0, len(items) // 2 - len(groups["long"]))
    return [*groups["long"], *groups["short"][:half], *groups["browser"], *groups["short"][half:]]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Recorded answers of Jenkins and report files."""
    return shared_folder("corpus")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs after public bug reports: `reports/` and `jenkins/replay.py`."""
    return shared_folder("cases")


@pytest.fixture(scope="session")
def histories() -> Path:
    """Test histories of real projects."""
    return shared_folder("histories")


def shared_folder(name: str) -> Path:
    """A folder beside the checkout. Without it the test is skipped, or failed where CI requires it to be there."""
    folder = SHARED / name
    if not folder.is_dir():
        if os.environ.get("CI") == "true" and os.environ.get("REGTRACKER_REQUIRE_CORPUS") == "1":
            pytest.fail(f"REGTRACKER_REQUIRE_CORPUS is set, and the {name} folder is not beside this checkout")
        pytest.skip(f"the {name} folder is not beside this checkout")
    return folder


@pytest.fixture
def usual_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB has as many threads as users give it."""
    monkeypatch.delenv("REGTRACKER_STORE__THREADS")
