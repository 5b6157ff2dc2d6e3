"""When open work is retried: the back-off of failed builds, and how a missing build is given up.

A poll retries in three places:

- here: a build that could not be read goes back to the ledger and is due again after `back_off(attempts)`;
  `ingest/build_reader.py` applies this policy, `ledger.retry_now` overrides it;
- `ingest/jenkins/client.py`: within one build, a single HTTP request is repeated after a connection or server error;
- `ingest/scheduler.py`: a poll that failed as a whole runs again at its next time.
"""

from __future__ import annotations

from datetime import timedelta

RETRY_FIRST = timedelta(seconds=30)
RETRY_LONGEST = timedelta(hours=6)
MISSES = 5  # consecutive "not found" answers after which a build counts as gone
GONE_FOR = timedelta(hours=1)  # after which a gone build is read again if Jenkins lists it


def back_off(attempts: int) -> timedelta:
    """The wait after the n-th failed attempt: 30 s, doubled each time, at most 6 h."""
    return min(RETRY_FIRST * 2 ** min(attempts - 1, 20), RETRY_LONGEST)
