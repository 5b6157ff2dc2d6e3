"""The ingest screen: sources, waiting builds and lists from Jenkins, and that the requests of its forms are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dash import Dash
from support.fake_server import eventually
from support.screen import Element, Screen
from support.store_builder import World

from dashboard.app import create_app
from data.lake.migrations import POLL_STATUS_TABLE
from data.model import ids
from data.model.build_record import BuildRecord
from data.model.measures import iso
from data.model.run_record import RunRecord
from data.settings import SourceSettings, load
from data.tasks import ledger, poll_status, requests
from data.tasks.poll_log import PollRecord, log_poll
from data.write.builds import upsert_builds


@pytest.fixture
def now() -> datetime:
    return utc_now()


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@pytest.fixture
def app(world: World) -> Dash:
    sources = [SourceSettings(name="ci", url="https://jenkins.example.com/", job="qa/RUN")]
    return create_app(load(home=world.store.settings.home, source=sources))


@pytest.fixture
def ask(app, call):
    """The answer to a form, or why it was refused."""

    def post(**fields) -> Screen:
        body = {
            "output": (several := next(key for key in app.callback_map if "ingest-result-html" in key)),
            "outputs": [
                {"id": "ingest-result-html", "property": "data"},
                {"id": "snapshot", "property": several.rsplit("snapshot.", 1)[1].rstrip(".")},
            ],
            "inputs": [{"id": "ingest-request", "property": "data", "value": fields}],
            "state": [{"id": "url", "property": "href", "value": "http://host/ingest"}],
            "changedPropIds": ["ingest-request.data"],
        }
        answer = app.server.test_client().post("/_dash-update-component", json=body)
        return Screen(answer.json["response"]["ingest-result-html"]["data"]["html"])

    return post


def source(ingest: Screen) -> dict[str, str]:
    """The row of the source: column -> text."""
    return ingest.one("region", "Sources").one("table").rows[0]


def open_work(world: World, *entries: ledger.LedgerEntry, **poll) -> None:
    def write(cursor) -> None:
        ledger.add_entries(cursor, entries, utc_now())
        if poll:
            log_poll(cursor, PollRecord("ci", **poll))

    world.store.transact("test", "open work", write)


GONE = ledger.LedgerEntry("ci", "qa/NVS", 3, ledger.BUILD, ledger.GONE, 5, "404 <b>gone</b>")
LATER = datetime(2100, 1, 1)
WAITS = ledger.LedgerEntry("ci", "qa/NVS", 4, ledger.BUILD, ledger.RETRY, 2, "503 from Jenkins", LATER)


@pytest.fixture
def page(call):
    """The screen of an application with other settings."""

    def show(app: Dash) -> Screen:
        answer = call(app, "ingest-html.data", {"url.href": "http://host/ingest", "snapshot.data": None})
        return Screen(answer.json["response"]["ingest-html"]["data"]["html"])

    return show


def test_without_a_source_the_screen_explains_how_to_set_one_up(world, page):
    assert "No source is configured" in page(create_app(load(home=world.store.settings.home)))


def test_a_source_shows_its_last_error_and_its_numbers(world, screen, now):
    world.run({"routing": {"a": "P"}, "nvs": {}})
    open_work(
        world, GONE, WAITS, started_at=now - timedelta(minutes=5), duration_s=1.5, failed=2, requests=9, error="no map"
    )
    ingest = screen("ingest", "/ingest")
    assert ingest.title == "1 source read"
    assert "2 builds of the last poll could not be read and will be retried: no map" in ingest
    open_work(world, started_at=now, duration_s=1.5, failed=0, requests=9, error="<i>503</i>")
    ingest = screen("ingest", "/ingest")
    assert "cannot be read" in ingest.title and "<i>503</i>" in ingest and "9 requests" in source(ingest)["Last poll"]
    assert ingest.texts("button").count("Try again") == 2 and "404 <b>gone</b>" in ingest
    assert ingest.all("heading", "Builds without results 1")


def test_the_markup_of_errors_from_jenkins_is_escaped(world, screen, now):
    open_work(world, GONE, started_at=now, duration_s=1.5, failed=0, requests=9, error="<i>503</i>")
    markup = screen("ingest", "/ingest").markup
    assert "&lt;i&gt;503&lt;/i&gt;" in markup and "<i>503" not in markup
    assert "&lt;b&gt;gone" in markup and "<b>gone" not in markup


def test_a_source_that_has_not_been_polled_for_long_is_stale(world, screen, now):
    open_work(world, started_at=now - timedelta(days=1), duration_s=1.0)
    assert source(screen("ingest", "/ingest"))["State"] == "stale"


def test_a_quiet_source_is_ok_and_shows_its_next_poll(world, screen, now):
    open_work(world, started_at=now - timedelta(days=1), duration_s=1.0, error="503")
    poll_status.record_poll(
        world.store, PollRecord("ci", now, 1.0, requests=1), (following := now + timedelta(hours=1))
    )
    ingest = screen("ingest", "/ingest")
    assert source(ingest)["State"] == "ok" and "stale" not in ingest and "503" not in ingest
    assert iso(following) in [time.value for time in ingest.one("region", "Sources").all("time")]
    poll_status.record_poll(world.store, PollRecord("ci", now, 1.0, requests=1), now)
    assert source(screen("ingest", "/ingest"))["Next poll"] == "now", "due, or going on"


def test_a_source_being_read_is_not_stale_and_a_dead_process_reads_nothing(world, screen, now):
    open_work(world, started_at=now - timedelta(days=1), duration_s=1.0)
    with poll_status.poll_in_progress(world.store, "ci", after_s=0):
        eventually(lambda: world.store.value(f"SELECT count(*) FROM {POLL_STATUS_TABLE}"))
        ingest = screen("ingest", "/ingest")
        assert "Ingestion is not running" in ingest.one("alert") and "Ingestion stopped" not in ingest
        assert source(ingest)["State"] == "stale"
        poll_status.record_heartbeat(world.store)
        ingest = screen("ingest", "/ingest")
        assert "reading" in source(ingest)["State"] and "stale" not in ingest
        assert "Ingestion" not in ingest and not ingest.all("alert")
    assert source(screen("ingest", "/ingest"))["State"] == "stale"


def test_the_bug_feed_shows_why_it_could_not_be_read(world, page, now):
    app = create_app(load(home=world.store.settings.home, bugs={"url": "https://tracker.example.com/bugs.json"}))
    world.run({"routing": {"a": "P"}})
    assert "Bug feed" not in page(app)
    poll_status.record_feed_read(world.store, now, 0.1, "answered 503 <x>", now + timedelta(hours=1))
    shown = page(app)
    assert "Bug feed could not be read" in shown and "answered 503 <x>" in shown and "x" not in shown.tags
    health = app.server.test_client().get("/api/v1/health").json
    assert health["bugs"]["last_error"] == "answered 503 <x>" and health["status"] == "degraded"
    poll_status.record_feed_read(world.store, now, 0.1, None, now + timedelta(hours=1))
    shown = page(app)
    assert "Bug feed read" in shown and "503" not in shown


def test_an_upload_is_described_by_its_content(world, screen):
    world.run({"routing": {"a": "P"}}, number=7)
    build = ids.text(world.store.value("SELECT build FROM builds"))
    upload = requests.submit(world.store, "upload", "upload", {"release": "7.0", "module": "net", "number": 12}, "api")
    assert "7.0 net #12" in screen("ingest", "/ingest").under("Fetch builds")
    requests.report_progress(world.store, requests.status(world.store, upload), requests.DONE, builds=[build])
    ingest = screen("ingest", "/ingest")
    assert ingest.one("link", "7.0 routing #").href == f"/builds/{build}" and "build 1" not in ingest.texts("link")


def test_a_run_without_a_build_map_is_listed(world, screen, now):
    run = RunRecord("ci", "qa/RUN", 9, "7.0", now, result="ABORTED")
    world.store.transact("test", "test", lambda cursor: upsert_builds(cursor, [], now, runs=[run]))
    section = screen("ingest", "/ingest").under("Runs without builds")
    assert section.one("heading").text == "Runs without builds 1"
    (row,) = section.one("table").rows
    assert row["Run"] == "qa/RUN #9" and row["Jenkins result"] == "ABORTED"
    assert section.one("link", "qa/RUN #9").href == f"/runs/{ids.text(run.id)}"


def test_the_ledger_is_filtered_by_source_and_state(world, screen):
    open_work(world, GONE, WAITS)
    retried = screen("ingest", "/ingest?state=retry")
    assert "503 from Jenkins" in retried and "404" not in retried
    assert "Nothing waiting" in screen("ingest", "/ingest?source=other")


def test_open_work_begins_with_failures_and_counts_rechecks_separately(world, screen, now):
    waits = ledger.LedgerEntry("ci", "qa/NVS", 5, ledger.BUILD, ledger.NEW, next_try=now - timedelta(hours=1))
    well = [ledger.LedgerEntry("ci", "qa/NVS", number, ledger.BUILD, ledger.RECHECK) for number in (11, 12)]
    open_work(world, GONE, WAITS, waits, *well)

    def builds(section: Element) -> list[str]:
        return [" ".join(row["Build"].split()[:2]) for row in section.one("table").rows]

    section = screen("ingest", "/ingest").under("Waiting builds")
    assert builds(section) == ["qa/NVS #4", "qa/NVS #5", "qa/NVS #3"]
    assert "2 more builds, already read, will be rechecked once" in section
    rechecked = screen("ingest", section.one("link", "2 more builds").href).under("Waiting builds")
    assert sorted(builds(rechecked)) == ["qa/NVS #11", "qa/NVS #12"]


def test_gaps_drops_and_report_problems_are_listed(world, screen, now):
    names = {f"t{n}": "P" for n in range(10)}
    usual = [({"routing": names}, {"number": number}) for number in (1, 2, 3, 5)]
    world.series([*usual, ({"routing": {"t0": "P"}}, {"number": 6})])
    remarked = BuildRecord(source="ci", job="qa/<u>x", number=1, started_at=now, release="7.0", module="x")
    remarked.warnings.append(("r/<u>.xml", "cut short"))
    world.store.transact("test", "a remark", lambda cursor: upsert_builds(cursor, [remarked], now))
    free = [
        BuildRecord(source="upload", job="7.0/net", number=number, started_at=now, release="7.0", module="net")
        for number in (1, 90)
    ]
    world.store.transact("test", "numbers are free", lambda cursor: upsert_builds(cursor, free, now))
    ingest = screen("ingest", "/ingest")
    assert "#2–89" not in ingest and "#2–#89" not in ingest
    gaps = ingest.under("Gaps in build numbers").one("table").rows
    assert {(row["Source"], row["Missing"]) for row in gaps} == {("ci", "#4")}
    (drop,) = ingest.under("Sudden drops in tests").one("table").rows
    assert (drop["Tests"], drop["Usual"]) == ("1", "10")
    (problem,) = ingest.under("Problems in reports").one("table").rows
    assert problem == {"Build": "qa/<u>x #1", "File": "r/<u>.xml", "Problem": "cut short"}
    assert "u" not in ingest.tags


def test_a_request_from_a_form_is_stored_and_listed(world, ask, screen):
    assert "Polling ci" in ask(kind="poll", source="ci")
    assert "Fetching https://" in ask(kind="build", source="ci", url="https://jenkins.example.com/job/a/7/")
    assert "Backfilling ci" in ask(**{"kind": "backfill", "source": "ci", "from": "5", "to": ""})
    assert "Fetching 2 builds" in ask(kind="build", source="ci", urls=[f"https://j/job/a/{n}/" for n in (8, 9)])
    assert "2 selected" in screen("ingest", "/ingest").under("Fetch builds")
    found = {one.kind: one for one in requests.recent(world.store)}
    assert found["backfill"].payload["from"] == "5" and found["build"].payload["url"].endswith("/7/")
    assert {one.author for one in found.values()} == {"dashboard"}
    requests.report_progress(world.store, found["backfill"], requests.WORKING, progress={"done": 3, "total": 12})
    section = screen("ingest", "/ingest").under("Fetch builds")
    assert "job/a/7/" in section
    backfill = section.one("listitem", "backfill")
    assert "3 of 12" in backfill and backfill.one("progressbar").value == "3" and backfill.widths == [25.0]


def test_an_invalid_request_is_explained_and_not_stored(world, ask):
    assert "No source" in ask(kind="poll", source="other")
    assert "url" in ask(kind="build", source="ci", url="javascript:alert(1)")
    assert "from" in ask(**{"kind": "backfill", "source": "ci", "from": "yesterday"})
    assert "kind" in ask(kind="upload", source="ci")
    assert "url" in ask(kind="build", source="ci") and "urls" in ask(kind="build", source="ci", urls=["javascript:1"])
    assert "no longer waiting" in ask(kind="again", source="ci", job="<b>x", number="1")
    assert requests.recent(world.store) == []


FOUND = datetime(2026, 11, 20, 8)


def found_build(number: int, **facts) -> dict:
    return {
        "job": "qa/<b>x",
        "number": number,
        "url": f"https://jenkins.example.com/job/qa/job/x/{number}/",
        "display_name": "<u>nightly",
        "state": "final",
        "result": "SUCCESS",
        "started_at": iso(FOUND),
        "release": "7.0",
        "version": None,
        "environment": "prod",
        "held": False,
        "open": None,
    } | facts


def test_a_list_of_builds_shows_the_current_state_of_each(world, ask, screen):
    ask(kind="discover", source="ci", **{"from": "", "to": ""})
    (request,) = requests.claim(world.store)
    address = f"/ingest?request={ids.text(request.request)}"
    assert "Asking Jenkins" in screen("ingest", address)
    builds = [found_build(3), found_build(2), found_build(1)]
    requests.report_progress(world.store, request, requests.DONE, found=3, cut=True, listed=builds)
    found = screen("ingest", address).under("Builds of ci in Jenkins")
    assert [box.is_checked for box in found.all("checkbox")] == [True, True, True]
    assert "Fetch 3 builds" in found.texts("button") and "Showing the latest builds" in found
    assert found.all("checkbox", "Fetch qa/<b>x #3") and "<u>nightly" in found and not {"b", "u"} & found.tags
    held = BuildRecord(source="ci", job="qa/<b>x", number=3, started_at=FOUND, release="7.0", module="x")
    world.store.transact("test", "held", lambda cursor: upsert_builds(cursor, [held], FOUND))
    open_work(world, ledger.LedgerEntry("ci", "qa/<b>x", 2, ledger.BUILD))
    found = screen("ingest", address).under("Builds of ci in Jenkins")
    checked = {box.name: box.is_checked for box in found.all("checkbox")}
    assert checked == {"Fetch qa/<b>x #3": False, "Fetch qa/<b>x #2": False, "Fetch qa/<b>x #1": True}
    assert "Fetch 1 build" in found.texts("button")
    assert found.one("row", "qa/<b>x #3").one("link", "stored").href == f"/builds/{ids.text(held.id)}"


def test_the_markup_of_a_list_of_builds_has_what_its_scripts_look_for(world, ask, screen):
    response = ask(kind="discover", source="ci", **{"from": "", "to": ""})
    (request,) = requests.claim(world.store)
    address = f"/ingest?request={ids.text(request.request)}"
    assert f'data-go-to="{address}"' in response.markup
    builds = [found_build(3), found_build(2), found_build(1)]
    requests.report_progress(world.store, request, requests.DONE, found=3, cut=True, listed=builds)
    assert screen("ingest", address).markup.count(" checked data-new") == 3


def test_a_missing_or_failed_list_is_explained(world, ask, screen):
    assert "No list of builds" in screen("ingest", "/ingest?request=00000000000000ab")
    ask(kind="discover", source="ci", to="2026-11-01")
    (request,) = requests.claim(world.store)
    address = f"/ingest?request={ids.text(request.request)}"
    requests.report_progress(world.store, request, requests.FAILED, "503 <b>from Jenkins")
    ingest = screen("ingest", address)
    found = ingest.under("Builds of ci in Jenkins")
    assert "503 <b>from Jenkins" in found and "b" not in found.tags and not ingest.all("checkbox")
    requests.report_progress(world.store, request, requests.DONE, found=0, cut=False, listed=[])
    assert "No builds in this range" in screen("ingest", address)


def test_try_again_makes_a_build_that_was_given_up_due(world, ask):
    open_work(world, GONE)
    assert "Retrying" in ask(kind="again", source="ci", job="qa/NVS", number="3")
    again = ledger.find_entry(world.store, GONE)
    assert again.state == ledger.RETRY and again.attempts == 0 and again.next_try is not None
    assert [one.kind for one in requests.recent(world.store)] == ["poll"]


def test_a_page_of_another_site_cannot_send_requests(world, app):
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = app.server.test_client().post("/_dash-update-component", json={}, headers=headers)
    assert answer.status_code == 403
    assert requests.recent(world.store) == []
