"""Everything that two answers both show is the same in both: screens, API, badge, files, MCP, command line and SQL.

One store filled from the simulated Jenkins is read in every way. Each pair compares one quantity of every release, run
or pattern that has it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.demo_home import DemoHome, fill
from support.screen import Element

from dashboard.formats import percent
from data.queries.lane_states import NOT_READY
from data.verdicts.rules import KINDS

BROKEN = ("regression", "new_failure", "always_failing")
COUNTS = ("total", "passed", "failed", "skipped")
# Key of a tile -> verdict kind.
WORDS = {"regressions": "regression", "new_failures": "new_failure", "flaky": "flaky", "fixed": "fixed",
         "always_failing": "always_failing"}  # fmt: skip
Quantity = dict[Any, Any]  # by release, run, module ...
Reader = Callable[[DemoHome], Quantity]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHome]:
    home = tmp_path_factory.mktemp("demo")
    fill(home)
    found = DemoHome(home)
    yield found
    found.tracker.close()
    found.app.server.extensions["regtracker"].close()
    found.app.server.extensions["regtracker_sandbox"].close()


def part(pattern: str, text: str) -> str:
    """The first group of a pattern that must occur, or all of it."""
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return found[1] if found.re.groups else found[0]


def whole(text: str) -> int:
    """The first number of a text, written as on screens: 12 731."""
    return int(part(r"\d+(?: \d{3})*", text).replace(" ", ""))


def tiles(demo: DemoHome) -> list[dict[str, Any]]:
    return [tile for tile in demo.items("/releases") if tile["latest_run"]]


def finished(demo: DemoHome) -> dict[str, dict[str, Any]]:
    """Run id -> the newest finished run of each release, of the environment that tests most."""
    return {tile["latest_run"]["id"]: demo.get(f"/runs/{tile['latest_run']['id']}") for tile in tiles(demo)}


def lanes(demo: DemoHome) -> list[tuple[str, str]]:
    return [(tile["release"], lane["environment"]) for tile in tiles(demo) for lane in tile["lanes"]]


def of_tiles(read: Callable[[dict[str, Any]], Any]) -> Reader:
    """What the API says of each release."""
    return lambda demo: {tile["release"]: read(tile) for tile in tiles(demo)}


def drawn_tiles(read: Callable[[Element], Any]) -> Reader:
    """What the overview shows of each release."""
    return lambda demo: {
        tile["release"]: read(article)
        for tile in tiles(demo)
        for article in demo.screen("overview", "/").all("article")
        if article.text.startswith(f"{tile['release']} ")
    }


def of_runs(read: Callable[[DemoHome, dict[str, Any]], Any]) -> Reader:
    return lambda demo: {run: read(demo, row) for run, row in finished(demo).items()}


def shown_runs(read: Callable[[Element], Any], query: str = "") -> Reader:
    """What the page of a run shows."""
    return of_runs(lambda demo, run: read(demo.screen("run", f"/runs/{run['id']}{query}")))


def counts(row: dict[str, Any]) -> list[int]:
    return [row[name] for name in COUNTS]


def summed(rows: list[dict[str, Any]]) -> list[int]:
    return [sum(row[name] for row in rows) for name in COUNTS]


def tile_counts(tile: Element) -> list[int]:
    found = re.search(r"(\d[\d ]*) of (\d[\d ]*) passed (\d[\d ]*) failed, (\d[\d ]*) skipped", tile.text)
    assert found, tile.text
    passed, total, failed, skipped = (int(number.replace(" ", "")) for number in found.groups())
    return [total, passed, failed, skipped]


def run_counts(page: Element) -> list[int]:
    return [whole(page.facts[name]) for name in ("results", "passed", "failed", "skipped")]


def row_counts(row: dict[str, str]) -> list[int]:
    return [whole(row[name]) for name in ("Total", "Passed", "Failed", "Skipped")]


def rate(text: str) -> str:
    """The percentage in a text."""
    return part(r"([\d.]+) ?%", text)


def badge(read: Callable[[str], Any]) -> Reader:
    return lambda demo: {
        tile["release"]: read(part("<title>(.*?)</title>", demo.get(f"/badges/{tile['release']}.svg")))
        for tile in tiles(demo)
    }


def words(page: Element) -> dict[str, int]:
    """The numbers of tests by verdict kind in the links to their lists."""
    found: Quantity = {}
    for link in page.all("link"):
        kind = re.search(r"view=broken.*kind=(\w+)|kind=(\w+).*view=broken", link.href)
        if kind:
            found.setdefault(kind[1] or kind[2], whole(link.text))
    return found


def verdicts(demo: DemoHome, release: str, environment: str) -> list[dict[str, Any]]:
    return demo.items(f"/verdicts?release={release}&environment={environment}")


def counted_in(text: str, noun: str) -> int:
    """The number before a noun in a badge: 2 in "91.40 % failing, 1 regression, 2 new failures"."""
    found = re.search(rf"(\d+) {noun}s?\b", text)
    return int(found[1]) if found else 0


def by_kind(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {kind: Counter(row["kind"] for row in rows)[kind] for kind in KINDS}


def lane_states(demo: DemoHome) -> Quantity:
    return {(tile["release"], lane["environment"]): lane["state"] for tile in tiles(demo) for lane in tile["lanes"]}


def matrix_columns(read: Callable[[dict[str, Any]], Any]) -> Reader:
    return lambda demo: {
        (tile["release"], column["value"]): read(column)
        for tile in tiles(demo)
        for column in demo.get(f"/releases/{tile['release']}/matrix")["columns"]
    }


def patterns(read: Callable[[dict[str, Any]], Any]) -> Reader:
    """What the API says of each failure pattern of the newest runs."""
    return lambda demo: {row["signature"]: read(row) for row in demo.items("/failures")}


def failure_pages(read: Callable[[Element], Any]) -> Reader:
    """What the page of each pattern shows, opened from the list."""

    def find(demo: DemoHome) -> Quantity:
        links = [
            link.href
            for link in demo.screen("failures", "/failures?sort=first").all("link")
            if "/failures/" in link.href
        ]
        return {part("[0-9a-f]{16}", href): read(demo.screen("failure", href)) for href in links}

    return find


def gate(read: Callable[[dict[str, Any]], Any]) -> Reader:
    return of_runs(lambda demo, run: read(demo.get(f"/gate?release={run['release']}&environment={run['environment']}")))


def changes(demo: DemoHome, run: dict[str, Any]) -> dict[str, int]:
    return demo.get(f"/runs/{run['id']}/changes")["counts"]


def class_counts(page: Element) -> dict[str, int]:
    """The numbers of tests by class in the links to their lists."""
    found: Quantity = {}
    for link in page.all("link"):
        name = re.search(r"class=(\w+)", link.href)
        if name:
            found.setdefault(name[1], whole(link.text))
    return found


def tab(label: str, query: str = "") -> Reader:
    """The number on a tab of the run page."""
    return shown_runs(lambda page: whole(page.one("link", label).text.removeprefix(label)), query)


def last_point(demo: DemoHome, run: dict[str, Any]) -> dict[str, Any]:
    """The run's point of Trends."""
    found = demo.get(f"/trends?release={run['release']}&environment={run['environment']}")
    return next(point for point in found["series"][0]["points"] if point["run"] == run["id"])


