"""The modules of the scripts, joined into one script that a browser runs."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from dashboard import script_modules
from dashboard.static_files import ASSETS


@pytest.fixture
def joined(tmp_path):
    """Join files (name -> text), of which main.js is the entry."""

    def join(**files: str) -> str:
        for name, text in files.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return script_modules.join(tmp_path / "main.js")

    return join


@pytest.fixture
def run(joined, tmp_path):
    """What the joined files print in Node.js."""
    node = shutil.which("node")
    if not node:
        pytest.skip("Node.js is not installed")

    def output(**files: str) -> list[str]:
        script = tmp_path / "joined.cjs"
        script.write_text(joined(**files), encoding="utf-8")
        return subprocess.run([node, str(script)], capture_output=True, text=True, check=True).stdout.split()

    return output


def test_an_imported_name_is_the_exported_value(run):
    assert run(
        main='import { double, LIMIT } from "./sums.js";\nconsole.log(double(LIMIT));\n',
        sums="export const LIMIT = 21;\nexport function double(value) {\n  return 2 * value;\n}\n",
    ) == ["42"]


def test_long_imports_and_every_kind_of_declaration_are_read(run):
    assert run(
        main='import {\n  later,\n  Point,\n} from "./a.js";\nlater().then((x) => console.log(x + new Point().x));\n',
        a="export async function later() {\n  return 1;\n}\nexport class Point {\n  x = 2;\n}\n",
    ) == ["3"]


def test_two_modules_may_use_one_private_name(run):
    assert run(
        main='import { a } from "./a.js";\nimport { b } from "./b.js";\nconst secret = 3;\nconsole.log(a, b);\n',
        a="const secret = 1;\nexport const a = secret;\n",
        b="const secret = 2;\nexport const b = secret;\n",
    ) == ["1", "2"]


def test_modules_run_once_each_after_what_they_import_in_the_order_of_the_imports(run):
    assert run(
        main='import "./z.js";\nimport "./a.js";\nconsole.log("main");\n',
        a='import "./shared.js";\nconsole.log("a");\n',
        z='import "./shared.js";\nconsole.log("z");\n',
        shared='console.log("shared");\n',
    ) == ["shared", "z", "a", "main"]


def test_modules_are_strict_and_add_no_global_name(run):
    main = """export const mine = 1;
function undefinedIfStrict() {
  return this;
}
globalThis.strict = undefinedIfStrict() === undefined;
(0, eval)("console.log(strict, typeof mine, typeof module0)");
"""
    assert run(main=main) == ["true", "undefined", "undefined"]


def test_modules_that_import_each_other_are_refused(joined):
    with pytest.raises(script_modules.ScriptModuleError, match=r"a\.js imports b\.js imports a\.js"):
        joined(main='import "./a.js";\n', a='import "./b.js";\n', b='import "./a.js";\n')


def test_a_missing_file_is_named_with_the_file_that_imports_it(joined):
    with pytest.raises(script_modules.ScriptModuleError, match=r"gone\.js, which main\.js imports"):
        joined(main='import "./gone.js";\n')


def test_a_missing_name_is_named(joined):
    with pytest.raises(script_modules.ScriptModuleError, match=r"main\.js imports secret, which a\.js does not export"):
        joined(main='import { a, secret } from "./a.js";\n', a="export const a = 1;\nconst secret = 2;\n")


@pytest.mark.parametrize(
    "statement",
    [
        "export default 1;",
        "export let a = 1;",
        "export { a };",
        "export const { a, b } = c;",
        'import * as all from "./a.js";',
        'import a from "./a.js";',
        'import { a as b } from "./a.js";',
        'import { a } from "https://example.com/a.js";',
        'import("./a.js");',
    ],
)
def test_a_form_that_is_not_read_is_refused(joined, statement):
    with pytest.raises(script_modules.ScriptModuleError, match=re.escape(f"main.js: cannot read `{statement}`")):
        joined(main=statement + "\n", a="export const a = 1;\n")


def test_the_entry_reaches_every_script_of_the_project():
    script = script_modules.join(ASSETS / "main.js")
    assert [file.name for file in ASSETS.glob("*.js") if f"\n// {file.name}\n" not in script] == []
    assert not re.search(r"^\s*(import|export)\b", script, re.M)
