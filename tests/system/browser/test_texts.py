"""Names and messages are text everywhere, and missing pages say so, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.browser import texts, wait_for_text
from support.store_builder import cases

from data.model import ids

HOSTILE = "test_<img src=x onerror=document.title='owned'>"


def test_names_and_messages_are_text_wherever_they_stand(world, visit, dash_duo):
    table = cases("routing", {HOSTILE: "F"}, topology=HOSTILE, host=HOSTILE)
    hostile = [row | {"message": f"\x1b[31m{HOSTILE}\x1b[0m"} for row in table.to_pylist()]
    at = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=1)
    world.run({"routing": table.from_pylist(hostile, table.schema)}, HOSTILE, environment=HOSTILE, started_at=at)
    run, test = ids.text(world.runs[0].id), world.store.value("SELECT test FROM tests")
    build = ids.text(world.store.value("SELECT build FROM builds"))
    addresses = ("/", f"/runs/{run}?view=failed&case={ids.text(test)}", f"/builds/{build}", f"/tests/{ids.text(test)}")
    for address in (*addresses, "/trends", f"/trends?release={HOSTILE}"):
        visit(address)
        wait_for_text(dash_duo, "body", "onerror")
        assert dash_duo.driver.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
        assert dash_duo.driver.title != "owned"


def test_what_is_not_there_is_said_and_an_empty_store_says_how_to_begin(world, visit, dash_duo):
    visit("/")
    assert texts(dash_duo, "#page h1") == ["No data yet"]
    for address, words in {
        "/runs/0123456789abcdef": "No run 0123",
        "/runs/nonsense": "is not a valid id",
        "/tests/0123456789abcdef": "No test 0123",
        "/builds/0123456789abcdef": "No build 0123",
        "/trends?runs=many": "must be a whole number",
        "/?utm=1": "No data yet",
    }.items():
        visit(address)
        wait_for_text(dash_duo, "#page", words)
