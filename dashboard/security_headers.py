"""Security headers: a hostile test name, message or parameter does no harm even if it is not escaped."""

from __future__ import annotations

from dash import Dash
from flask import Response

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install(app: Dash, inline_hashes: list[str]) -> None:
    """Set the headers on every response of the server.

    Dash knows the hashes of its own inline scripts only after its setup, so the policy is built with the first
    response, not here. Inline styles are allowed because Plotly writes them.
    """
    policy: list[str] = []

    @app.server.after_request
    def secure(response: Response) -> Response:
        if not policy:
            scripts = " ".join(["'self'", *inline_hashes, *dict.fromkeys(app.csp_hashes())])
            policy.append(
                f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
                "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
                "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
            )
        response.headers.setdefault("Content-Security-Policy", policy[0])
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response
