"""Why a store cannot be opened, and what to do: one sentence each, from the message of the database below."""

from __future__ import annotations

import re

from data.redaction import split_password
from data.settings import Settings

# A part of the message, ignoring case -> what to do. The first that occurs counts.
_POSTGRES_ADVICE = {
    "could not translate host name": "Correct the host name in [store] catalog.",
    "connection refused": "Start PostgreSQL there, or correct host and port in [store] catalog.",
    "timeout|timed out|no route|unreachable": "Check that PostgreSQL runs there and that the network reaches it.",
    "authentication failed|no password|role .* does not exist": "Check user and password of [store] catalog.",
    "database .* does not exist": "Create the database, or correct its name in [store] catalog.",
    "permission denied": "Grant this user the right to create tables in the database.",
}
_SQLITE_ADVICE = {
    "not a database|malformed|corrupt": "The catalog is damaged, or no SQLite file: restore it from a backup, together "
    "with the data folder.",
    "permission|unable to open|readonly|read-only|not a directory|is a directory|file exists": "The path must be "
    "a file in a folder in which this user may write: correct [store] or the rights.",
    "full|no space|quota": "Free some space on this disk.",
}
_S3_ADVICE = {"s3|http|access denied|403|404": "Check [store] data_path, the AWS variables and the bucket."}


def open_failure(settings: Settings, error: Exception) -> str:
    """The cause, what to do about it, and which store it is."""
    on_postgres = settings.lake.local_catalog is None
    advice = _POSTGRES_ADVICE if on_postgres else _SQLITE_ADVICE
    if settings.data_path.startswith("s3://"):
        advice = advice | _S3_ADVICE
    cause = " ".join(str(error).split()).rstrip(" .")
    what = next((text for part, text in advice.items() if re.search(part, cause, re.IGNORECASE)), "")
    return (
        f"The store cannot be opened: {cause}. {what or 'Check [store] in the configuration.'} "
        f"(catalog {split_password(settings.catalog)[0]}, data {settings.data_path})"
    )