def trend_row(demo: DemoHome, run: dict[str, Any]) -> dict[str, str]:
    """The run's row in the table of Trends."""
    href = f"/trends?release={run['release']}&environment={run['environment']}"
    rows = demo.screen("trends-table", href).one("table").rows
    return next(row for row in rows if f"#{run['number']} " in row["Run"] + " ")


def listed_runs(demo: DemoHome) -> Quantity:
    """The overview's table of runs."""
    return {
        row["Run"].replace(" ", ""): (row["State"].split()[0], whole(row["Failed"]), whole(row["Skipped"]))
        for row in demo.screen("overview", "/").one("table").rows
    }


def runs_by_name(demo: DemoHome) -> Quantity:
    newest = sorted(demo.get("/runs?limit=12")["items"], key=lambda run: run["started_at"])
    return {f"{run['release']}#{run['number']}": (run["state"], run["failed"], run["skipped"]) for run in newest}


def module_rows(demo: DemoHome, run: dict[str, Any]) -> Quantity:
    rows = demo.screen("run", f"/runs/{run['id']}").one("table").rows
    return {row["Module"]: row_counts(row) for row in rows if row["Total"] != "–"}


def modules(demo: DemoHome, run: dict[str, Any]) -> list[dict[str, Any]]:
    return demo.items(f"/runs/{run['id']}/modules")


