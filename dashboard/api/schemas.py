"""The schemas of the API, as pydantic models derived from the answers (`data/answers/`).

The OpenAPI document is generated from them, and tests check answers. Answers are not built from them at run time.
"""

from __future__ import annotations

import types
from functools import cache, reduce
from keyword import iskeyword
from operator import or_
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, ConfigDict, Field, create_model

from data.answers.base import Values


class Problem(BaseModel):
    """An error, as defined by RFC 9457."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="type of the problem: a link to the documentation", examples=["/api/docs#404"])
    title: str = Field(description="the same for every problem of this type", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="what is wrong, and what to do")
    instance: str = Field(description="path of the request")
    parameter: str | None = Field(None, description="invalid parameter or field")
    position: int | None = Field(None, ge=0, description="index of the character where the error is (SQL)")


@cache
def schema(answer: type, is_open: bool = False) -> type[BaseModel]:
    """The model of an answer, a TypedDict; `is_open`: it may have more fields."""
    fields: dict[str, tuple[object, object]] = {}
    for key, hint in get_type_hints(answer, include_extras=True).items():
        is_required = get_origin(hint) is not NotRequired
        field = _model_type(hint if is_required else get_args(hint)[0])
        name = f"{key}_" if iskeyword(key) else key
        fields[name] = field if name == key else Annotated[field, Field(alias=key)], ... if is_required else None
    config = ConfigDict(extra="allow" if is_open else "forbid")
    model: Any = create_model
    return model(answer.__name__, __config__=config, __doc__=answer.__doc__, __module__=__name__, **fields)


def _model_type(hint: Any) -> Any:
    """A type of an answer in the terms of pydantic."""
    if is_typeddict(hint):
        return schema(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        base, *facts = arguments
        if any(isinstance(fact, Values) and fact.is_open for fact in facts):
            base = schema(base, is_open=True)
        return reduce(lambda whole, fact: Annotated[whole, _field(fact)], facts, _model_type(base))
    if origin in (Union, types.UnionType):
        return reduce(or_, map(_model_type, arguments))
    if origin in (list, dict):
        return types.GenericAlias(origin, tuple(map(_model_type, arguments)))
    return hint


def _field(fact: object) -> Any:
    if not isinstance(fact, Values):
        return Field(description=str(fact))
    limits = {"ge": fact.minimum, "le": fact.maximum, "pattern": fact.pattern}
    field: Any = Field
    return field(
        json_schema_extra=None if fact.format is None else {"format": fact.format},
        examples=None if fact.example is None else [fact.example],
        **{name: limit for name, limit in limits.items() if limit is not None},
    )
