"""What can go wrong between this process and a Jenkins. Each error is one line: what happened, where, what to do."""

from __future__ import annotations

from ingest.http import FetchError


class JenkinsError(FetchError):
    """`everywhere`: the next request will fail the same way, because the cause is the server or the account and not
    this one object."""

    everywhere = False


class ConnectionFailedError(JenkinsError):
    """No connection, no answer in time, or a connection that broke."""

    retry = everywhere = True


class ServerBusyError(JenkinsError):
    """429, 502, 503, 504: starting, stopping or overloaded."""

    retry = everywhere = True


class InvalidResponseError(JenkinsError):
    """An answer that is cut short, or not JSON."""

    retry = True


class AccessDeniedError(JenkinsError):
    """401 or 403; `everywhere` unless only this object is forbidden."""


class LoginRedirectError(JenkinsError):
    """A web page, or a redirect to one, in place of JSON."""

    everywhere = True


class NotFoundError(JenkinsError):
    """404: deleted, or hidden from this user."""


class AnswerTooLargeError(JenkinsError):
    """A body that no reader takes; another download of it would be as large."""


class ServerError(JenkinsError):
    """Any other answer, such as 500 for one object that cannot be rendered."""


class ShutdownError(JenkinsError):
    """This process is shutting down; nothing is wrong with the server."""

    everywhere = True
