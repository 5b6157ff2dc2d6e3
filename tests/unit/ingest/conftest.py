"""Fixtures of the ingest tests."""

from __future__ import annotations

from support.ingest_fixtures import quick, regtracker, shared_regtracker, store, web
from support.light_plans import light_plans

__all__ = ["light_plans", "quick", "regtracker", "shared_regtracker", "store", "web"]