def cell_rates(demo: DemoHome, run: dict[str, Any]) -> list[tuple[str, float | None]]:
    """The modules in the matrix of a run's release, with the pass rate in its environment."""
    found = demo.get(f"/releases/{run['release']}/matrix")
    at = [column["value"] for column in found["columns"]].index(run["environment"])
    return [(row["module"], row["cells"][at]["pass_rate"]) for row in found["rows"]]


def built(demo: DemoHome) -> list[dict[str, Any]]:
    """The builds of the newest finished runs."""
    return [build for run in finished(demo) for build in demo.items(f"/builds?run={run}")]


def found_states(
    kind: str, rows: Callable[[DemoHome], list[dict[str, Any]]], query: Callable[[dict[str, Any]], str]
) -> Reader:
    """The states of the palette's hits."""

    def find(demo: DemoHome) -> Quantity:
        hits = [
            hit for row in rows(demo) for hit in demo.get(f"/search?q={query(row)}")["items"] if hit["kind"] == kind
        ]
        return {hit["id"]: hit["state"] for hit in hits}

    return find


SQL_COUNTS = """SELECT count(*), count(*) FILTER (r.status = 'passed'), count(*) FILTER (r.status = 'failed'),
    count(*) FILTER (r.status = 'skipped')
    FROM results r JOIN run_builds b USING (build) WHERE r.is_final AND printf('%016x', b.run) = '{}'"""
SQL_PATTERN = "SELECT count(*) FROM results WHERE printf('%016x', signature) IN ('{}')"
RUN = "release={release}&environment={environment}"

api_counts = of_tiles(counts)
run_counts_of_api = of_runs(lambda demo, run: counts(run))
run_rates_of_api = of_runs(lambda demo, run: percent(run["pass_rate"]))
states_of_api = of_tiles(lambda tile: tile["state"])
kinds_of_tiles = of_tiles(lambda tile: {kind: tile[name] for name, kind in WORDS.items()})
drawn_kinds = drawn_tiles(words)


def kinds_of_lists(demo: DemoHome) -> Quantity:
    """The verdicts of the environment of each tile."""
    return {tile["release"]: by_kind(verdicts(demo, tile["release"], tile["environment"])) for tile in tiles(demo)}


def broken_of_lanes(demo: DemoHome) -> Quantity:
    return {
        (tile["release"], lane["environment"]): sum(lane[name] for name, kind in WORDS.items() if kind in BROKEN)
        for tile in tiles(demo)
        for lane in tile["lanes"]
    }


def broken_in_lists(demo: DemoHome) -> Quantity:
    return {lane: sum(row["kind"] in BROKEN for row in verdicts(demo, *lane)) for lane in lanes(demo)}


def broken_in_matrix(demo: DemoHome) -> Quantity:
    """The tests that the matrix lists when a column is chosen."""
    found: Quantity = {}
    for release, environment in lanes(demo):
        page = demo.screen("matrix", f"/matrix?release={release}&column={environment}")
        found[release, environment] = len({part("case=([0-9a-f]{16})", row.one("link").href) for row in page.cases()})
    return found


def drawn_columns(demo: DemoHome) -> Quantity:
    """The number at the head of each column of the matrix."""
    found: Quantity = {}
    for release, environment in lanes(demo):
        head = demo.screen("matrix", f"/matrix?release={release}").one("columnheader", environment)
        number = re.match(rf"{environment} (\d+) #", head.text)
        found[release, environment] = int(number[1]) if number else 0
    return found


def not_ready(demo: DemoHome) -> Quantity:
    return {"not ready": sum(tile["state"] in NOT_READY for tile in tiles(demo))}


def headline(slot: str, href: str) -> Reader:
    return lambda demo: {"not ready": whole(demo.screen(slot, href).title)}


def sql_counts(demo: DemoHome) -> Quantity:
    return {run: demo.sql(SQL_COUNTS.format(run))[0] for run in finished(demo)}


