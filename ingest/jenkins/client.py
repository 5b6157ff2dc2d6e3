"""The Jenkins client: GET only, polite, and never trusting an answer further than it can be checked.

Whatever Jenkins says its own address is, only paths built here are asked for: `url` in its answers is made from a
setting that is often wrong. The retry loop is our own, because urllib3's cannot jitter in every version that is
supported and knows nothing of a body cut short.
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
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

import requests
import urllib3

from data.settings import SourceSettings, token_variable

TRIES = 4
FIRST_WAIT_S = 0.4
LONGEST_WAIT_S = 60.0
CONNECT_S = 10.0
# A read timeout counts anew for each piece that arrives; this many of them is the most that one answer may take.
DEADLINE_READS = 10
IN_MEMORY = 8 << 20
PIECE = 1 << 16


class JenkinsError(Exception):
    """One clear line: what happened, where, what to do. `retry`: asking again may help. `everywhere`: it is not about
    this one object, the next request will meet the same."""

    retry = False
    everywhere = False
    wait_s = 0.0  # what the server asked for


class ConnectionFailedError(JenkinsError):
    """No connection, no answer in time, or a connection that broke."""

    retry = everywhere = True


class ServerBusyError(JenkinsError):
    """429, 502, 503, 504: starting, stopping or overloaded."""

    retry = everywhere = True


class InvalidResponseError(JenkinsError):
    """An answer that is cut short or is no JSON."""

    retry = True


class AccessDeniedError(JenkinsError):
    """401 or 403: `everywhere` unless one object alone is forbidden."""


class LoginRedirectError(JenkinsError):
    """A web page, or a redirect to one, where JSON was asked for."""

    everywhere = True


class NotFoundError(JenkinsError):
    """404: gone, or hidden from this user."""


class ServerError(JenkinsError):
    """Any other answer, such as 500 where one object cannot be shown."""


class ShutdownError(JenkinsError):
    """The process is about to end; nothing is wrong with the server."""

    everywhere = True


class Jenkins:
    """One source's server. Threads share it; each has its own session, and all together obey `max_in_flight`."""

    def __init__(self, source: SourceSettings, stop: threading.Event | None = None) -> None:
        self.source = source
        self.stop = stop or threading.Event()
        self.requests = 0
        self.version: str | None = None  # X-Jenkins of the last answer that had one
        self._local = threading.local()
        self._flights = threading.BoundedSemaphore(source.max_in_flight)
        self._count = threading.Lock()
        if not source.verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def url(self, path: str) -> str:
        return self.source.url + path

    def api(self, path: str, tree: str) -> dict[str, Any]:
        """The JSON object at a path such as "job/x/12/". Raises JenkinsError."""
        return self._retried(lambda: self._json(path + "api/json", tree))

    def download(self, path: str, tree: str | None = None, check: Callable[[BinaryIO], str] = lambda _: "") -> BinaryIO:
        """The bytes at a path, in a temporary file that lives in memory while small. Raises JenkinsError.

        With `tree`, an API answer of any size, to be read by its own parser. `check` says what is wrong with a file
        that is then asked for again, or "".
        """
        return self._retried(lambda: self._file(path, tree, check))

    def _retried(self, ask):
        deadline = time.monotonic() + DEADLINE_READS * self.source.timeout_s
        for attempt in range(TRIES):
            if self.stop.is_set():
                raise ShutdownError("stopped")
            try:
                return ask()
            except JenkinsError as error:
                wait = max(error.wait_s, random.uniform(0.5, 1) * FIRST_WAIT_S * 2**attempt)
                if not error.retry or attempt == TRIES - 1 or time.monotonic() + wait > deadline:
                    raise
            self.stop.wait(wait)
        raise AssertionError("unreachable")

    def _json(self, path: str, tree: str) -> dict[str, Any]:
        with self._answer(path, tree) as (response, pieces):
            body = b"".join(pieces)
            start = body[:64].lstrip().lower()
            if start.startswith(b"<") or "html" in response.headers.get("Content-Type", ""):
                raise LoginRedirectError(self._line("answered with a web page instead of JSON", path, _SSO, response))
        try:
            answer = json.loads(body.decode("utf-8", "replace"))
        except ValueError as error:
            raise InvalidResponseError(
                self._line(f"sent JSON that breaks off or is wrong ({error})", path, _AGAIN)
            ) from None
        if not isinstance(answer, dict):
            raise InvalidResponseError(self._line("sent JSON that is no object", path, "Is this a Jenkins?"))
        return answer

    def _file(self, path: str, tree: str | None, check: Callable[[BinaryIO], str]) -> BinaryIO:
        with self._answer(path, tree, redirects=tree is None) as (response, pieces):
            kind = response.headers.get("Content-Type", "")
            if "html" in kind and not path.endswith((".html", ".htm")):
                raise LoginRedirectError(self._line("answered with a web page instead of a file", path, _SSO, response))
            file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller closes it)
            try:
                for piece in pieces:
                    file.write(piece)
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
        """A good answer and its body piece by piece; everything else is raised as the JenkinsError that it is."""
        timeout = self.source.timeout_s
        with self._flights:
            with self._count:
                self.requests += 1
            try:
                response = self._session().get(
                    self.url(path),
                    params={"tree": tree} if tree else None,
                    timeout=(min(CONNECT_S, timeout), timeout),
                    allow_redirects=redirects,
                    stream=True,
                )
                with response:
                    self._check(response, path)
                    yield response, self._pieces(response, path)
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
                what = f"broke off in the middle of an answer ({_reason(error)})"
                raise InvalidResponseError(self._line(what, path, _AGAIN)) from None
            except requests.Timeout:
                raise ConnectionFailedError(
                    self._line(f"did not answer within {timeout:g} s", path, "Is it overloaded? See timeout_s.")
                ) from None
            except requests.exceptions.SSLError as error:
                raise ConnectionFailedError(
                    self._line(f"has no certificate that is trusted ({_reason(error)})", path, "Set ca_bundle.")
                ) from None
            except requests.RequestException as error:
                raise ConnectionFailedError(
                    self._line(f"cannot be reached ({_reason(error)})", path, "Is the address right and Jenkins up?")
                ) from None

    def _pieces(self, response: requests.Response, path: str) -> Iterator[bytes]:
        deadline = time.monotonic() + DEADLINE_READS * self.source.timeout_s
        for piece in response.iter_content(PIECE):
            yield piece
            if self.stop.is_set():
                raise ShutdownError("stopped")
            if time.monotonic() > deadline:
                raise ConnectionFailedError(self._line("is too slow to finish an answer", path, "See timeout_s."))
        declared = response.headers.get("Content-Length", "")
        # Older urllib3 does not compare the two by itself.
        if declared.isdigit() and response.raw.tell() < int(declared):
            raise InvalidResponseError(self._line("broke off in the middle of an answer", path, _AGAIN))

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
                self._line("refuses this user or token (401)", path, advice, response)
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
                self._line(f"{what.get(status, 'does not get an answer')} ({status})", path, _AGAIN, response)
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
            proxy = " The answer is not from Jenkins itself (no X-Jenkins header): a proxy or another server gave it."
        return f"Jenkins {what} at {where}. {advice}{proxy}"


