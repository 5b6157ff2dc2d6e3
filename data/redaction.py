"""Keeps secrets out of all that people read: output, logs, tracebacks, answers, stored errors.

`load` in data/settings.py registers the secrets it reads. Known secrets are masked wherever they occur; what looks like
one (a password in an address, `token=...`) is masked without being known.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"
SHORTEST = 4  # characters of a secret that is masked wherever it occurs: shorter ones occur by chance

_NAME = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|x-amz-signature)"
_VALUE = r"'(?:\\.|''|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\s&;,'\")]+"
_ASSIGNED = re.compile(rf"(?i)((?:\b|[\w-]*[_-]){_NAME}\b\s*=\s*)(?:{_VALUE})")
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/'\"@:]*):[^\s/'\"@]*@")
_HEADER = re.compile(r"(?i)\b((?:authorization['\"]?\s*[:=]\s*['\"]?)?(?:basic|bearer)\s+)[A-Za-z0-9+/._~=-]{8,}")
_KEYWORD = re.compile(r"(?i)\bpassword\s*=\s*('(?:\\.|[^'\\])*'|(?:\\.|[^\s\\])*)\s*")
_QUERY = re.compile(r"(?i)([?&])password=([^&#]*)")

_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None
_lock = threading.Lock()


def register(*secrets: str | None) -> None:
    """Mask these from now on, also percent-encoded, and as a string literal of JSON or SQL has them."""
    global _known_pattern
    forms = {
        form
        for secret in secrets
        if secret and len(secret) >= SHORTEST
        for form in (
            secret,
            unquote(secret),
            quote(secret, safe=""),
            quote(secret),
            json.dumps(secret)[1:-1],
            repr(secret)[1:-1],
            secret.replace("'", "''"),
        )
        if len(form) >= SHORTEST
    }
    with _lock:
        if forms <= _known:
            return
        _known.update(forms)
        longest_first = "|".join(map(re.escape, sorted(_known, key=len, reverse=True)))
        # A common word may be a password: `postgres` must not be masked within `postgresql`.
        _known_pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9])")


def redact(text: str) -> str:
    """The text without its secrets."""
    if _known_pattern is not None:
        text = _known_pattern.sub(MASK, text)
    text = _USERINFO.sub(rf"\1:{MASK}@", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def split_password(address: str) -> tuple[str, str | None]:
    """(the address of a PostgreSQL database or a web server without its password, the password; None without one).

    Reads URLs (userinfo, and `password` in the query) and the keywords of libpq (`host=db password=...`).
    """
    clean, written = _split(address)
    if written is None:
        return clean, None
    return clean, unquote(written) if "://" in address else re.sub(r"\\(.)", r"\1", written)


def _split(address: str) -> tuple[str, str | None]:
    """Like `split_password`, with the password as it is written in the address: percent-encoded or escaped."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        found = _KEYWORD.search(address)
        if found is None:
            return address, None
        written = found[1][1:-1] if found[1].startswith("'") else found[1]
        return _KEYWORD.sub("", address).strip(), written or None
    password = None
    if query := _QUERY.search(rest):
        password = query[2]
        rest = re.sub(r"\?(?=$|#)", "", _QUERY.sub(r"\1", rest).replace("?&", "?").replace("&&", "&").rstrip("&"))
    userinfo, at, host = _split_userinfo(rest, scheme.startswith("postgres"))
    user, colon, given = userinfo.partition(":")
    if colon:
        password = given
    return f"{scheme}://{user}{at if user else ''}{host}", password or None


def _split_userinfo(rest: str, database: bool) -> tuple[str, str, str]:
    """(userinfo, "@", the rest) of what follows `://`. A password may contain an unencoded @ or /."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # The path of a web server may contain an @, such as `ws@2`; that of a database does not.
    end = (rest.partition("?")[0] if database else authority).rfind("@")
    if end < 0 and ":" in authority and not authority.rpartition(":")[2].isdigit():
        end = rest.rfind("@")  # no port, so the / belongs to a password
    return (rest[:end], "@", rest[end + 1 :]) if end >= 0 else ("", "", rest)


def register_from(value: Any) -> None:
    """Register the passwords of all addresses in a value of the configuration: a text, or a table or list of them."""
    if isinstance(value, dict):
        register_from(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            register_from(one)
    elif isinstance(value, str):
        if value.lstrip()[:1] in ("{", "["):  # a table or list of the environment
            with suppress(ValueError):
                register_from(json.loads(value))
        register(
            split_password(value)[1], *(found[0].partition("=")[2].strip("'\" ") for found in _ASSIGNED.finditer(value))
        )


class _RedactedRecord(logging.LogRecord):
    """A log record whose message and traceback have no secret, whichever handler writes it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = _traceback(*self.exc_info)  # formatters use it instead of making their own

    def getMessage(self) -> str:
        return redact(super().getMessage())


def install() -> None:
    """Redact the logs and the uncaught exceptions of this process. For the entry points of processes."""
    logging.setLogRecordFactory(_RedactedRecord)
    sys.excepthook = _print_exception
    threading.excepthook = lambda failed: _print_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)


def print_exception(error: BaseException) -> None:
    """Print an exception with its traceback to standard error."""
    _print_exception(type(error), error, error.__traceback__)


def _print_exception(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    sys.stderr.write(_traceback(kind, error, where) + "\n")


def _traceback(kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> str:
    return redact("".join(traceback.format_exception(kind, error, where)).rstrip("\n"))