def compared_now(demo: DemoHome, run: dict[str, Any]) -> list[int]:
    page = demo.screen("compare", f"/compare?base={run['previous']}&candidate={run['id']}")
    row = next(row for row in page.one("table").rows if row["Side"] == "now")
    return [whole(row[name]) for name in ("Total", "Failed", "Skipped")]


def compare_page(demo: DemoHome, run: dict[str, Any]) -> dict[str, int]:
    return class_counts(
        demo.screen("compare", f"/compare?base={run['previous']}&candidate={run['id']}").one("navigation", "Classes")
    )


def known(found: dict[str, int]) -> dict[str, int]:
    """Without classes that a screen leaves out where they are empty."""
    return {name: count for name, count in found.items() if count or name != "not_compared"}


def pattern_rows(column: str) -> Reader:
    def find(demo: DemoHome) -> Quantity:
        page = demo.screen("failures", "/failures?sort=first")
        links = [link.href for link in page.all("link") if re.search("/failures/[0-9a-f]{16}", link.href)]
        rows = page.one("table").rows
        return {part("[0-9a-f]{16}", href): whole(row[column]) for href, row in zip(links, rows, strict=True)}

    return find


def run_patterns(demo: DemoHome) -> Quantity:
    return {run: len(demo.items(f"/failures?run={run}")) for run in finished(demo)}


def worst_kinds(demo: DemoHome) -> Quantity:
    """By test: its verdicts on the lists of all lanes."""
    rows = [row for lane in lanes(demo) for row in verdicts(demo, *lane) if row["kind"] in BROKEN]
    return {(row["test"], row["release"], row["environment"]): row["kinds"] for row in rows[:20]}


def kinds_of_tests(demo: DemoHome) -> Quantity:
    """By test: its verdicts by the route of the test."""
    return {
        key: next(
            row["kinds"]
            for row in demo.items(f"/tests/{key[0]}/verdicts?{RUN.format(release=key[1], environment=key[2])}")
        )
        for key in worst_kinds(demo)
    }


def newest_of_lane(demo: DemoHome, run: dict[str, Any]) -> dict[str, Any]:
    """The newest run of a lane, which may be running: the gate's."""
    return demo.get(f"/runs?release={run['release']}&environment={run['environment']}&limit=1")["items"][0]


def command_gate(demo: DemoHome, run: dict[str, Any]) -> tuple[str, int]:
    found = demo.command("gate", "--release", run["release"], "--environment", run["environment"])
    return found["state"], found["new"]


def gate_tab(page: Element) -> int:
    return whole(page.one("link", "Gate").text.removeprefix("Gate"))


