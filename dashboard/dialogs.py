"""The dialogs of all screens: search, keyboard shortcuts, share and export, time travel.

They are in the page's own HTML, not Dash components: `<dialog>` traps the focus and closes on Escape, and nothing is
mounted again when the screen changes.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from jinja2 import Environment, FileSystemLoader

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_KEYS = {
    "Anywhere": [
        (("/", "Ctrl K"), "search everything"),
        (("f",), "first filter of the screen"),
        (("j", "k"), "next or previous item: tile, run, module, pattern or test; an open drawer follows"),
        (("[", "]"), "previous or next run, page or failure"),
        (("Enter",), "open the focused item"),
        (("Esc",), "close the drawer or dialog"),
        (("y",), "share or export this screen"),
        (("?",), "this list"),
    ],
    "In the grid": [
        (("← ↑ ↓ →",), "move between cells"),
        (("j", "k"), "next or previous failed test of the run"),
        (("Home", "End"), "newest or oldest run"),
        (("Enter",), "open the cell's test"),
    ],
}


def letters(pages: tuple[ModuleType, ...]) -> dict[str, str]:
    """Path -> its letter after `g`: the first letter of the screen's name that is still free."""
    taken: dict[str, str] = {}
    for page in pages:
        if page.NAME:
            free = [letter for letter in page.NAME.lower() if letter.isalpha() and letter not in taken.values()]
            taken[page.PATH] = free[0]
    return taken


def markup(pages: tuple[ModuleType, ...]) -> str:
    shortcuts = letters(pages)
    targets = [(("g " + shortcuts[page.PATH],), page.NAME) for page in pages if page.PATH in shortcuts]
    return _TEMPLATES.get_template("dialogs.html").render(sheets=_KEYS | {"Go to": targets})
