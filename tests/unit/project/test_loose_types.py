"""Answers have types: the number of loosely typed dicts only falls."""

from __future__ import annotations

from pathlib import Path

import pytest
from loose_types import PACKAGES, loose_uses

MOST = 52  # lower it with each file that gets types


def test_there_are_no_more_loosely_typed_dicts() -> None:
    assert len(loose_uses()) <= MOST


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(x: dict[str, Any]) -> Mapping[str, object]: ...", 2),
        ("x: list[dict[str, int | Any]] = []", 1),
        ("def f(x: dict, y: dict[str, int], z: list[object]) -> None: ...", 1),
        ("Row = dict[str, Any]\ndef f(x: Row) -> list[Row]: ...", 3),
        ('def f(x: "dict[str, Any]") -> "dict": ...', 2),
        ('Row: TypeAlias = "dict[str, Any]"\ndef f(x: Row) -> None: ...', 2),
        ("async def f() -> dict: ...", 1),
        ("counts = dict(a=1)\nisinstance(counts, dict)", 0),
    ],
)
def test_a_loosely_typed_dict_is_found(tmp_path: Path, text: str, found: int) -> None:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "data" / "rows.py").write_text(text, encoding="utf-8")
    assert len(loose_uses(tmp_path)) == found


def test_an_imported_alias_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.py").write_text("Row = dict[str, Any]", encoding="utf-8")
    (tmp_path / "data" / "use.py").write_text("from data.rows import Row\nx: Row = {}", encoding="utf-8")
    assert [use.text for use in loose_uses(tmp_path)] == ["dict[str, Any]", "Row"]