PAIRS: dict[str, tuple[Reader, Reader]] = {
    # the state of a release
    "state: tile, API": (drawn_tiles(lambda tile: tile.states[0]), states_of_api),
    "state: badge, API": (badge(lambda text: part(r"([a-z]+)(?:,|$)", text)), states_of_api),
    "state: MCP, API": (
        lambda demo: {row["release"]: row["state"] for row in demo.run_tools.list_releases()["items"]},
        states_of_api,
    ),
    "state: matrix, API": (matrix_columns(lambda column: column["state"]), lane_states),
    "not ready: overview, API": (headline("overview", "/"), not_ready),
    "not ready: matrix, API": (headline("matrix", "/matrix"), not_ready),
    "not ready: matrix of the release, API": (
        lambda demo: {
            tile["release"]: "not ready" in demo.screen("matrix", f"/matrix?release={tile['release']}").title
            for tile in tiles(demo)
        },
        of_tiles(lambda tile: any(lane["state"] in NOT_READY for lane in tile["lanes"])),
    ),
    # the results of the newest finished run
    "results: tile, API": (drawn_tiles(tile_counts), api_counts),
    "results: release, run": (
        of_tiles(counts),
        lambda demo: {run["release"]: counts(run) for run in finished(demo).values()},
    ),
    "results: run page, API": (shown_runs(run_counts), run_counts_of_api),
    "results: run, modules": (of_runs(lambda demo, run: summed(modules(demo, run))), run_counts_of_api),
    "results: run, priorities": (
        of_runs(lambda demo, run: summed(demo.items(f"/runs/{run['id']}/priorities"))),
        run_counts_of_api,
    ),
    "results: run, builds": (
        of_runs(lambda demo, run: summed(demo.items(f"/builds?run={run['id']}"))),
        run_counts_of_api,
    ),
    "results: run, SQL": (sql_counts, run_counts_of_api),
    "results: run, MCP": (
        of_runs(lambda demo, run: counts(demo.run_tools.get_run(run["id"])["run"])),
        run_counts_of_api,
    ),
    "results: release by MCP, tile": (
        lambda demo: {tile["release"]: counts(demo.run_tools.get_run(tile["release"])["run"]) for tile in tiles(demo)},
        api_counts,
    ),
    "results: notebook, tile": (
        lambda demo: {row["release"]: counts(row) for row in demo.tracker.releases().to_dict("records")},
        api_counts,
    ),
    "results: modules by notebook, API": (
        lambda demo: {
            tile["release"]: summed(demo.tracker.modules(tile["release"]).to_dict("records")) for tile in tiles(demo)
        },
        api_counts,
    ),
    "results: gate, run": (
        gate(lambda answer: counts(answer["run"])),
        of_runs(lambda demo, run: counts(newest_of_lane(demo, run))),
    ),
    "results: run, file": (
        of_runs(lambda demo, run: len(demo.file(f"/runs/{run['id']}/results?limit=1000"))),
        of_runs(lambda demo, run: run["total"]),
    ),
    "results: run, last point of Trends": (of_runs(lambda demo, run: counts(last_point(demo, run))), run_counts_of_api),
    "results: table of Trends, run": (of_runs(lambda demo, run: row_counts(trend_row(demo, run))), run_counts_of_api),
    "results: Compare, run": (
        of_runs(compared_now),
        of_runs(lambda demo, run: [run["total"], run["failed"], run["skipped"]]),
    ),
    "results: list of runs, API": (listed_runs, runs_by_name),
    "results: modules on screen, API": (
        of_runs(module_rows),
        of_runs(lambda demo, run: {row["module"]: counts(row) for row in modules(demo, run) if row["total"]}),
    ),
    "results: build page, API": (
        lambda demo: {build["id"]: run_counts(demo.screen("build", f"/builds/{build['id']}")) for build in built(demo)},
        lambda demo: {build["id"]: counts(build) for build in built(demo)},
    ),
    "failed: tab, API": (tab("Results"), of_runs(lambda demo, run: run["failed"])),
    "failed: tab, list": (
        tab("Results"),
        of_runs(lambda demo, run: len(demo.items(f"/runs/{run['id']}/results?status=failed"))),
    ),
    # the pass rate of the newest finished run
    "rate: tile, API": (drawn_tiles(lambda tile: rate(tile.text)), of_tiles(lambda tile: percent(tile["pass_rate"]))),
    "rate: badge, API": (badge(rate), of_tiles(lambda tile: percent(tile["pass_rate"]))),
    "rate: MCP, API": (
        lambda demo: {row["release"]: percent(row["pass_rate"]) for row in demo.run_tools.list_releases()["items"]},
        of_tiles(lambda tile: percent(tile["pass_rate"])),
    ),
    "rate: matrix, modules": (
        lambda demo: {
            (run["id"], module): rate for run in finished(demo).values() for module, rate in cell_rates(demo, run)
        },
        lambda demo: {
            (run, row["module"]): row["pass_rate"] for run in finished(demo) for row in modules(demo, {"id": run})
        },
    ),
    "rate: run page, API": (shown_runs(lambda page: rate(page.text)), run_rates_of_api),
    "rate: table of Trends, API": (
        of_runs(lambda demo, run: rate(trend_row(demo, run)["Pass rate"])),
        run_rates_of_api,
    ),
    # verdicts
    "verdicts: tile, API": (drawn_kinds, kinds_of_tiles),
    "verdicts: tile, list": (kinds_of_tiles, kinds_of_lists),
    "verdicts: tile, run page": (
        drawn_kinds,
        lambda demo: {
            run["release"]: words(demo.screen("run", f"/runs/{run['id']}")) for run in finished(demo).values()
        },
    ),
    "verdicts: tab, list": (
        tab("Verdicts"),
        of_runs(lambda demo, run: len(verdicts(demo, run["release"], run["environment"]))),
    ),
    "verdicts: tab, cases": (
        tab("Verdicts"),
        of_runs(
            lambda demo, run: sum(
                len(demo.screen("run", f"/runs/{run['id']}?view=broken&kind={kind}&offset={offset}").cases())
                for kind in KINDS
                for offset in (0, 50, 100)
            )
        ),
    ),
    "verdicts: list, file": (
        of_tiles(lambda tile: sum(tile[name] for name in WORDS)),
        lambda demo: {
            tile["release"]: len(
                demo.file(f"/verdicts?release={tile['release']}&environment={tile['environment']}&limit=1000")
            )
            for tile in tiles(demo)
        },
    ),
    "verdicts: list, MCP": (
        broken_in_lists,
        lambda demo: {
            lane: len(demo.test_tools.get_verdicts(*lane[:1], environment=lane[1], limit=200)["items"])
            for lane in lanes(demo)
        },
    ),
    "verdicts: list, test": (worst_kinds, kinds_of_tests),
    "verdicts: badge, tile": (
        badge(lambda text: [counted_in(text, noun) for noun in ("regression", "new failure")]),
        of_tiles(lambda tile: [tile["regressions"], tile["new_failures"]]),
    ),
    "verdicts: MCP, tile": (
        lambda demo: {
            row["release"]: {kind: row[name] for name, kind in WORDS.items()}
            for row in demo.run_tools.list_releases()["items"]
        },
        kinds_of_tiles,
    ),
    "verdicts: notebook, tile": (
        lambda demo: {
            row["release"]: {kind: row[name] for name, kind in WORDS.items()}
            for row in demo.tracker.releases().to_dict("records")
        },
        kinds_of_tiles,
    ),
    "verdicts: notebook, list": (
        lambda demo: {
            tile["release"]: by_kind(
                demo.tracker.verdicts(release=tile["release"], environment=tile["environment"]).to_dict("records")
            )
            for tile in tiles(demo)
        },
        kinds_of_lists,
    ),
    "broken: releases, list": (broken_of_lanes, broken_in_lists),
    "broken: matrix, releases": (matrix_columns(lambda column: column["tests"]), broken_of_lanes),
    "broken: head of a column, API": (drawn_columns, matrix_columns(lambda column: column["tests"])),
    "broken: column, its tests": (drawn_columns, broken_in_matrix),
    # the gate
    "gate: command, API": (of_runs(command_gate), gate(lambda answer: (answer["state"], answer["new"]))),
    "gate: MCP, API": (
        of_runs(lambda demo, run: demo.run_tools.check_gate(run["release"], environment=run["environment"])["new"]),
        gate(lambda answer: answer["new"]),
    ),
    "gate: notebook, API": (
        of_runs(
            lambda demo, run: demo.tracker.gate(release=run["release"], environment=run["environment"]).attrs["reason"]
        ),
        gate(lambda answer: answer["reason"]),
    ),
    "the run of a release: MCP, API": (
        lambda demo: {tile["release"]: demo.run_tools.get_run(tile["release"])["run"]["id"] for tile in tiles(demo)},
        of_tiles(lambda tile: tile["latest_run"]["id"]),
    ),
    "the run of a release: Compare, API": (
        of_runs(
            lambda demo, run: demo.get(f"/compare?base={run['previous']}&candidate={run['release']}")["candidate"]["id"]
        ),
        of_runs(lambda demo, run: run["id"]),
    ),
    "the run that goes on: MCP, gate": (
        lambda demo: {
            row["release"]: row["running_run"]["id"]
            for row in demo.run_tools.list_releases()["items"]
            if row["running_run"]
        },
        lambda demo: {
            run["release"]: run["id"]
            for run in (
                demo.get(f"/gate?release={tile['release']}&environment={tile['environment']}")["run"]
                for tile in tiles(demo)
            )
            if run["state"] == "running"
        },
    ),
    "gate: tab, API": (
        shown_runs(gate_tab),
        of_runs(
            lambda demo, run: demo.get(
                f"/gate?release={run['release']}&environment={run['environment']}&run={run['id']}"
            )["new"]
        ),
    ),
    "gate: tab, cases": (
        shown_runs(gate_tab),
        shown_runs(lambda page: len(page.cases()), "?view=gate"),
    ),
    # what changed
    "changes: run page, API": (shown_runs(class_counts), of_runs(lambda demo, run: known(changes(demo, run)))),
    "changes: Compare, run": (of_runs(compare_page), of_runs(lambda demo, run: known(changes(demo, run)))),
    "changes: MCP, run": (
        of_runs(lambda demo, run: demo.run_tools.get_run_changes(run["id"])["counts"]),
        of_runs(changes),
    ),
    # failure patterns
    "patterns: list, API": (pattern_rows("Failures"), patterns(lambda row: row["count"])),
    "patterns: failures on list, page": (
        pattern_rows("Failures"),
        failure_pages(lambda page: whole(page.facts["failures"])),
    ),
    "patterns: tests on list, page": (pattern_rows("Tests"), failure_pages(lambda page: whole(page.facts["tests"]))),
    "patterns: builds on list, page": (pattern_rows("Builds"), failure_pages(lambda page: whole(page.facts["builds"]))),
    "patterns: hosts on list, page": (
        patterns(lambda row: row["hosts"]),
        lambda demo: {
            row["signature"]: demo.get(f"/failures/{row['signature']}?runs=10")["hosts"]
            for row in demo.items("/failures")
        },
    ),
    "patterns: failures, by host": (
        patterns(lambda row: row["count"]),
        lambda demo: {
            row["signature"]: sum(
                host["count"] for host in demo.get(f"/failures/{row['signature']}?runs=10")["by_host"]
            )
            for row in demo.items("/failures")
        },
    ),
    "patterns: new on list, page": (
        patterns(lambda row: row["new"]),
        failure_pages(lambda page: " (new)." in page.text),
    ),
    "patterns: all failures, by host": (
        lambda demo: {
            row["signature"]: demo.get(f"/failures/{row['signature']}")["count"] for row in demo.items("/failures")
        },
        lambda demo: {
            row["signature"]: sum(host["count"] for host in demo.get(f"/failures/{row['signature']}")["by_host"])
            for row in demo.items("/failures")
        },
    ),
    "patterns: all failures, SQL": (
        lambda demo: {
            row["signature"]: demo.get(f"/failures/{row['signature']}")["count"] for row in demo.items("/failures")
        },
        lambda demo: {
            row["signature"]: demo.sql(
                SQL_PATTERN.format(
                    "','".join(member["signature"] for member in demo.get(f"/failures/{row['signature']}")["members"])
                )
            )[0][0]
            for row in demo.items("/failures")
        },
    ),
    "patterns: title, sum": (
        lambda demo: {"failures": whole(demo.screen("failures", "/failures").title)},
        lambda demo: {"failures": sum(row["count"] for row in demo.items("/failures"))},
    ),
    "patterns: tab, API": (tab("Failure patterns"), run_patterns),
    "patterns: MCP, API": (
        lambda demo: {
            row["signature"]: row["count"] for row in demo.test_tools.get_failure_patterns(limit=200)["items"]
        },
        patterns(lambda row: row["count"]),
    ),
    # runs and builds found by the palette
    "state of a run: palette, API": (
        found_states("run", lambda demo: list(finished(demo).values()), lambda run: run["id"]),
        of_runs(lambda demo, run: run["state"]),
    ),
    "state of a build: palette, page": (
        found_states("build", built, lambda build: build["id"]),
        lambda demo: {build["id"]: demo.screen("build", f"/builds/{build['id']}").states[0] for build in built(demo)},
    ),
    # the age of the data
    "snapshot: API, health": (
        lambda demo: {"snapshot": demo.get("/snapshot")["snapshot"]},
        lambda demo: {"snapshot": demo.get("/health")["store"]["snapshot"]},
    ),
    "builds: ingest, SQL": (
        lambda demo: {row["source"]: row["builds"] for row in demo.items("/ingest/status")},
        lambda demo: dict(demo.sql("SELECT source, count(*) FROM builds GROUP BY source")),
    ),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_one_quantity_is_the_same_in_both(demo: DemoHome, pair: tuple[Reader, Reader]) -> None:
    first, second = (read(demo) for read in pair)
    assert first
    assert first == second
