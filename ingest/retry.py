"""How ingestion retries: when a build that could not be read is tried again, and when it is given up.

- A failed HTTP request is retried a few times within the poll: ingest/http.py, `HttpClient.attempts`.
- A build that failed nevertheless keeps a ledger row with its error and `next_try`: 30 s after the first failure,
  doubled each time, at most 6 h (`back_off`). Polls read what is due (ingest/pipeline.py, `Pipeline.read_due`), and the
  ingest process polls a source earlier when something is due (ingest/source_poller.py, `SourcePoller.poll`).
- A failure of the server (`JenkinsError.everywhere`) is not the build's: its attempts are not counted. After
  MAX_SERVER_FAILURES in a row the poll ends, and the next one comes at its usual time.
- A build that Jenkins no longer has is tried MAX_NOT_FOUND times, then its row is `gone`.
- A build that exceeds [limits] fails at once: reading it again would give the same. Its row is `failed`.
- A build over which the process ends is read again, by itself and after all others; after MAX_CRASHES its row is
  `failed`. The same holds for requests: data/tasks/requests.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from data.tasks.ledger import FAILED, GONE, RETRY, LedgerEntry
from ingest.clock import utc_now
from ingest.jenkins.errors import JenkinsError

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=6)
MAX_NOT_FOUND = 5  # answers 404 in a row before a build counts as gone
MAX_CRASHES = 5  # more than a few kills by chance can hit one build
MAX_SERVER_FAILURES = 3  # in a row, of any builds, before a poll ends


def back_off(attempts: int) -> timedelta:
    """How long to wait after the n-th failed attempt: 30 s, doubled each time, at most 6 h."""
    return min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)


def after_failure(entry: LedgerEntry, error: JenkinsError) -> LedgerEntry:
    """The ledger row of a build that could not be read."""
    if error.everywhere:
        return replace(entry, state=RETRY, error=str(error), next_try=utc_now() + back_off(1))
    return retry_later(entry, str(error))


def after_not_found(entry: LedgerEntry, error: str) -> LedgerEntry:
    """The ledger row of a build that Jenkins does not have (404): retried a few times, as a server may be wrong."""
    if entry.attempts + 1 >= MAX_NOT_FOUND:
        return replace(entry, state=GONE, attempts=entry.attempts + 1, error=error, next_try=None)
    return retry_later(entry, error)


def after_refusal(entry: LedgerEntry, error: str) -> LedgerEntry:
    """The ledger row of a build that is not to be read again: it exceeds a limit."""
    return replace(entry, state=FAILED, attempts=entry.attempts + 1, error=error, next_try=None)


def after_crash(entry: LedgerEntry) -> LedgerEntry:
    """The ledger row of a build over which a process has ended."""
    crashes = entry.crashes + 1
    text = f"The ingest process ended while it read this build ({crashes} of {MAX_CRASHES} times)."
    if crashes >= MAX_CRASHES:
        text += " It is given up. Was the process killed for its memory? Lower [limits] may help."
        return replace(entry, state=FAILED, crashes=crashes, error=text, next_try=None)
    wait = back_off(crashes - 1) if crashes > 1 else timedelta()
    return replace(entry, state=RETRY, crashes=crashes, error=text, next_try=utc_now() + wait)


def retry_later(entry: LedgerEntry, error: str) -> LedgerEntry:
    attempts = entry.attempts + 1
    return replace(entry, state=RETRY, attempts=attempts, error=error, next_try=utc_now() + back_off(attempts))
