"""The Jenkins client: GET only, few requests at a time, and every answer checked.

Only paths built here are requested: `url` in Jenkins' answers comes from a setting of Jenkins that is often wrong. A
failed request is retried here (`_retried`), within one poll; how a failed build is retried by later polls is in
ingest/retry.py. The loop is our own because urllib3's has no jitter in every supported version and does not notice a
body that is cut short.
"""

from __future__ import annotations

import email.utils
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import requests
import urllib3

from data.model.json_values import JsonObject
from data.settings import SourceSettings, token_variable
from ingest.http import CutBodyError, SlowBodyError, deadline, read_chunks, timeouts
from ingest.jenkins.errors import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidResponseError,
    JenkinsError,
    LoginRedirectError,
    NotFoundError,
    ServerBusyError,
    ServerError,
    ShutdownError,
)

TRIES = 4
FIRST_WAIT_S = 0.4
LONGEST_WAIT_S = 60.0  # that a server may ask for
IN_MEMORY = 8 << 20  # bytes of a download; a larger one goes to disk


T = TypeVar("T")


class Jenkins:
    """The server of one source. Shared by threads: each has its own session, all together obey `max_in_flight`."""

    def __init__(self, source: SourceSettings, stop: threading.Event | None = None) -> None:
        self.source = source
        self.stop = stop or threading.Event()
        self.requests = 0
        self.version: str | None = None  # X-Jenkins of the last answer that had this header
        self._local = threading.local()
        self._flights = threading.BoundedSemaphore(source.max_in_flight)
        self._count = threading.Lock()
        if not source.verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def url(self, path: str) -> str:
        return self.source.url + path

    def api(self, path: str, tree: str) -> JsonObject:
        """The JSON object at a path such as "job/x/12/". Raises JenkinsError."""
        return self._retried(lambda: self._json(path + "api/json", tree))

    def download(self, path: str, tree: str | None = None, check: Callable[[BinaryIO], str] = lambda _: "") -> BinaryIO:
        """The bytes at a path, in a temporary file that stays in memory while it is small. Raises JenkinsError.

        `tree`: it is an API answer, which may be too large for `api`. `check` returns what is wrong with the file, or
        "": a file that fails the check is downloaded again.
        """
        return self._retried(lambda: self._file(path, tree, check))

    def _retried(self, request: Callable[[], T]) -> T:
        """The result of `request`, tried up to TRIES times with exponential back-off and jitter."""
        end = deadline(self.source.timeout_s)
        for attempt in range(TRIES):
            if self.stop.is_set():
                raise ShutdownError("stopped")
            try:
                return request()
            except JenkinsError as error:
                wait = max(error.wait_s, random.uniform(0.5, 1) * FIRST_WAIT_S * 2**attempt)
                if not error.retry or attempt == TRIES - 1 or time.monotonic() + wait > end:
                    raise
            self.stop.wait(wait)
        raise AssertionError("unreachable")

    def _json(self, path: str, tree: str) -> JsonObject:
        with self._answer(path, tree) as (response, chunks):
            body = b"".join(chunks)
            start = body[:64].lstrip().lower()
            if start.startswith(b"<") or "html" in response.headers.get("Content-Type", ""):
                raise LoginRedirectError(self._line("answered with a web page instead of JSON", path, _SSO, response))
        try:
            answer = json.loads(body.decode("utf-8", "replace"))
        except ValueError as error:
            raise InvalidResponseError(
                self._line(f"sent JSON that is cut short or invalid ({error})", path, _AGAIN)
            ) from None
        if not isinstance(answer, dict):
            raise InvalidResponseError(self._line("sent JSON that is not an object", path, "Is this a Jenkins?"))
        return answer

    def _file(self, path: str, tree: str | None, check: Callable[[BinaryIO], str]) -> BinaryIO:
        with self._answer(path, tree, redirects=tree is None) as (response, chunks):
            kind = response.headers.get("Content-Type", "")
            if "html" in kind and not path.endswith((".html", ".htm")):
                raise LoginRedirectError(self._line("answered with a web page instead of a file", path, _SSO, response))
            # Its stubs do not derive it from IO, though it has all methods of a BinaryIO.
            file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (the caller closes it)
            try:
                for chunk in chunks:
                    file.write(chunk)
                file.seek(0)
                if problem := check(file):
                    raise InvalidResponseError(self._line(f"sent a damaged file ({problem})", path, _AGAIN))
            except BaseException:
                file.close()
                raise
        file.seek(0)
        return file

    @contextmanager
    def _answer(
        self, path: str, tree: str | None, redirects: bool = False
    ) -> Iterator[tuple[requests.Response, Iterator[bytes]]]:
        """A successful answer and its body in chunks. Raises JenkinsError for any other answer."""
        timeout = self.source.timeout_s
        with self._flights:
            with self._count:
                self.requests += 1
            try:
                response = self._session().get(
                    self.url(path),
                    params={"tree": tree} if tree else None,
                    timeout=timeouts(timeout),
                    allow_redirects=redirects,
                    stream=True,
                )
                with response:
                    self._check(response, path)
                    yield response, self._chunks(response)
            except CutBodyError:
                raise InvalidResponseError(self._line("broke off in the middle of an answer", path, _AGAIN)) from None
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
                what = f"broke off in the middle of an answer ({_reason(error)})"
                raise InvalidResponseError(self._line(what, path, _AGAIN)) from None
            except SlowBodyError:
                advice = "Increase timeout_s."
                raise ConnectionFailedError(self._line("is too slow to finish an answer", path, advice)) from None
            except requests.Timeout:
                raise ConnectionFailedError(
                    self._line(
                        f"did not answer within {timeout:g} s", path, "Is it overloaded? If not, increase timeout_s."
                    )
                ) from None
            except requests.exceptions.SSLError as error:
                raise ConnectionFailedError(
                    self._line(f"has no trusted certificate ({_reason(error)})", path, "Set ca_bundle.")
                ) from None
            except requests.RequestException as error:
                raise ConnectionFailedError(
                    self._line(
                        f"cannot be reached ({_reason(error)})", path, "Is the address right and Jenkins running?"
                    )
                ) from None

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        for chunk in read_chunks(response, self.source.timeout_s):
            yield chunk
            if self.stop.is_set():
                raise ShutdownError("stopped")

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers["User-Agent"] = "regtracker"
            verify = str(self.source.ca_bundle) if self.source.ca_bundle else self.source.verify_tls
            # Proxies and certificates of the environment, looked up once: it takes a third of a request's time.
            found = session.merge_environment_settings(self.source.url, {}, None, verify, None)
            session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
            if self.source.user and self.source.token:
                session.auth = (self.source.user, self.source.token.get_secret_value())
        return session

    def _check(self, response: requests.Response, path: str) -> None:
        status = response.status_code
        self.version = response.headers.get("X-Jenkins", self.version)
        if status < 300:
            return
        if status < 400:
            target = urlsplit(response.headers.get("Location", "")).hostname or "a login page"
            raise LoginRedirectError(self._line(f"redirects to {target} ({status})", path, _SSO, response))
        if status == 401:
            advice = f"Check user and {token_variable(self.source.name)}: the token is wrong, expired or revoked."
            error: JenkinsError = AccessDeniedError(
                self._line("rejects this user or token (401)", path, advice, response)
            )
            error.everywhere = True
        elif status == 403:
            error = self._forbidden(response, path)
        elif status == 404:
            error = NotFoundError(
                self._line("has nothing (404)", path, "Deleted, renamed, or hidden from this user?", response)
            )
        elif status in (429, 502, 503, 504):
            what = {429: "asks for fewer requests", 503: "is starting, stopping or overloaded"}
            error = ServerBusyError(
                self._line(f"{what.get(status, 'did not answer its proxy')} ({status})", path, _AGAIN, response)
            )
            error.wait_s = min(_retry_after(response), LONGEST_WAIT_S)
        else:
            error = ServerError(self._line(f"failed ({status})", path, "See the log of Jenkins.", response))
        raise error

    def _forbidden(self, response: requests.Response, path: str) -> AccessDeniedError:
        user = response.headers.get("X-You-Are-Authenticated-As") or self.source.user or "anonymous"
        wanted = response.headers.get("X-Required-Permission", "read")
        if user == "anonymous":
            advice = f"Set user and {token_variable(self.source.name)}."
            error = AccessDeniedError(self._line("does not let anonymous users read (403)", path, advice, response))
            error.everywhere = True
            return error
        return AccessDeniedError(
            self._line(f"does not let {user} in (403)", path, f"Grant the permission {wanted} in Jenkins.", response)
        )

    def _line(self, what: str, path: str, advice: str, response: requests.Response | None = None) -> str:
        parts = urlsplit(self.url(path))
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        proxy = ""
        if response is not None and response.status_code != 404 and "X-Jenkins" not in response.headers:
            proxy = " The answer came from a proxy or another server, not from Jenkins (no X-Jenkins header)."
        return f"Jenkins {what} at {where}. {advice}{proxy}"


_SSO = "A single sign-on proxy that ignores API tokens? Let it pass requests to /api/ through, or use a direct address."
_AGAIN = "It will be tried again."


def _reason(error: Exception) -> str:
    """The innermost cause in a few words, without the address, which may contain a password."""
    inner: BaseException = error
    while True:
        below = getattr(inner, "reason", None)
        below = (
            below
            if isinstance(below, BaseException)
            else next((arg for arg in inner.args if isinstance(arg, BaseException)), None)
        )
        if below is None:
            break
        inner = below
    text = getattr(inner, "strerror", None) or str(inner).rpartition(": ")[2] or type(inner).__name__
    return text[:200]


def _retry_after(response: requests.Response) -> float:
    """Seconds to wait; the header is a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
