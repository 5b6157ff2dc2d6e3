"""Which package may import which, and in which order ingest works: the tables in docs/architecture.md are the rule."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.paths import ROOT

PRODUCT = ("data", "ingest", "dashboard", "regtracker")
TABLE = re.compile(r"^\| `([\w.]+)` \| (.*?) \|", re.MULTILINE)


def allowed() -> dict[str, set[str]]:
    """Package -> the packages that it may import, as the documented table has them."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Which package may import which")
    return {package: set(re.findall(r"`([\w.]+)`", others)) for package, others in TABLE.findall(section)}


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(file): file for package in PRODUCT for file in sorted((ROOT / package).rglob("*.py"))}


def imported(module: str) -> set[str]:
    """The project's modules that a module names in an import, wherever in the file, also for type checking only."""
    names = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {full if (full := f"{node.module}.{alias.name}") in FILES else node.module for alias in node.names}
    return {name for name in names if name in FILES} - {module}


def package_of(module: str, packages: set[str]) -> str:
    """The documented package that a module belongs to: the longest name that fits."""
    fitting = [name for name in packages if module == name or module.startswith(name + ".")]
    assert fitting, f"{module} belongs to no package of the table in docs/architecture.md"
    return max(fitting, key=len)


def test_every_import_is_allowed() -> None:
    rules = allowed()
    breaches = []
    for module in FILES:
        own = package_of(module, set(rules))
        for other in imported(module):
            target = package_of(other, set(rules))
            if target != own and target not in rules[own]:
                breaches.append(f"{module} imports {other}: {own} may not import {target}")
    assert not breaches, "\n".join(breaches)


def road() -> list[str]:
    """The modules and packages of ingest in the order in which they work, as the documented table has them."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## The road through ingest")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [\w ]+ \| (`.*?) \|", section, re.MULTILINE)
    return [f"ingest.{name}" for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_road_through_ingest_goes_one_way() -> None:
    order = road()
    aside = {"ingest", "ingest.cli", "ingest.simulator"}
    station = {
        module: name
        for module in FILES
        if (name := ".".join(module.split(".")[:2])) not in aside and module.startswith("ingest.")
    }
    assert sorted(order) == sorted(set(station.values()))
    backwards = [
        f"{module} imports {other}"
        for module, own in station.items()
        for other in imported(module)
        if other.startswith("ingest.") and (other not in station or order.index(station[other]) > order.index(own))
    ]
    assert not backwards, "\n".join(backwards)


def test_the_table_allows_only_what_is_used() -> None:
    rules = allowed()
    used = defaultdict(set)
    for module in FILES:
        used[package_of(module, set(rules))] |= {package_of(other, set(rules)) for other in imported(module)}
    unused = {package: others - used[package] for package, others in rules.items()}
    assert not {package: others for package, others in unused.items() if others}


def test_no_two_modules_import_each_other() -> None:
    TopologicalSorter({module: imported(module) for module in FILES}).prepare()  # raises CycleError


@pytest.mark.parametrize("package", ["regtracker.bench", "regtracker.backtest"])
def test_what_only_measures_is_imported_by_no_production_package(package: str) -> None:
    importers = [
        module
        for module in FILES
        if module.split(".")[0] != "regtracker" and any(name.startswith(package) for name in imported(module))
    ]
    assert importers == []


def test_no_process_imports_scipy_stats() -> None:
    """It takes half a second and 40 MB; scipy.special has what is needed of it."""
    statement = re.compile(r"^\s*(from|import) scipy\.stats\b", re.MULTILINE)
    assert [module for module, file in FILES.items() if statement.search(file.read_text(encoding="utf-8"))] == []
