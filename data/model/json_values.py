"""JSON whose form is not ours: what a value may be, and how objects in it are read."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


def json_object(value: Json) -> JsonObject:
    """An object; {} if the value is missing. Raises TypeError for anything else."""
    if not value:
        return {}
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def json_objects(value: Json) -> list[JsonObject]:
    """The objects of a list, without nulls. Raises TypeError for anything else, so that none is lost unnoticed."""
    if value is not None and not isinstance(value, list):
        raise TypeError("not a list")
    objects = []
    for item in value or ():
        if isinstance(item, dict):
            objects.append(item)
        elif item is not None:
            raise TypeError("a list with something else than objects")
    return objects
