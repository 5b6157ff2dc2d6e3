"""What several packages' tests share: the reference corpus, which lies beside the project and is never copied, and how
property tests draw their examples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in each run: what lands must not hang on luck. `pytest --hypothesis-profile explore` draws new ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile("steady")

# On stores as small as those of tests, the second thread of DuckDB finds nothing to do and waits busily, which doubles
# what the whole suite costs. The demo runs as users run it; `REGTRACKER_STORE__THREADS=2 make test` tries the rest so.
os.environ.setdefault("REGTRACKER_STORE__THREADS", "1")

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker ends alone with it."""
    items.sort(key=lambda item: item.path.name != "test_command_line.py")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the corpus; without it the test is skipped, or failed where CI says that it must be there."""
    if not CORPUS.is_dir():
        if os.environ.get("CI") == "true" and os.environ.get("REGTRACKER_REQUIRE_CORPUS") == "1":
            pytest.fail("the corpus is not beside this checkout, and REGTRACKER_REQUIRE_CORPUS asks for it")
        pytest.skip("the corpus is not beside this checkout: its tests were left out")
    return CORPUS


@pytest.fixture
def usual_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB has as many threads as users give it."""
    monkeypatch.delenv("REGTRACKER_STORE__THREADS")
