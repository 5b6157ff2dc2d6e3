"""The test screen: since when it fails, who may have done it, its strips, reasons, and a pager through its failures."""

from __future__ import annotations

import re

import pyarrow as pa
from support.store_builder import cases

from dashboard.pages.test import durations, lanes, reasons
from data.model import ids
from data.model.filters import Filter
from data.verdicts.rate_segments import segments

A = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "a"))


def test_segments_show_since_when_and_suspects_show_who(world, show):
    world.history({"a": "P" * 12 + "F" * 6})
    (lane,) = segments(world.store, A, Filter())
    newest, oldest = lane["segments"]
    assert (newest["rate"], newest["of"], oldest["rate"], oldest["of"]) == (1.0, 6, 0.0, 12)
    assert newest["change"]["after"] < 13 <= newest["change"]["until"] and oldest["change"] is None
    assert newest["first"]["number"] == 13 and lane["segments"][0]["last"]["number"] == 18
    html = show("test", f"/tests/{A}")["html"]
    assert re.search(r'class="piece bad".*?100.*?class="piece good"', html, re.DOTALL) and "Suspects" in html
    assert 'href="/docs/verdicts#suspects"' in html and "c013" in html


def test_strips_split_as_the_url_says(world, show):
    both = pa.concat_tables([cases("routing", {"a": "P"}, topology=name) for name in ("3s", "5s")])
    world.run({"routing": both})
    world.run({"routing": both}, release="8.0", environment="staging")
    assert show("test", f"/tests/{A}")["html"].count('class="lane"') == 4
    assert show("test", f"/tests/{A}?split=topology")["html"].count('class="lane"') == 2
    assert show("test", f"/tests/{A}?split=none")["html"].count('class="lane"') == 1


def test_reasons_and_their_failures_one_by_one(world, show):
    messages = ("timeout of {name}", "{name} lost the link", "{name} lost the link", None)
    tables = (cases("routing", {"a": "F" if message else "P"}, message=message or "") for message in messages)
    world.series({"routing": table} for table in tables)
    html = show("test", f"/tests/{A}")["html"]
    assert "<b>1 / 3</b>" in html and "a lost the link" in html
    last = show("test", f"/tests/{A}?failure=2")["html"]
    assert "<b>3 / 3</b>" in last and re.search(r"log-message[^>]*>timeout of a", last)
    assert "<b>3 / 3</b>" in show("test", f"/tests/{A}?failure=99")["html"]
    reason = re.search(r"reason=([0-9a-f]{16})", html)[1]
    assert "<b>1 / 2</b>" in show("test", f"/tests/{A}?reason={reason}")["html"]
    assert "<b>1 / 3</b>" in show("test", f"/tests/{A}?failure=x")["html"]


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


def test_everything_is_escaped(world, show):
    table = cases("routing", {"<img src=x>": "F"}, topology="<b>t", host="<i>h", message="<u>{name}")
    world.run({"routing": table}, release="<s>r")
    (test,) = world.store.rows("SELECT test FROM tests")
    html = show("test", f"/tests/{ids.text(test['test'])}")["html"]
    assert "&lt;img" in html and not any(tag in html for tag in ("<img", "<b>t", "<i>h", "<u>&", "<s>"))
