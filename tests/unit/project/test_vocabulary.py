"""Names and texts use the words of docs/glossary.md: banned identifiers and phrases are refused."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

PACKAGES = ("data", "ingest", "dashboard", "regtracker", "tools", "tests")
PYTHON = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
PRODUCT = [file for file in PYTHON if file.relative_to(ROOT).parts[0] not in ("tests", "tools")]

# Each had several meanings, or none that a newcomer could guess.
BANNED = frozenset(
    {
        "anew",
        "asked",
        "asking",
        "calm",
        "ground",
        "handed",
        "its",
        "judged",
        "laid",
        "lay",
        "lest",
        "lies",
        "likewise",
        "listed",
        "made",
        "of_",
        "part_",
        "place",
        "said",
        "say",
        "says",
        "sick",
        "sink",
        "stands",
        "stormy",
        "tells",
        "told",
        "told_",
        "whoever",
    }
)
# Modules are named with nouns of the trade.
BANNED_MODULES = BANNED | {"known", "part", "utils", "helpers", "misc"}
# Grammar of a dialect that nobody speaks; each pattern with what to write instead.
PHRASES = {
    r"\b(?:is|are|was|were|be|been|being) (?:told|handed)\b": "says, shows, gets, is given",
    r"\b(?:tells|told) (?:of|what|which|whether|how|that|apart|by)\b": "says, shows, distinguishes",
    r"\basked of\b": "requested from",
    r"\blest\b": "so that ... not",
    r"\banew\b": "again",
    r"\bwhoever\b": "anyone who",
    r"\blikewise\b": "the same, also",
    r"\bbe it\b": "whether",
    r"\bto be had\b": "available",
    r"\b(?:stands|stood) (?:in|for|at|beside|here|there|still|under|over|by)\b": "is",
    r"\b(?:lies|lay) (?:in|beside|between|below|before|beyond|under)\b": "is",
    r"\bwhat (?:stands|lies|holds)\b": "what is",
    r"\bof them (?:errors|are|have)\b": "including",
    r"\bnone where there (?:is|are) none\b": "None if there is none",
    r"\bis no (?:id|number|time|date|name)\b": "is not a valid id",
}
TEXTS = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "regtracker.example.toml")
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "dashboard").rglob("*.html")),
    *sorted((ROOT / "assets").glob("*.js")),
    *sorted((ROOT / "assets").glob("*.css")),
    *sorted((ROOT / ".github").rglob("*.*")),
    ROOT / "Makefile",
    ROOT / "pyproject.toml",
    *sorted((ROOT / "data" / "lake" / "schema").glob("*.sql")),
]


def defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of everything that a file names itself: classes, functions, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def wire_fields(file: Path, tree: ast.AST) -> set[tuple[int, str]]:
    """(line, name) of the fields of answers. They are the keys of the API's JSON: clients read them by name."""
    if file.parent != ROOT / "data" / "answers":
        return set()
    return {
        (field.lineno, field.target.id)
        for schema in ast.walk(tree)
        if isinstance(schema, ast.ClassDef)
        for field in schema.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def short(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_no_banned_name_is_defined() -> None:
    found = [
        f"{short(file)}:{line} {name}"
        for file in PYTHON
        for tree in [ast.parse(file.read_text(encoding="utf-8"))]
        for line, name in sorted({*defined(tree)} - wire_fields(file, tree))
        if name in BANNED or name.lstrip("_") in BANNED
    ]
    assert not found, "\n".join(found)


def test_no_module_has_a_banned_name() -> None:
    assert [short(file) for file in PYTHON if file.stem.lstrip("_") in BANNED_MODULES] == []


def test_exceptions_end_in_error() -> None:
    bases: dict[str, list[str]] = {}
    for file in PRODUCT:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [
                    base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases
                ]

    def raised(name: str) -> bool:
        return name in ("Exception", "BaseException") or name.endswith("Error") or any(map(raised, bases.get(name, ())))

    wrong = [name for name in bases if any(map(raised, bases[name])) and not name.endswith("Error")]
    assert wrong == []


# Answers describe these very things, under the names that clients see.
SAME_THING = {"RawFile", "Snapshot"}


def types_of(file: Path) -> Iterator[str]:
    """The names of the public classes and type aliases of a module."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper() and ast.unparse(node.value) != "dict[str, Any]":
                yield name


def test_no_type_name_means_two_things() -> None:
    places = defaultdict(set)
    for file in PRODUCT:
        for name in types_of(file):
            if not name.startswith("_") and name not in SAME_THING:
                places[name].add(short(file))
    assert not {name: files for name, files in places.items() if len(files) > 1}


def texts_of(file: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of whatever a person reads in a file: all of a document, strings and comments of code."""
    text = file.read_text(encoding="utf-8")
    yield from enumerate(text.splitlines(), 1)


@pytest.mark.parametrize("pattern", PHRASES)
def test_no_text_uses_the_old_dialect(pattern: str) -> None:
    regex = re.compile(pattern, re.IGNORECASE)
    found = [
        f"{short(file)}:{line} {text.strip()[:110]}"
        for file in (*PYTHON, *TEXTS)
        if file != Path(__file__)
        for line, text in texts_of(file)
        if regex.search(text)
    ]
    assert not found, f"write {PHRASES[pattern]!r} instead:\n" + "\n".join(found)
