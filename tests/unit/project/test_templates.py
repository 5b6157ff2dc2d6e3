"""Templates that can be read: short lines."""

from __future__ import annotations

from support.paths import ROOT

LONGEST = 160


def test_no_line_of_a_template_is_longer_than_a_screen() -> None:
    templates = sorted((ROOT / "dashboard").rglob("*.html"))
    assert templates
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in templates
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert not long
