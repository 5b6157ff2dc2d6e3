"""The message that users see when a callback fails; the log has the details."""

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
        f"This part of the page could not be updated ({type(error).__name__}) and may be out of date. Reload the page; "
        f"if it happens again, look for reference {reference} in the server's log."
    )
