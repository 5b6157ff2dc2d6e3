"""Joins the ES modules of `assets/` into one script, so that a browser loads one file and no build step is needed.

Each module becomes a function that runs once, after the modules that it imports; its private names stay its own. It
reads only the statements that our scripts use, each at the beginning of a line:

    import "./file.js";
    import { one, other } from "./file.js";
    export const one = ...        also: function, async function, class

Constants and functions never change, so an imported value can be passed as a parameter. The module format itself is the
language's own: editors, linters and `node --test` read the same files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_IMPORT = re.compile(
    r"""^import (?:\{(?P<names>\s*[\w$]+(?:,\s*[\w$]+)*,?\s*)\} from )?"\./(?P<file>[\w.-]+)";\n?""", re.M
)
_EXPORT = re.compile(r"^export (?=(?:const|(?:async )?function|class) (?P<name>[\w$]+))", re.M)
_STATEMENT = re.compile(r"^(?:import|export)\b.*", re.M)


class ScriptModuleError(Exception):
    """A script imports what does not exist, or in a form that is not read; the message names the file."""


@dataclass(frozen=True)
class _Module:
    imports: list[tuple[str, list[str]]]  # (file, names), in the order of the text
    exports: list[str]
    body: str  # without imports, with exports as plain declarations


def join(entry: Path) -> str:
    """The script of `entry` and all that it imports, in the order in which a browser would run the modules.

    Raises ScriptModuleError for a file or name that does not exist, modules that import each other, and statements that
    it cannot read."""
    modules: dict[str, _Module] = {}

    def visit(file: str, importers: tuple[str, ...]) -> None:
        if file in importers:
            circle = importers[importers.index(file) :]
            raise ScriptModuleError(" imports ".join((*circle, file)) + ": modules must not import each other")
        if file in modules:
            return
        module = _read(entry.with_name(file), importers)
        for imported, names in module.imports:
            visit(imported, (*importers, file))
            if missing := [name for name in names if name not in modules[imported].exports]:
                raise ScriptModuleError(f"{file} imports {', '.join(missing)}, which {imported} does not export")
        modules[file] = module  # after its imports, which therefore come first

    visit(entry.name, ())
    identifiers = {file: f"module{number}" for number, file in enumerate(modules)}
    functions = [_function(file, module, identifiers) for file, module in modules.items()]
    return "\n".join(['"use strict";', "(() => {", *functions, "})();", ""])


def _read(path: Path, importers: tuple[str, ...]) -> _Module:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        by = f", which {importers[-1]} imports" if importers else ""
        raise ScriptModuleError(f"{path.name}{by}, cannot be read: {error.strerror}") from error
    imports = [
        (found["file"], [name for part in (found["names"] or "").split(",") if (name := part.strip())])
        for found in _IMPORT.finditer(text)
    ]
    exports = [found["name"] for found in _EXPORT.finditer(text)]
    body = _EXPORT.sub("", _IMPORT.sub("", text))
    if unread := _STATEMENT.search(body):
        raise ScriptModuleError(f"{path.name}: cannot read `{unread[0]}`")
    return _Module(imports, exports, body)


def _function(file: str, module: _Module, identifiers: dict[str, str]) -> str:
    """The module as a function that is called at once with the exports of its imports, and returns its own."""
    imports = [(identifiers[imported], names) for imported, names in module.imports if names]
    parameters = ", ".join(f"{{ {', '.join(names)} }}" for _, names in imports)
    values = ", ".join(identifier for identifier, _ in imports)
    exports = f"return {{ {', '.join(module.exports)} }};\n" if module.exports else ""
    return f"// {file}\nconst {identifiers[file]} = (({parameters}) => {{\n{module.body}{exports}}})({values});"
