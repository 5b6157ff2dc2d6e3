"""Examples of the answers, generated from the fields of their models; values are consistent across routes."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

_BY_NAME: dict[str, Any] = {
    "agent": "agent-3",
    "attempt": 1,
    "author": "dana",
    "case_id": "C1204",
    "causes": [{"shortDescription": "Started by timer"}],
    "cells": ["FFPP"],
    "class": "TestLinks",
    "columns": [{"name": "module", "type": "VARCHAR"}, {"name": "failed", "type": "BIGINT"}],
    "component": "links",
    "day": "2026-11-22",
    "description": "Failed in the last 2 runs, since #19; passed in #18.",
    "detail": "there is no run '0000000000000000'",
    "display_name": "VER: 7.0.0.9",
    "environment": "prod",
    "environments": ["prod", "staging"],
    "error": None,
    "errors": 1,
    "evidence": {"statuses": "PPPPPPPPFF", "window": 10, "failed": 2, "of": 10, "rate": 0.2},
    "example": "AssertionError: expected 4 neighbours, found 3",
    "failed": 9,
    "file": "tests/network/test_links.py",
    "freshness_s": 5400.0,
    "host": "10.0.0.7",
    "hosts": ["10.0.0.7"],
    "instance": "/api/v1/runs/0000000000000000",
    "job": "qa/7.0/NETWORK",
    "key": "tests/network/test_links.py::TestLinks::test_down[3s]",
    "kind": "regression",
    "message": "AssertionError: expected 4 neighbours, found 3",
    "missing": 0,
    "module": "network",
    "modules": ["network", "storage"],
    "name": "test_down[3s]",
    "number": 20,
    "numbers": [17, 18, 19, 20],
    "owner": "dana",
    "parameter": None,
    "parameters": {"VERSION": "7.0.0.9"},
    "passed": 1951,
    "path": "reports/junit/network.xml",
    "pattern": "AssertionError: expected % neighbours, found %",
    "payload": {"url": "https://ci.example.com/job/qa/job/7.0/job/NETWORK/20/"},
    "priority": "P1",
    "range_99": None,
    "release": "7.0",
    "releases": ["7.0", "8.0"],
    "result": "UNSTABLE",
    "revision": "4f1d2c9",
    "rows": [["network", 9]],
    "running_run": None,
    "sentence": "Failed in the last 2 runs, since #19; passed in #18.",
    "skipped": 40,
    "snapshot": 812,
    "source": "ci",
    "status": "failed",
    "strip": "PPPPPPPPFF",
    "topology": "3s",
    "total": 2000,
    "trace": "Traceback (most recent call last): ...",
    "url": "https://ci.example.com/job/qa/job/7.0/job/NETWORK/20/",
    "value": "3s",
    "version": "7.0.0.9",
    "versions": ["7.0.0.9", "7.0.0.8"],
}


def example(model: type[BaseModel]) -> dict[str, Any]:
    """An instance of the model as JSON."""
    hints = get_type_hints(model, include_extras=True)
    return {
        field.alias or name: field.examples[0] if field.examples else _value(field.alias or name, hints[name])
        for name, field in model.model_fields.items()
        if field.is_required() or (field.alias or name) in _BY_NAME
    }


def _value(name: str, hint: Any) -> Any:
    if name in _BY_NAME and _fits(_BY_NAME[name], hint):
        return _BY_NAME[name]
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is Annotated:
        base, *facts = get_args(hint)
        examples = [value for fact in facts for value in getattr(fact, "examples", None) or []]
        return examples[0] if examples else _value(name, base)
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is list:
        return [_value(name.removesuffix("s"), get_args(hint)[0])]
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return example(hint)
    return {str: "text", int: 3, float: 12.5, bool: False}.get(hint, {})


def _fits(value: Any, hint: Any) -> bool:
    """Whether an example value has the type of this field: `failed` is a count here and a list there."""
    if get_origin(hint) is Annotated:
        return _fits(value, get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return isinstance(value, dict) and set(value) == {f.alias or n for n, f in hint.model_fields.items()}
    return hint is Any or (isinstance(hint, type) and type(value) is hint)
