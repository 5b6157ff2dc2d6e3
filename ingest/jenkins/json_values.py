"""Values of Jenkins' JSON, read tolerantly: anything of another type counts as absent."""

from __future__ import annotations

from data.model.json_values import Json, JsonObject


def dicts(value: Json) -> list[JsonObject]:
    """The objects of a JSON array; anything else is ignored."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def json_object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
