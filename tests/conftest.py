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

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the corpus; without it the test is skipped, or failed where CI says that it must be there."""
    if not CORPUS.is_dir():
        if os.environ.get("CI") == "true" and os.environ.get("REGTRACKER_REQUIRE_CORPUS") == "1":
            pytest.fail("the corpus is not beside this checkout, and REGTRACKER_REQUIRE_CORPUS asks for it")
        pytest.skip("the corpus is not beside this checkout: its tests were left out")
    return CORPUS
