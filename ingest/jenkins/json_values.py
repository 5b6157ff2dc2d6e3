"""Values of Jenkins' JSON, read tolerantly: anything of another type counts as absent."""

from __future__ import annotations

from typing import Any


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array; anything else is ignored."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def json_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
