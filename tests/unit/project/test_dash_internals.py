"""One module of each language knows what Dash does not document."""

from __future__ import annotations

import re

from support.paths import ROOT

INTERNAL = re.compile(r"_dash[-_p]|_dashprivate|dash\._|interpolate_index|polyfill@")
KNOWING = {"dashboard/dash_internals.py", "assets/dash.js"}


def test_only_one_module_of_each_language_knows_the_internals_of_dash() -> None:
    files = [
        *(ROOT / "dashboard").rglob("*.py"),
        *(ROOT / "dashboard").rglob("*.html"),
        *(ROOT / "assets").glob("*.js"),
    ]
    knowing = {file.relative_to(ROOT).as_posix() for file in files if INTERNAL.search(file.read_text(encoding="utf-8"))}
    assert knowing == KNOWING
