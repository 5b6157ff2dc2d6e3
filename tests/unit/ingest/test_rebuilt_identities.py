"""What `regtracker rebuild` does when tests get other identities: it says so, and old ids go on working."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from data.lake.store import Store
from data.model import ids
from data.queries import lookups
from data.sql_console import saved_queries

Run = Callable[..., Result]

ROOT = "/data/blade-{}/checkout/"
CASE = '<testsuite name="s"><testcase classname="Api" file="{}tests/Api.php" name="{}">{}</testcase></testsuite>'


@pytest.fixture
def import_text(regtracker: Run, tmp_path: Path) -> Callable[..., None]:
    """Imports reports, by path, as build `number`."""

    def run(number: int, files: dict[str, str]) -> None:
        folder = tmp_path / "reports" / str(number)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_text(text)
        names = ("--release", "9.1", "--module", "m", "--build", str(number))
        started = f"2026-03-{number:02d}T08:00:00Z"
        assert regtracker("import", str(folder), *names, "--started-at", started).exit_code == 0

    return run


def configure(text: str) -> None:
    Path(os.environ["REGTRACKER_CONFIG"]).write_text(text)


def stored_tests(store: Store) -> dict[str, str]:
    rows = store.rows("SELECT test, file, class, name FROM tests")
    return {f"{row['file']}::{row['class']}::{row['name']}": ids.text(row["test"]) for row in rows}


def current(store: Store, old: str) -> str:
    return lookups.current_id(store, old)


def rebuild(regtracker: Run, *options: str) -> dict[str, Any]:
    return json.loads(regtracker("rebuild", "--json", *options).stdout)["tests"]


def test_tests_of_two_agents_become_one(regtracker, import_text, store):
    for number, inner in ((1, ""), (2, "<failure>x</failure>")):
        import_text(number, {"a/r.xml": CASE.format(ROOT.format(number), "opens", inner)})
    before = stored_tests(store)
    assert len(before) == 2
    numbers = [str(ids.number(old)) for old in before.values()]
    saved_queries.save(store, "mine", f"SELECT * FROM results WHERE test IN ({', '.join(numbers)}, 123456789012)")
    configure('[identity]\nroots = ["/data/*/checkout"]\n')
    found = rebuild(regtracker, "--dry-run")
    example = found.pop("examples")[0]
    assert found == {"renamed": 0, "merged": 2, "into": 1, "split": 0}
    assert example.startswith("2 merged: /data/blade-1/checkout/tests/Api.php::Api::opens, ")
    assert example.endswith(" -> tests/Api.php::Api::opens")
    assert stored_tests(store) == before
    assert "2 would be merged into 1" in regtracker("rebuild", "--dry-run").stdout
    assert rebuild(regtracker)["merged"] == 2
    ((key, new),) = stored_tests(store).items()
    assert key == "tests/Api.php::Api::opens"
    assert {current(store, old) for old in before.values()} == {new}
    (query,) = saved_queries.saved(store)
    assert query["sql"].count(str(ids.number(new))) == 2
    assert "123456789012" in query["sql"]
    assert rebuild(regtracker) == {"renamed": 0, "merged": 0, "into": 0, "split": 0, "examples": []}
    assert current(store, next(iter(before.values()))) == new


def test_an_id_that_changes_twice_leads_to_the_newest(regtracker, import_text, store):
    import_text(1, {"a/r.xml": CASE.format("/data/blade-1/checkout/", "opens", "")})
    ((_, first),) = stored_tests(store).items()
    configure('[identity]\nroots = ["/data/*/checkout/tests"]\n')
    assert rebuild(regtracker)["renamed"] == 1
    ((_, second),) = stored_tests(store).items()
    configure('[identity]\nroots = ["/data/*/checkout"]\n')
    assert rebuild(regtracker)["renamed"] == 1
    ((key, third),) = stored_tests(store).items()
    assert (key, current(store, first), current(store, second)) == ("tests/Api.php::Api::opens", third, third)
    configure("")
    rebuild(regtracker)
    assert stored_tests(store) == {"/data/blade-1/checkout/tests/Api.php::Api::opens": first}
    assert (current(store, first), current(store, second), current(store, third)) == (first, first, first)


def test_a_test_of_two_modules_is_split(regtracker, import_text, store, monkeypatch):
    case = '<testsuite name="s"><testcase classname="Api" name="boots">{}</testcase></testsuite>'
    both = {f"{module}/target/surefire-reports/r.xml": case.format("") for module in ("core", "ui")}
    with monkeypatch.context() as patch:
        patch.setattr("ingest.build_results.module_of", lambda path: "")
        import_text(1, both)
        import_text(2, {"ui/target/surefire-reports/r.xml": case.format("<failure/>")})
    ((_, old),) = stored_tests(store).items()
    found = rebuild(regtracker)
    assert found.pop("examples") == ["split: Api::boots -> core::Api::boots, ui::Api::boots"]
    assert found == {"renamed": 0, "merged": 0, "into": 0, "split": 1}
    after = stored_tests(store)
    assert set(after) == {"core::Api::boots", "ui::Api::boots"}
    assert current(store, old) == after["ui::Api::boots"]


def test_a_test_that_still_has_its_id_keeps_it(regtracker, import_text, store):
    import_text(1, {"a/r.xml": CASE.format("/data/blade-1/checkout/", "opens", "")})
    import_text(2, {"a/r.xml": CASE.format("", "opens", "")})
    before = stored_tests(store)
    configure('[identity]\nroots = ["/data/*/checkout"]\n')
    assert rebuild(regtracker)["merged"] == 2
    after = stored_tests(store)
    assert after == {"tests/Api.php::Api::opens": before["tests/Api.php::Api::opens"]}
    assert {current(store, old) for old in before.values()} == set(after.values())
