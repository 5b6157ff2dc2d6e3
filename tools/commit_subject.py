"""A commit-msg hook that refuses a subject that is empty or longer than 72 characters."""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST_SUBJECT = 72


def problem(message: str) -> str | None:
    """The error in the first line of a commit message, or None."""
    subject = next((line for line in message.splitlines() if not line.startswith("#")), "").strip()
    if not subject:
        return "The commit message has no subject."
    if len(subject) > LONGEST_SUBJECT and not subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return f"The subject has {len(subject)} characters; at most {LONGEST_SUBJECT} are allowed."
    return None


if __name__ == "__main__":
    if found := problem(Path(sys.argv[1]).read_text(encoding="utf-8")):
        sys.exit(found)
