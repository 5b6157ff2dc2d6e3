"""Write docs/reference.md from the OpenAPI document, the flags of builds and the data dictionary:
`python tools/api_reference.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dashboard.api import create_server
from dashboard.api.openapi_page import document
from data.model.build_record import FLAGS
from data.settings import Settings
from data.sql_console import dictionary

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
HEAD = """# Routes, answers and tables

`python tools/api_reference.py` writes this page. Routes and answers come from the types in `data/answers/`, as does the
OpenAPI document; tables from the comments in `data/lake/schema/`, as the SQL console shows them.
[api.md](api.md) explains how to call the API."""
COMMON = {"as_of", "fields", "limit", "cursor", "format"}
Schema = dict[str, Any]


def page() -> str:
    with tempfile.TemporaryDirectory() as home:
        spec = document(create_server(Settings(home=Path(home))))
    schemas: dict[str, Schema] = spec["components"]["schemas"]
    lines = [HEAD, "", "## Routes", f"Below `/api/v1`. Parameters beside {_names(sorted(COMMON))}:", ""]
    lines += _table("route | what it answers | parameters | answer", _routes(spec["paths"]))
    lines += ["", "## Answers", "Objects of answers, and of the bodies of requests."]
    for name, schema in sorted(schemas.items()):
        if not _is_page(name, schemas):
            about = schema.get("description")
            lines += ["", f"### {name}", *([about, ""] if about else [])]
            lines += _table("field | type | meaning", _fields(schema))
    lines += ["", "## Flags of a build", ""]
    lines += _table("flag | meaning", ((f"`{flag}`", meaning) for flag, meaning in FLAGS.items()))
    lines += ["", "## Tables", "The tables that SQL may read; ids are 63-bit integers here."]
    for table in dictionary.tables():
        lines += ["", f"### Table {table['name']}", *([table["about"], ""] if table["about"] else [])]
        lines += _table(
            "column | type | meaning", ((f"`{row['name']}`", row["type"], row["about"]) for row in table["columns"])
        )
    return "\n".join(lines) + "\n"


def _is_page(name: str, schemas: dict[str, Schema]) -> bool:
    """Whether it is a page of a list, or an item with some of its fields."""
    is_partial = name.startswith("Some") and name.removeprefix("Some") in schemas
    return is_partial or {"items", "next"} <= schemas[name]["properties"].keys()


def _routes(paths: dict[str, Schema]) -> Iterator[tuple[str, ...]]:
    for path, item in paths.items():
        for method, operation in item.items():
            route = path.removeprefix("/api/v1")
            verb = "" if method == "get" else f"{method.upper()} "
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            yield f"`{verb}{route}`", operation["summary"], _names(sorted(set(names) - COMMON)), _answer(operation)


def _answer(operation: Schema) -> str:
    """The type of a successful answer."""
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status.startswith("2") and content:
            schema = content.get("application/json", {}).get("schema")
            if schema is None:
                return ", ".join(content)
            name = schema.get("anyOf", [schema])[0]["$ref"].rpartition("/")[2]
            return f"list of {_link(name.removesuffix('List'))}" if name.endswith("List") else _link(name)
    return ""


def _fields(schema: Schema) -> Iterator[tuple[str, ...]]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        yield f"`{name}`{'' if name in required else ' (optional)'}", _type(field), field.get("description", "")


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind: str = schema.get("type", "any")
    if kind == "array":
        parts = schema.get("prefixItems")
        return f"[{', '.join(map(_type, parts))}]" if parts else f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if kind == "string":
        return {"date-time": "time", "binary": "file"}.get(schema.get("format", ""), _text(schema.get("pattern", "")))
    return kind


def _text(pattern: str) -> str:
    return "id" if pattern == "^[0-9a-f]{16}$" else "text"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in row)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
