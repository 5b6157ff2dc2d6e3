"""When a build that could not be read is tried again."""

from __future__ import annotations

from data.tasks.ledger import BUILD, GONE, RETRY, LedgerEntry
from ingest.jenkins.errors import ConnectionFailedError, ServerError
from ingest.retry import FIRST_WAIT, LONGEST_WAIT, MAX_NOT_FOUND, after_failure, after_not_found, back_off

ENTRY = LedgerEntry("ci", "x", 1, BUILD)


def test_back_off_doubles_up_to_a_limit() -> None:
    waits = [back_off(attempts) for attempts in range(1, 40)]
    assert waits[:4] == [FIRST_WAIT * factor for factor in (1, 2, 4, 8)]
    assert max(waits) == waits[-1] == LONGEST_WAIT


def test_only_failures_of_the_build_count_as_attempts() -> None:
    assert after_failure(ENTRY, ServerError("500")).attempts == 1
    assert after_failure(ENTRY, ConnectionFailedError("down")).attempts == 0


def test_a_build_that_is_not_found_is_given_up_after_some_attempts() -> None:
    entry = ENTRY
    for _ in range(MAX_NOT_FOUND - 1):
        entry = after_not_found(entry, "404")
        assert entry.state == RETRY
    entry = after_not_found(entry, "404")
    assert (entry.state, entry.next_try) == (GONE, None)
