"""The generated part of docs/formats.md: what is stored of each reporter in each situation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reporters.catalog import (
    FOLDER,
    SITUATIONS,
    StoredTest,
    differences,
    expected,
    guesses,
    reporters,
    to_be_stored,
    versions,
)

PAGE = FOLDER.parents[1] / "docs" / "formats.md"
HEADING = "## What is stored\n"  # everything from here on is generated
LETTERS = {"passed": "P", "failed": "F", "error": "E", "skipped": "S"}


def write() -> None:
    before = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(before + HEADING + generated(), encoding="utf-8")


def generated() -> str:
    sections = {
        "": _table(),
        "### Differences from the run": _differences(),
        "### Names": _guesses(),
        "### Versions": _versions(),
    }
    lines = [line for heading, section in sections.items() for line in (*([heading] if heading else []), *section, "")]
    return "\n".join(lines[:-1]) + "\n"


def _table() -> Iterator[str]:
    wanted, explained, titles = to_be_stored(), differences(), reporters()
    yield f"| reporter | {' | '.join(SITUATIONS.values())} |"
    yield "|---" * (len(SITUATIONS) + 1) + "|"
    for name in titles:
        cells = (
            _letters(wanted[name].get(situation)) + ("*" if situation in explained.get(name, {}) else "")
            for situation in SITUATIONS
        )
        yield f"| {titles[name].title} | {' | '.join(cells)} |"


def _letters(tests: Iterable[StoredTest] | None) -> str:
    if tests is None:
        return ""
    return " ".join(">".join(LETTERS[outcome] for outcome in test.outcomes) for test in tests) or "none"


def _differences() -> Iterator[str]:
    yield "| reporter | situation | in the run | stored | cause |"
    yield "|---|---|---|---|---|"
    happened, titles = expected(), reporters()
    for name, situations in differences().items():
        for situation, difference in situations.items():
            before = _rows(happened[name].get(situation, ()))
            yield (
                f"| {titles[name].title} | {SITUATIONS[situation]} | {before} | {_rows(difference.stored)} "
                f"| {difference.cause} |"
            )


def _guesses() -> Iterator[str]:
    yield "How reporters name tests, where the expected table said something else before they ran:"
    yield ""
    titles = reporters()
    for name, guess in guesses().items():
        yield f"- {titles[name].title}: {guess}"


def _rows(tests: Iterable[StoredTest]) -> str:
    return ", ".join(f"{_code(test.name)}: {' > '.join(test.outcomes)}" for test in tests) or "none"


def _code(name: str) -> str:
    """A name as code in a cell of a table."""
    name = name if len(name) <= 60 else name[:40] + " ..."
    return f"`{name.replace('|', '¦')}`"


def _versions() -> Iterator[str]:
    yield "| reporter | versions |"
    yield "|---|---|"
    wrote, titles = versions(), reporters()
    for name in titles:
        packages = (f"{use.partition(':')[2]} {version}" for use, version in wrote.get(name, {}).items())
        yield f"| {titles[name].title} | {', '.join(packages)} |"
