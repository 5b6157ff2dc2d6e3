"""What opens over any screen: the search palette, the sheet of keys, sharing and exporting, looking at the past.

They stand in the page's own HTML and not among Dash's components: `<dialog>` traps the focus and closes at Escape by
itself, and nothing of it is mounted again when a screen changes.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from jinja2 import Environment, FileSystemLoader

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_KEYS = {
    "Anywhere": [
        (("/", "Ctrl K"), "search everything"),
        (("f",), "the first filter of the screen"),
        (("j", "k"), "next and previous of a list: tile, run, module, pattern or test; an open text follows"),
        (("[", "]"), "previous and next run; elsewhere newer and older page or failure"),
        (("Enter",), "open what has the focus"),
        (("Esc",), "close what is open"),
        (("y",), "copy or export what is shown"),
        (("?",), "this sheet"),
    ],
    "In the grid": [
        (("← ↑ ↓ →",), "from cell to cell"),
        (("j", "k"), "next and previous test that failed in the chosen run"),
        (("Home", "End"), "newest and oldest run"),
        (("Enter",), "the text of the cell"),
    ],
}


def letters(pages: tuple[ModuleType, ...]) -> dict[str, str]:
    """Path -> the letter that leads there after `g`: the first of the screen's name that is still free."""
    taken: dict[str, str] = {}
    for page in pages:
        if page.NAME:
            free = [letter for letter in page.NAME.lower() if letter.isalpha() and letter not in taken.values()]
            taken[page.PATH] = free[0]
    return taken


def markup(pages: tuple[ModuleType, ...]) -> str:
    known = letters(pages)
    going = [(("g " + known[page.PATH],), page.NAME) for page in pages if page.PATH in known]
    return _TEMPLATES.get_template("dialogs.html").render(sheets=_KEYS | {"Go to": going})
