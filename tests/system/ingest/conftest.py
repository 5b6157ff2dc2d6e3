"""Ingestion by processes, and from a Jenkins that fails."""

from __future__ import annotations

from support.ingest_fixtures import quick, regtracker, web

__all__ = ["quick", "regtracker", "web"]
