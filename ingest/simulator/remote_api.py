"""The answers of `api/json` and `api/python`: a bean, cut down to what the request asks for."""

from __future__ import annotations

import json

from flask import Response, request

from ingest.simulator import error_pages
from ingest.simulator.tree_query import DepthSelection, ExportedBean, parse, render

FLAVORS = ("json", "python")


def answer(bean: ExportedBean, flavor: str) -> Response:
    wanted = request.args.get("tree")
    try:
        shown = parse(wanted) if wanted is not None else DepthSelection(1 - request.args.get("depth", 0, int))
    except ValueError as error:
        return error_pages.server_error_page(str(error))
    value = render(bean, shown)
    if flavor == "python":
        return Response(_python(value), content_type="text/x-python;charset=utf-8")
    layout = {"indent": 2} if "pretty" in request.args else {"separators": (",", ":")}
    return Response(json.dumps(value, **layout), content_type="application/json;charset=utf-8")


def _python(value: object) -> str:
    """As JSON, with Python's names for the constants."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_python(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_python, value)) + "]"
    return str(value) if value is None or isinstance(value, bool) else json.dumps(value)
