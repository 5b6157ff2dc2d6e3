"""Count the loosely typed dicts of the product: `dict[str, Any]`, `Mapping[str, object]`, and aliases of them.

`python tools/loose_types.py` prints how many each package has, `--files` how many each file, `--lines` where they are;
`--limit N` exits with 1 if there are more than N. A dict without types counts too: its values are `Any`.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "ingest", "dashboard", "regtracker")
DICTS = {"dict", "Dict", "defaultdict", "OrderedDict", "Counter", "Mapping", "MutableMapping"}
LOOSE = {"Any", "object"}


class Use(NamedTuple):
    file: Path
    line: int
    text: str


def loose_uses(root: Path = ROOT) -> list[Use]:
    """Every loosely typed dict below the packages, in the order of files and lines."""
    trees = {
        file: ast.parse(file.read_text(encoding="utf-8"))
        for package in PACKAGES
        for file in sorted((root / package).rglob("*.py"))
    }
    aliases = {
        (_module(file, root), name)
        for file, tree in trees.items()
        for name, value in _aliases(tree)
        if _is_loose(value)
    }
    return [
        use for file, tree in trees.items() for use in _uses(file, tree, _visible(tree, _module(file, root), aliases))
    ]


def _module(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _aliases(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Name and value of the module's constants, of which some are aliases of types."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _unquoted(node: ast.expr) -> ast.expr:
    """The type in quotation marks; any other expression as it is."""
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return node
    try:
        quoted = ast.parse(node.value.strip(), mode="eval").body
    except SyntaxError:
        return node
    ast.increment_lineno(quoted, node.lineno - 1)
    return quoted


def _is_loose(value: ast.expr) -> bool:
    """Whether the value is a type with a loose dict in it; a call or a display is no type."""
    value = _unquoted(value)
    is_type = isinstance(value, ast.Subscript | ast.BinOp)
    return is_type and any(_is_loose_dict(node) for node in ast.walk(value))


def _is_loose_dict(node: ast.AST) -> bool:
    if not isinstance(node, ast.Subscript) or _name(node.value) not in DICTS or not isinstance(node.slice, ast.Tuple):
        return False
    return bool(LOOSE & {_name(option) for option in _options(node.slice.elts[-1])})


def _options(node: ast.expr) -> Iterator[ast.expr]:
    """The members of a union."""
    if isinstance(node, ast.BinOp):
        yield from _options(node.left)
        yield from _options(node.right)
    else:
        yield node


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _visible(tree: ast.Module, module: str, aliases: set[tuple[str, str]]) -> set[str]:
    """The names by which the module knows a loose alias, its own or an imported one."""
    names = {name for owner, name in aliases if owner == module}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names if (node.module, alias.name) in aliases}
    return names


def _uses(file: Path, tree: ast.Module, aliases: set[str]) -> Iterator[Use]:
    quoted = [type_ for type_ in _types(tree) if isinstance(type_, ast.Constant) and isinstance(type_.value, str)]
    nodes = [node for part in (tree, *map(_unquoted, quoted)) for node in ast.walk(part)]
    found: set[ast.expr] = {node for node in nodes if isinstance(node, ast.expr) and _is_loose_dict(node)}
    found |= {
        node for node in nodes if isinstance(node, ast.Name) and node.id in aliases and isinstance(node.ctx, ast.Load)
    }
    for annotation in map(_unquoted, _annotations(tree)):
        typed = {node.value for node in ast.walk(annotation) if isinstance(node, ast.Subscript)}
        found |= {
            node
            for node in ast.walk(annotation)
            if isinstance(node, ast.expr) and _name(node) in DICTS and node not in typed
        }
    for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        yield Use(file, node.lineno, ast.unparse(node))


def _types(tree: ast.Module) -> Iterator[ast.expr]:
    """Annotations and the values of aliases."""
    yield from _annotations(tree)
    yield from (value for _, value in _aliases(tree))


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        annotation = getattr(node, "returns" if is_function else "annotation", None)
        if isinstance(annotation, ast.expr):
            yield annotation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="count each file")
    parser.add_argument("--lines", action="store_true", help="list each line")
    parser.add_argument("--limit", type=int, help="exit with 1 if there are more")
    options = parser.parse_args()
    uses = loose_uses()
    if options.lines:
        for use in uses:
            print(f"{use.file.relative_to(ROOT)}:{use.line}: {use.text}")
    counts = Counter(
        str(use.file.relative_to(ROOT)) if options.files else "/".join(use.file.relative_to(ROOT).parts[:-1])
        for use in uses
    )
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:5} {name}")
    print(f"{len(uses):5} in all")
    return int(options.limit is not None and len(uses) > options.limit)


if __name__ == "__main__":
    sys.exit(main())
