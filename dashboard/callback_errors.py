"""What a user reads when a callback fails: one message that says what to do, while the log says what happened."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import dash

log = logging.getLogger("regtracker.web")


def report(error: Exception) -> Any:
    """Dash's `on_error`: Dash itself would swallow the error, so log it under a reference and show the reference."""
    reference = secrets.token_hex(3)
    log.error("callback failed, reference %s", reference, exc_info=error)
    dash.set_props("toast", {"is_open": True, "children": _text(error, reference)})
    return dash.no_update


def _text(error: Exception, reference: str) -> str:
    return (
        f"This part of the page could not be brought up to date ({type(error).__name__}). What you see may be old: "
        f"reload the page; if it happens again, look for reference {reference} in the server's log."
    )
