"""The Jenkins client: what a status or a body of Jenkins means, on top of ingest/http.py.

Only paths built here are requested: `url` in Jenkins' answers comes from a setting of Jenkins that is often wrong. A
failed request is retried within one poll; how a failed build is retried by later polls is in ingest/retry.py.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, cast
from urllib.parse import urlsplit

from data.model.json_values import JsonObject
from data.settings import SourceSettings, token_variable
from ingest.http import CutBodyError, HttpAnswer, HttpBusyError, HttpClient, HttpError, StoppedError, TooLargeError
from ingest.jenkins.errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    ConnectionFailedError,
    InvalidResponseError,
    JenkinsError,
    LoginRedirectError,
    NotFoundError,
    ServerBusyError,
    ServerError,
    ShutdownError,
)
from ingest.parsers.zip_archive import MAX_TOTAL_BYTES, BadArchiveError, OversizedArchiveError, read_directory

IN_MEMORY = 8 << 20  # bytes of a download; a larger one goes to disk
MAX_OBJECT_BYTES = 256 << 20  # of an answer that is parsed in memory
MAX_FILE_BYTES = MAX_TOTAL_BYTES  # no reader takes a larger one
FileKind = Literal["json", "zip", "any"]


class Jenkins:
    """The server of one source. Shared by threads, which together obey `max_in_flight`."""

    def __init__(self, source: SourceSettings, stop: threading.Event | None = None) -> None:
        self.source = source
        self.version: str | None = None  # X-Jenkins of the last answer that had this header
        self._http = HttpClient(
            source.url,
            timeout_s=source.timeout_s,
            verify_tls=source.verify_tls,
            ca_bundle=source.ca_bundle,
            auth=(source.user, source.token.get_secret_value()) if source.user and source.token else None,
            max_in_flight=source.max_in_flight,
            stop=stop,
        )

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._http.requests

    def url(self, path: str) -> str:
        return self.source.url + path

    def api(self, path: str, tree: str) -> JsonObject:
        """The JSON object at a path such as "job/x/12/". Raises JenkinsError."""
        path += "api/json"
        with self._worded(path):
            for attempt in self._http.attempts():
                with attempt:
                    return self._json(path, tree)
        raise AssertionError("unreachable")

    def download(self, path: str, kind: FileKind = "any", tree: str | None = None) -> BinaryIO:
        """The bytes at a path, in a temporary file that stays in memory while it is small. Raises JenkinsError.

        `tree`: it is an API answer, which may be too large for `api`. A file of a known `kind` that is cut short is
        downloaded again: Jenkins sends no length with it that would show that.
        """
        with self._worded(path):
            for attempt in self._http.attempts():
                with attempt:
                    return self._file(path, kind, tree)
        raise AssertionError("unreachable")

    def _json(self, path: str, tree: str) -> JsonObject:
        with self._answer(path, {"tree": tree}, MAX_OBJECT_BYTES) as answer:
            body = answer.body()
            start = body[:64].lstrip().lower()
            if start.startswith(b"<") or "html" in answer.headers.get("Content-Type", ""):
                raise LoginRedirectError(self._line("answered with a web page instead of JSON", path, _SSO, answer))
        try:
            document = json.loads(body.decode("utf-8", "replace"))
        except ValueError as error:
            raise InvalidResponseError(
                self._line(f"sent JSON that is cut short or invalid ({error})", path, _AGAIN)
            ) from None
        if not isinstance(document, dict):
            raise InvalidResponseError(self._line("sent JSON that is not an object", path, "Is this a Jenkins?"))
        return document

    def _file(self, path: str, kind: FileKind, tree: str | None) -> BinaryIO:
        params = {"tree": tree} if tree else None
        with self._answer(path, params, MAX_FILE_BYTES, redirects=tree is None) as answer:
            content_type = answer.headers.get("Content-Type", "")
            if "html" in content_type and not path.endswith((".html", ".htm")):
                raise LoginRedirectError(self._line("answered with a web page instead of a file", path, _SSO, answer))
            # Its stubs do not derive it from IO, though it has all methods of a BinaryIO.
            file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (the caller closes it)
            try:
                for chunk in answer.chunks:
                    file.write(chunk)
                file.seek(0)
                if problem := _damage(file, kind):
                    raise InvalidResponseError(self._line(f"sent a damaged file ({problem})", path, _AGAIN))
            except BaseException:
                file.close()
                raise
        file.seek(0)
        return file

    @contextmanager
    def _answer(
        self, path: str, params: dict[str, str] | None, max_bytes: int, redirects: bool = False
    ) -> Iterator[HttpAnswer]:
        """A successful answer. Raises JenkinsError for any other, HttpError, StoppedError."""
        try:
            with self._http.get(self.url(path), params, redirects=redirects, max_bytes=max_bytes) as answer:
                self._check(answer, path)
                yield answer
        except HttpBusyError as error:
            self.version = error.answer.headers.get("X-Jenkins", self.version)
            raise

    @contextmanager
    def _worded(self, path: str) -> Iterator[None]:
        """Raise the errors of ingest/http.py as JenkinsError."""
        try:
            yield
        except StoppedError as error:
            raise ShutdownError(str(error)) from None
        except HttpBusyError as error:
            raise ServerBusyError(self._line(error.what, path, _AGAIN, error.answer)) from None
        except CutBodyError as error:
            raise InvalidResponseError(self._line(error.what, path, _AGAIN)) from None
        except TooLargeError as error:
            raise AnswerTooLargeError(self._line(error.what, path, "It is not read.")) from None
        except HttpError as error:
            raise ConnectionFailedError(self._line(error.what, path, error.advice)) from None

    def _check(self, answer: HttpAnswer, path: str) -> None:
        status = answer.status
        self.version = answer.headers.get("X-Jenkins", self.version)
        if status < 300:
            return
        if status < 400:
            target = urlsplit(answer.headers.get("Location", "")).hostname or "a login page"
            raise LoginRedirectError(self._line(f"redirects to {target} ({status})", path, _SSO, answer))
        if status == 401:
            advice = f"Check user and {token_variable(self.source.name)}: the token is wrong, expired or revoked."
            error: JenkinsError = AccessDeniedError(
                self._line("rejects this user or token (401)", path, advice, answer)
            )
            error.everywhere = True
        elif status == 403:
            error = self._forbidden(answer, path)
        elif status == 404:
            error = NotFoundError(
                self._line("has nothing (404)", path, "Deleted, renamed, or hidden from this user?", answer)
            )
        else:
            error = ServerError(self._line(f"failed ({status})", path, "See the log of Jenkins.", answer))
        raise error

    def _forbidden(self, answer: HttpAnswer, path: str) -> AccessDeniedError:
        user = answer.headers.get("X-You-Are-Authenticated-As") or self.source.user or "anonymous"
        wanted = answer.headers.get("X-Required-Permission", "read")
        if user == "anonymous":
            advice = f"Set user and {token_variable(self.source.name)}."
            error = AccessDeniedError(self._line("does not let anonymous users read (403)", path, advice, answer))
            error.everywhere = True
            return error
        return AccessDeniedError(
            self._line(f"does not let {user} in (403)", path, f"Grant the permission {wanted} in Jenkins.", answer)
        )

    def _line(self, what: str, path: str, advice: str, answer: HttpAnswer | None = None) -> str:
        parts = urlsplit(self.url(path))
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        proxy = ""
        if answer is not None and answer.status != 404 and "X-Jenkins" not in answer.headers:
            proxy = " The answer came from a proxy or another server, not from Jenkins (no X-Jenkins header)."
        return f"Jenkins {what} at {where}. {advice}{proxy}"


_SSO = "A single sign-on proxy that ignores API tokens? Let it pass requests to /api/ through, or use a direct address."
_AGAIN = "It will be tried again."


def _damage(file: BinaryIO, kind: FileKind) -> str:
    """What is wrong with a downloaded file; "" if nothing is."""
    if kind == "json":
        file.seek(max(file.seek(0, 2) - 64, 0))
        return "" if file.read().rstrip().endswith(b"}") else "its JSON is cut short"
    if kind == "zip":
        try:
            read_directory(file)
        except OversizedArchiveError:
            return ""  # whole, and refused when it is read
        except BadArchiveError as error:
            return str(error)
    return ""
