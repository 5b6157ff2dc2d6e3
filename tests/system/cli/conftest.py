"""The command line, in this process and as processes."""

from __future__ import annotations

from support.light_plans import light_plans

__all__ = ["light_plans"]
