"""Carries out what was asked for through the API: see data/requests.py for the kinds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from data import requests
from data.requests import DONE, FAILED, Request

if TYPE_CHECKING:
    from ingest.schedule import Ingest

log = logging.getLogger(__name__)


def carry_out(ingest: Ingest, request: Request) -> None:
    """Do it and report; whatever goes wrong is the request's error."""
    try:
        poll = ingest.cycle(request.source, force=True)
        requests.report(ingest.store, request, DONE, poll.error if poll else None)
    except Exception as error:
        log.exception("request %d", request.request)
        requests.report(ingest.store, request, FAILED, f"{type(error).__name__}: {error}")
