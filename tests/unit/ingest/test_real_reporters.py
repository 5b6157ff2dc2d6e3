"""What is stored of the files of real reporters: tests/fixtures/reporters, which tools/real_reporters.py keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from reporters import catalog, formats_page, runs, stored
from reporters.stored import HOSTILE_TEXTS

REPORTERS = list(catalog.reporters())
WANTED = catalog.to_be_stored()
# What the reporter does not write of the message, although it writes the failure.
UNWRITTEN = {
    "ava": {"😀 é 中", HOSTILE_TEXTS[0]},  # it writes the message as a string of JavaScript
    "ant": {"😀 é 中"},
    "cypress-multi-reporters": {"😀 é 中"},
    "mocha-junit-reporter": {"😀 é 中"},
    "doctest": {*HOSTILE_TEXTS},
    "node-junit": {HOSTILE_TEXTS[0]},  # it escapes the message twice
    "prove-junit": {HOSTILE_TEXTS[0], "😀 é 中"},
}


@pytest.mark.parametrize("name", REPORTERS)
def test_a_reporter_is_read_as_expected(name: str) -> None:
    build = stored.read(name)
    assert build.differences(test for tests in WANTED[name].values() for test in tests) == []
    texts = " ".join(build.texts.get(test.name, "") for test in WANTED[name].get("hostile", ()))
    lost = {text for text in HOSTILE_TEXTS if text not in texts}
    assert not texts or lost == UNWRITTEN.get(name, set())


@pytest.mark.slow
def test_the_store_has_what_is_read(tmp_path: Path) -> None:
    names = ["gotestsum", "playwright-retries", "surefire"]
    for name, build in stored.stored(names, tmp_path).items():
        assert build.differences(stored.read(name).tests) == []


def test_every_reporter_has_an_expectation_a_fixture_and_versions() -> None:
    assert [*catalog.expected()] == REPORTERS
    assert sorted(catalog.versions()) == sorted(REPORTERS)
    assert sorted(folder.name for folder in catalog.FIXTURES.iterdir() if folder.is_dir()) == sorted(REPORTERS)
    assert len(REPORTERS) >= 15


@pytest.mark.parametrize("name", list(catalog.differences()))
def test_a_listed_difference_is_one(name: str) -> None:
    happened = catalog.expected()[name]
    for situation, difference in catalog.differences()[name].items():
        assert difference.cause
        assert sorted(difference.stored) != sorted(happened.get(situation, ()))


def test_the_page_of_the_formats_has_the_generated_tables() -> None:
    page = formats_page.PAGE.read_text(encoding="utf-8")
    assert page.partition(formats_page.HEADING)[2] == formats_page.generated(), "python tools/real_reporters.py docs"


def test_what_identifies_the_machine_is_removed(tmp_path: Path) -> None:
    content = f'<a file="{tmp_path}/workspace/x.c"><properties><property name="user.home"/></properties></a>'
    assert runs.scrubbed(content.encode(), tmp_path) == f'<a file="{runs.AGENT_HOME}/workspace/x.c"></a>'.encode()
    with pytest.raises(runs.ReporterError, match="a path of this machine is left"):
        runs.scrubbed(b"at /root/.npm/x.js", tmp_path)
