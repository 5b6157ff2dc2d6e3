"""Sparks, bars and figures: geometry and words, without a browser."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import sparklines
from dashboard.figures import trend


def point(passed=0, failed=0, skipped=0, state="failing", **more):
    total = passed + failed + skipped
    counts = {"passed": passed, "failed": failed, "skipped": skipped, "total": total}
    rate = passed / total if total else None
    return {
        "id": "r1",
        "number": 7,
        "state": state,
        "pass_rate": rate,
        "duration_s": 60.0,
        "running": False,
        "incomplete": False,
        **counts,
        **more,
    }


COUNTS = st.builds(point, st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))


@given(st.lists(COUNTS, min_size=1, max_size=30))
def test_every_bar_of_a_spark_fills_the_height_without_overlap(points):
    drawn = sparklines.spark(points, lambda run: f"#{run['number']}")
    assert len(drawn["bars"]) == min(len(points), 20)
    for bar in drawn["bars"]:
        top = 0.0
        for _, y, height in bar["parts"]:
            assert y == pytest.approx(top, abs=0.03) and height > 0
            top += height
        assert top == pytest.approx(drawn["height"], abs=0.03)


@given(COUNTS)
def test_a_bar_of_counts_is_full_and_shows_every_status(row):
    parts = dict(sparklines.bar(row))
    assert set(parts) == {name for name in ("passed", "failed", "skipped") if row[name]}
    assert not parts or sum(parts.values()) == pytest.approx(100, abs=0.1)


def run(number, **counts):
    where = {"run": f"id{number}", "number": number, "release": "7.0", "version": "7.0.1", "environment": "prod"}
    where |= {"rank": number}
    return point(**counts) | where | {"started_at": f"2026-11-2{number}T04:00:00Z"}


def test_a_run_without_results_is_a_gap_and_never_a_zero():
    series = [{"name": "7.0", "points": [run(1, passed=9, failed=1), run(2)]}]
    (line,) = trend.rates(series)["data"]
    assert line["y"] == [90.0, None]
    assert "no results" in line["text"][1]


def test_hovering_shows_both_denominators_and_a_click_finds_the_run():
    series = [{"name": "storage", "points": [run(1, passed=1944, failed=16, skipped=40)]}]
    (line,) = trend.rates(series)["data"]
    assert "97.20 % passed: 1\u202f944 of 2\u202f000" in line["text"][0]
    assert "16 failed, 40 skipped" in line["text"][0]
    assert line["customdata"] == ["id1"]


def test_a_name_cannot_inject_tags_into_a_chart():
    series = [{"name": "<b>x</b>", "points": [run(1, passed=1)]}]
    figures = (trend.rates(series), trend.counts(series), trend.durations(series))
    for figure in figures:
        for trace in figure["data"]:
            assert "<b>" not in " ".join(trace["text"])
            assert "<b>" not in trace["name"]
        assert "<b>" not in json.dumps(figure["layout"])


def test_bars_stack_to_the_total_when_all_results_are_shown():
    series = [{"name": "7.0", "points": [run(1, passed=5, failed=2, skipped=1)]}]
    assert sum(trace["y"][0] for trace in trend.counts(series, passed=True)["data"]) == 8
    assert [trace["name"] for trace in trend.counts(series)["data"]] == ["failed", "skipped"]


def test_with_more_lines_than_panels_the_lines_with_the_newest_runs_have_bars():
    series = [{"name": f"m{n}", "points": [run(n, failed=1)]} for n in range(9)]
    shown = trend.counts(series)
    assert len(shown["data"]) == 2 * trend.PANELS
    assert [note["text"] for note in shown["layout"]["annotations"]] == [f"m{n}" for n in range(3, 9)]
    assert len(trend.rates(series)["data"]) == 9


def test_an_incomplete_run_is_hollow_and_joined_to_nothing():
    points = [run(1, passed=9, failed=1), run(2, passed=3, incomplete=True), run(3, passed=8, failed=2)]
    figure = trend.rates([{"name": "7.0", "points": points}])
    line, hollow = figure["data"]
    assert line["y"] == [90.0, None, 80.0] and hollow["y"] == [None, 100.0, None]
    assert hollow["mode"] == "markers" and hollow["marker"]["symbol"] == "circle-open"
    assert not figure["layout"]["showlegend"] and not hollow["showlegend"]
    assert "100.00 %" not in hollow["text"][1] and "incomplete" in hollow["text"][1]


@given(COUNTS.filter(lambda row: row["total"]), st.integers(1, 8), st.integers(0, 8))
def test_what_an_incomplete_row_lacks_has_a_share_of_its_bar(row, builds, missing):
    parts = dict(sparklines.bar(row | {"incomplete": True, "builds": builds, "missing": missing}))
    assert parts["missing"] > 0 and sum(parts.values()) == pytest.approx(100, abs=0.1)
    parts = dict(sparklines.bar(point(passed=13, incomplete=True, expected_total=95)))
    assert parts["passed"] == pytest.approx(100 * 13 / 95, abs=0.1)


def test_a_running_run_is_hollow_pale_and_labelled_as_running():
    series = [{"name": "7.0", "points": [run(1, passed=9), run(2, passed=1) | {"running": True}]}]
    (line,) = trend.rates(series)["data"]
    assert line["marker"]["symbol"] == ["circle", "circle-open"]
    assert ["still running" in text for text in line["text"]] == [False, True]
    assert all(bars["marker"]["opacity"] == [1, 0.45] for bars in trend.counts(series)["data"])


def test_in_lanes_colour_is_the_release_and_dash_the_environment():
    lanes = [("7.0", "prod"), ("7.0", "staging"), ("8.0", "prod")]
    series = [
        {
            "name": " ".join(lane),
            "points": [run(1, passed=1) | dict(zip(("release", "environment"), lane, strict=True))],
        }
        for lane in lanes
    ]
    looks = [(trace["line"]["color"], trace["line"]["dash"]) for trace in trend.rates(series)["data"]]
    assert looks == [("var(--s1c)", "solid"), ("var(--s1c)", "dash"), ("var(--s2c)", "solid")]


def test_rows_of_bars_share_a_scale_unless_the_smaller_could_not_be_read():
    def line(name: str, failed: int) -> dict:
        counts = {"total": 100, "passed": 100 - failed, "failed": failed, "skipped": 0, "pass_rate": 0.5}
        point = counts | {"day": "2026-11-01", "duration_s": 1.0, "running": False, "incomplete": False}
        return {"name": name, "points": [point]}

    near = trend.counts([line("prod", 40), line("staging", 10)])["layout"]
    assert near["yaxis"]["range"] == near["yaxis2"]["range"]
    far = trend.counts([line("prod", 40), line("staging", 2)])["layout"]
    assert [note["text"] for note in far["annotations"]] == [
        "prod (own scale, up to 40)",
        "staging (own scale, up to 2)",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown", "unit"),
    [(540, 9, " min"), (36, 36, " s"), (0.4, 0.4, " s"), (7200, 120, " min"), (18000, 5, " h"), (None, None, " s")],
)
def test_the_axis_of_test_time_has_a_unit_without_fractions(seconds, shown, unit):
    drawn = trend.durations([{"name": "all", "points": [point(1, 0, 0, run="r1", duration_s=seconds)]}])
    assert drawn["data"][0]["y"] == [pytest.approx(shown) if shown else None]
    assert drawn["layout"]["yaxis"]["ticksuffix"] == unit
