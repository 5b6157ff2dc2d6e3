"""The HTTP client of all that ingest fetches, from Jenkins or from the bug tracker.

GET only. Sessions, proxies, certificates, timeouts, the deadline and the largest size of a body, retries and the
wording of failures are here; what a status or a body means is the caller's. No error has the address, which may contain
a secret.
"""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import requests
import urllib3

TRIES = 4
FIRST_WAIT_S = 0.4
LONGEST_WAIT_S = 60.0  # that a server may ask for
CONNECT_S = 10.0
# A read timeout starts again with each chunk that arrives; a whole answer may take this many of them.
DEADLINE_READS = 10
CHUNK = 1 << 16
_BUSY = {429: "asks for fewer requests", 503: "is starting, stopping or overloaded"} | dict.fromkeys(
    (502, 504), "did not answer its proxy"
)


class FetchError(Exception):
    """Something could not be fetched. `retry`: the same request may succeed later. `wait_s`: how long the server asks
    to wait before that."""

    retry = False
    wait_s = 0.0


class HttpError(FetchError):
    """No usable answer: what the server did, and what to do about it."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what, self.advice = what, advice


class UnreachableError(HttpError):
    """No connection, no answer in time, or a connection that broke."""

    retry = True


class CutBodyError(HttpError):
    """A body that ends too early."""

    retry = True


class TooLargeError(HttpError):
    """A body that is larger than its reader takes."""


class HttpBusyError(HttpError):
    """429, 502, 503 or 504."""

    retry = True

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(f"{_BUSY[answer.status]} ({answer.status})")
        self.answer = answer
        self.wait_s = min(_retry_after(answer.headers), LONGEST_WAIT_S)


class StoppedError(FetchError):
    """This process is shutting down; nothing is wrong with the server."""


@dataclass(frozen=True)
class HttpAnswer:
    """An answer whose body is still to be read, once. `length`: the declared bytes of the body. Reading `chunks` raises
    HttpError or StoppedError."""

    status: int
    reason: str
    headers: Mapping[str, str]
    length: int | None
    chunks: Iterator[bytes]

    def body(self) -> bytes:
        return b"".join(self.chunks)


class RequestAttempt:
    """One try of a request: `with` it, an error that may pass is dropped if another try follows."""

    def __init__(self, number: int, deadline: float) -> None:
        self._number, self._deadline = number, deadline
        self.wait_s = 0.0  # before the next try

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, FetchError) or not error.retry or self._number == TRIES - 1:
            return False
        self.wait_s = max(error.wait_s, random.uniform(0.5, 1) * FIRST_WAIT_S * 2**self._number)
        return time.monotonic() + self.wait_s <= self._deadline


class HttpClient:
    """The client of one server. Shared by threads: each has its own session, all together obey `max_in_flight`."""

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float,
        verify_tls: bool = True,
        ca_bundle: Path | None = None,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        max_in_flight: int = 1,
        stop: threading.Event | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self.requests = 0
        self._address = address
        self._timeout_s = timeout_s
        self._verify = str(ca_bundle) if ca_bundle else verify_tls
        self._auth = auth
        self._headers = {"User-Agent": "regtracker", **(headers or {})}
        self._local = threading.local()
        self._flights = threading.BoundedSemaphore(max_in_flight)
        self._count = threading.Lock()
        if not verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def attempts(self) -> Iterator[RequestAttempt]:
        """The tries of one request, with exponential back-off and jitter between them. Raises StoppedError."""
        deadline = self._deadline()
        for number in range(TRIES):
            self._check_stop()
            attempt = RequestAttempt(number, deadline)
            yield attempt
            self.stop.wait(attempt.wait_s)

    @contextmanager
    def get(
        self, url: str, params: Mapping[str, str] | None = None, *, redirects: bool = False, max_bytes: int
    ) -> Iterator[HttpAnswer]:
        """One answer, whatever its status, but HttpBusyError. User and token are sent to no other host.

        Raises HttpError, StoppedError, also while the body is read.
        """
        with self._flights:
            with self._count:
                self.requests += 1
            with _worded(self._timeout_s):
                response = self._session().get(
                    url,
                    params=params,
                    timeout=(min(CONNECT_S, self._timeout_s), self._timeout_s),
                    allow_redirects=redirects,
                    stream=True,
                )
            with response:
                declared = response.headers.get("Content-Length", "")
                length = int(declared) if declared.isdigit() else None
                chunks = self._chunks(response, length, max_bytes)
                answer = HttpAnswer(response.status_code, response.reason or "", response.headers, length, chunks)
                if answer.status in _BUSY:
                    raise HttpBusyError(answer)
                yield answer

    def _deadline(self) -> float:
        """When an answer that starts now must be complete, on the monotonic clock."""
        return time.monotonic() + DEADLINE_READS * self._timeout_s

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise StoppedError("stopped")

    def _chunks(self, response: requests.Response, length: int | None, max_bytes: int) -> Iterator[bytes]:
        deadline = self._deadline()
        size = 0
        with _worded(self._timeout_s):
            for chunk in response.iter_content(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise TooLargeError(f"sent more than {max_bytes >> 20} MB")
                yield chunk
                self._check_stop()
                if time.monotonic() > deadline:
                    raise UnreachableError("is too slow to finish an answer", "Increase timeout_s.")
        # Older urllib3 does not compare the two.
        if length is not None and response.raw.tell() < length:
            raise CutBodyError("broke off in the middle of an answer")

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update(self._headers)
            # Proxies and certificates of the environment, looked up once: it takes a third of a request's time.
            found = session.merge_environment_settings(self._address, {}, None, self._verify, None)
            session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
            session.auth = self._auth
        return session


@contextmanager
def _worded(timeout_s: float) -> Iterator[None]:
    """Raise the errors of `requests` as HttpError."""
    try:
        yield
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise CutBodyError(f"broke off in the middle of an answer ({_reason(error)})") from None
    except requests.Timeout:
        raise UnreachableError(
            f"did not answer within {timeout_s:g} s", "Is it overloaded? If not, increase timeout_s."
        ) from None
    except requests.exceptions.SSLError as error:
        raise UnreachableError(f"has no trusted certificate ({_reason(error)})", "Set ca_bundle.") from None
    except requests.RequestException as error:
        raise UnreachableError(
            f"cannot be reached ({_reason(error)})", "Is the address right and the server running?"
        ) from None


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


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait; the header is a number or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
