"""The test screen: since when it fails, the suspects, its strips, reasons, and a pager through its failures."""

from __future__ import annotations

import re

import pyarrow as pa
from support.store_builder import cases

from dashboard.pages.test import durations, lanes, reasons
from data.model import ids
from data.model.filters import Filter
from data.verdicts.rate_segments import segments

A = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "a"))


def test_segments_show_since_when_and_suspects_show_who(world, screen):
    world.history({"a": "P" * 12 + "F" * 6})
    (lane,) = segments(world.store, A, Filter())
    newest, oldest = lane["segments"]
    assert (newest["rate"], newest["of"], oldest["rate"], oldest["of"]) == (1.0, 6, 0.0, 12)
    assert newest["change"]["after"] < 13 <= newest["change"]["until"] and oldest["change"] is None
    assert newest["first"]["number"] == 13 and lane["segments"][0]["last"]["number"] == 18
    rates = screen("test", f"/tests/{A}").under("Failure rate over time")
    now, earlier = rates.texts("listitem")
    assert now.startswith("100 % failing 6 runs") and earlier.startswith("0 % failing 12 runs")
    assert rates.one("link", "Suspects").href == "/docs/verdicts#suspects" and rates.all("row", "c013")


def test_strips_split_as_the_url_says(world, screen):
    both = pa.concat_tables([cases("routing", {"a": "P"}, topology=name) for name in ("3s", "5s")])
    world.run({"routing": both})
    world.run({"routing": both}, release="8.0", environment="staging")

    def strips(query: str) -> list[str]:
        """How many of the results of each strip failed."""
        return re.findall(r"\d+ of \d+ failed", screen("test", f"/tests/{A}{query}").under("All runs").text)

    assert strips("") == ["0 of 1 failed"] * 4
    assert strips("?split=topology") == ["0 of 2 failed"] * 2
    assert strips("?split=none") == ["0 of 4 failed"]


def test_reasons_and_their_failures_one_by_one(world, screen):
    messages = ("timeout of {name}", "{name} lost the link", "{name} lost the link", None)
    tables = (cases("routing", {"a": "F" if message else "P"}, message=message or "") for message in messages)
    world.series({"routing": table} for table in tables)
    test = screen("test", f"/tests/{A}")
    assert "1 / 3" in test and "a lost the link" in test.one("log", "Message")
    last = screen("test", f"/tests/{A}?failure=2")
    assert "3 / 3" in last and last.one("log", "Message").text.startswith("timeout of a")
    assert "3 / 3" in screen("test", f"/tests/{A}?failure=99")
    reason = test.under("Why it failed").one("link", "a lost the link")
    assert re.search(r"reason=[0-9a-f]{16}", reason.href) and "1 / 2" in screen("test", reason.href)
    assert "1 / 3" in screen("test", f"/tests/{A}?failure=x")


def row(status: str, seconds: float | None, signature: str | None = None, topology: str = "3s") -> dict:
    return {"status": status, "duration_s": seconds, "signature": signature, "topology": topology}


def test_a_reason_has_its_own_strip():
    found = reasons([row("failed", 1, "x"), row("passed", 1), row("failed", 1, "y"), row("failed", 1, "x")])
    assert [(reason["signature"], reason["count"], reason["strip"]) for reason in found] == [
        ("x", 2, "F-PF"),
        ("y", 1, "-FP-"),
    ]


def test_durations_are_drawn_oldest_first_with_the_median_of_passes():
    drawn = durations([row("failed", 9), row("passed", 3), row("passed", 1), row("skipped", None)], 100, 100)
    assert [dot["x"] for dot in drawn["dots"]] == [0.0, 50.0, 100.0]
    assert drawn["dots"][2]["y"] < drawn["dots"][1]["y"] < drawn["dots"][0]["y"]
    ((name, points),) = drawn["lines"]
    assert name == "3s" and len(points.split()) == 2
    assert durations([row("passed", None)]) is None


def test_heights_are_shares_of_the_longest():
    history = [row("passed", seconds) | {"release": "7.0", "environment": None} for seconds in (10.0, 5.0, 0.1)]
    (lane,) = lanes(history, ("release", "environment"))
    assert [bar["height"] for bar in lane["bars"]] == [12, 50, 100] and lane["names"] == ["7.0"]


def test_the_markup_of_hostile_names_and_messages_is_escaped(world, screen):
    table = cases("routing", {"<img src=x>": "F"}, topology="<b>t", host="<i>h", message="<u>{name}")
    world.run({"routing": table}, release="<s>r")
    (test,) = world.store.rows("SELECT test FROM tests")
    shown = screen("test", f"/tests/{ids.text(test['test'])}")
    assert all(text in shown for text in ("<img src=x>", "<b>t", "<i>h", "<u>", "<s>r"))
    assert not any(tag in shown.markup for tag in ("<img", "<b>t", "<i>h", "<u>", "<s>"))