_SSO = "A single sign-on proxy that ignores API tokens? Let it pass requests to /api/ through, or use a direct address."
_AGAIN = "It will be asked again."


def _reason(error: Exception) -> str:
    """The innermost cause in a few words, without the address (it may hold a password)."""
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
    """Seconds to wait; the header holds a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def encode(segment: str) -> str:
    """One path segment as Jenkins' Util.rawEncode writes it: an item named `a%2Fb` stands at `a%252Fb`."""
    return quote(segment, safe="!$&'()*+,=@")


def job_path(full_name: str) -> str:
    """The path of a job or folder: `qa/7.0` stands at `job/qa/job/7.0/`. An axis build's job is `matrix/axis=value`."""
    segments = [segment for segment in full_name.split("/") if segment]
    return "".join(
        f"{encode(segment)}/" if position and _is_axis(segment) else f"job/{encode(segment)}/"
        for position, segment in enumerate(segments)
    )


def build_path(full_name: str, number: int) -> str:
    return f"{job_path(full_name)}{number}/"


def artifact_path(full_name: str, number: int, relative: str) -> str:
    return f"{build_path(full_name, number)}artifact/{'/'.join(encode(part) for part in relative.split('/'))}"


def parse_job_url(url: str) -> tuple[str, int | None]:
    """(full name, build number) of the job or build that a returned URL means, whatever host, prefix or view it names.

    Raises ValueError where there is no job in it.
    """
    parts = [unquote(part) for part in urlsplit(url).path.split("/") if part]
    names: list[str] = []
    number = None
    position = parts.index("job") if "job" in parts else len(parts)
    while position < len(parts):
        if parts[position] == "job" and position + 1 < len(parts):
            names.append(parts[position + 1])
            position += 2
        elif names and _is_axis(parts[position]):
            names.append(parts[position])
            position += 1
        else:
            number = int(parts[position]) if parts[position].isdigit() else None
            break
    if not names:
        raise ValueError(f"{url!r} names no Jenkins job: it should hold /job/NAME/")
    return "/".join(names), number


def _is_axis(segment: str) -> bool:
    return "=" in segment
