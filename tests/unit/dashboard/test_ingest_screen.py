"""The Ingest screen: what it says of sources and open work, and that what it is asked for is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dash import Dash
from support.store_builder import World

from dashboard.app import create_app
from data.model import ids
from data.model.build_record import BuildRecord
from data.model.measures import iso
from data.model.run_record import RunRecord
from data.settings import SourceSettings, load
from data.work import ledger, poll_status, requests
from data.work.poll_log import PollRecord, log_poll
from data.write.builds import upsert_builds

NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@pytest.fixture
def app(world: World) -> Dash:
    sources = [SourceSettings(name="ci", url="https://jenkins.example.com/", job="qa/RUN")]
    return create_app(load(home=world.store.settings.home, source=sources))


@pytest.fixture
def ask(app, call):
    """The answer to a form: its text, or what was refused."""

    def post(**fields):
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
        return answer.json["response"]["ingest-result-html"]["data"]["html"]

    return post


def open_work(world: World, *entries: ledger.LedgerEntry, **poll) -> None:
    def write(cursor) -> None:
        ledger.add_entries(cursor, entries, NOW)
        if poll:
            log_poll(cursor, PollRecord("ci", **poll))

    world.store.transact("test", "open work", write)


GONE = ledger.LedgerEntry("ci", "qa/NVS", 3, ledger.BUILD, ledger.GONE, 5, "404 <b>gone</b>")
WAITS = ledger.LedgerEntry(
    "ci", "qa/NVS", 4, ledger.BUILD, ledger.RETRY, 2, "503 from Jenkins", NOW + timedelta(hours=1)
)


def test_without_a_source_the_screen_explains_how_to_set_one_up(world, call):
    app = create_app(load(home=world.store.settings.home))
    answer = call(app, "ingest-html.data", {"url.href": "http://host/ingest", "snapshot.data": None})
    assert "No source is configured" in answer.json["response"]["ingest-html"]["data"]["html"]


def test_a_source_shows_its_last_error_and_its_numbers(world, show):
    world.run({"routing": {"a": "P"}, "nvs": {}})
    open_work(
        world, GONE, WAITS, started_at=NOW - timedelta(minutes=5), duration_s=1.5, failed=2, requests=9, error="no map"
    )
    html = show("ingest", "/ingest")["html"]
    assert "1 source read" in html
    assert "2 builds of the last poll could not be read and will be retried: no map" in html
    open_work(world, started_at=NOW, duration_s=1.5, failed=0, requests=9, error="<i>503</i>")
    html = show("ingest", "/ingest")["html"]
    assert "cannot be read" in html and "&lt;i&gt;503&lt;/i&gt;" in html and "9 requests" in html
    assert html.count("Try again") == 2 and "&lt;b&gt;gone" in html and "<b>gone" not in html
    assert 'Builds without results <span class="quiet">1</span>' in html


def test_a_source_that_has_not_been_polled_for_long_is_stale(world, show):
    open_work(world, started_at=NOW - timedelta(days=1), duration_s=1.0)
    assert "<span>stale</span>" in show("ingest", "/ingest")["html"]


def test_a_quiet_source_is_ok_and_shows_its_next_poll(world, show):
    open_work(world, started_at=NOW - timedelta(days=1), duration_s=1.0, error="503")
    poll_status.record_poll(
        world.store, PollRecord("ci", NOW, 1.0, requests=1), (following := NOW + timedelta(hours=1))
    )
    html = show("ingest", "/ingest")["html"]
    assert "stale" not in html and "503" not in html and iso(following) in html
    poll_status.record_poll(world.store, PollRecord("ci", NOW, 1.0, requests=1), NOW)
    assert ">now</td>" in show("ingest", "/ingest")["html"], "due, or going on"


def test_a_source_being_read_is_not_stale_and_a_dead_process_reads_nothing(world, show):
    open_work(world, started_at=NOW - timedelta(days=1), duration_s=1.0)
    with poll_status.poll_in_progress(world.store, "ci"):
        html = show("ingest", "/ingest")["html"]
        assert "Ingestion is not running" in html and "Ingestion stopped" not in html and "<span>stale</span>" in html
        poll_status.record_heartbeat(world.store)
        html = show("ingest", "/ingest")["html"]
        assert "reading" in html and "stale" not in html and "Ingestion" not in html
    assert "<span>stale</span>" in show("ingest", "/ingest")["html"]


def test_the_bug_feed_shows_why_it_could_not_be_read(world, call):
    app = create_app(load(home=world.store.settings.home, bugs={"url": "https://tracker.example.com/bugs.json"}))

    def page() -> str:
        answer = call(app, "ingest-html.data", {"url.href": "http://host/ingest", "snapshot.data": None})
        return answer.json["response"]["ingest-html"]["data"]["html"]

    world.run({"routing": {"a": "P"}})
    assert "Bug feed" not in page()
    poll_status.record_feed_read(world.store, NOW, 0.1, "answered 503 <x>", NOW + timedelta(hours=1))
    assert "answered 503 &lt;x&gt;" in page()
    health = app.server.test_client().get("/api/v1/health").json
    assert health["bugs"]["last_error"] == "answered 503 <x>" and health["status"] == "degraded"
    poll_status.record_feed_read(world.store, NOW, 0.1, None, NOW + timedelta(hours=1))
    assert "Bug feed" in page() and "503" not in page()


def test_an_upload_is_described_by_its_content(world, show):
    world.run({"routing": {"a": "P"}}, number=7)
    build = ids.text(world.store.value("SELECT build FROM builds"))
    upload = requests.submit(world.store, "upload", "upload", {"release": "7.0", "module": "net", "number": 12}, "api")
    assert "7.0 net #12" in show("ingest", "/ingest")["html"]
    requests.report_progress(world.store, requests.status(world.store, upload), requests.DONE, builds=[build])
    html = show("ingest", "/ingest")["html"]
    assert f'{build}">7.0 routing #' in html and ">build 1<" not in html


def test_a_run_without_a_build_map_is_listed(world, show):
    run = RunRecord("ci", "qa/RUN", 9, "7.0", NOW, result="ABORTED")
    world.store.transact("test", "test", lambda cursor: upsert_builds(cursor, [], NOW, runs=[run]))
    html = show("ingest", "/ingest")["html"]
    assert 'Runs without builds <span class="quiet">1</span>' in html and "qa/RUN #9</a></th><td>ABORTED" in html


def test_the_ledger_is_filtered_by_source_and_state(world, show):
    open_work(world, GONE, WAITS)
    html = show("ingest", "/ingest?state=retry")["html"]
    assert "503 from Jenkins" in html and "404" not in html
    assert "Nothing waiting" in show("ingest", "/ingest?source=other")["html"]


def test_open_work_begins_with_failures_and_counts_rechecks_separately(world, show):
    waits = ledger.LedgerEntry("ci", "qa/NVS", 5, ledger.BUILD, ledger.NEW, next_try=NOW - timedelta(hours=1))
    well = [ledger.LedgerEntry("ci", "qa/NVS", number, ledger.BUILD, ledger.RECHECK) for number in (11, 12)]
    open_work(world, GONE, WAITS, waits, *well)
    html = show("ingest", "/ingest")["html"]
    rows = [html.index(f'data-key="ledger-ci-qa/NVS-{number}-') for number in (4, 5, 3)]
    assert rows == sorted(rows) and "ledger-ci-qa/NVS-11-" not in html
    assert "2 more builds</a>, already read, will be rechecked once" in html
    assert "ledger-ci-qa/NVS-11-" in show("ingest", "/ingest?state=recheck")["html"]


def test_gaps_drops_and_report_problems_are_listed(world, show):
    names = {f"t{n}": "P" for n in range(10)}
    usual = [({"routing": names}, {"number": number}) for number in (1, 2, 3, 5)]
    world.series([*usual, ({"routing": {"t0": "P"}}, {"number": 6})])
    remarked = BuildRecord(source="ci", job="qa/<u>x", number=1, started_at=NOW, release="7.0", module="x")
    remarked.warnings.append(("r/<u>.xml", "cut short"))
    world.store.transact("test", "a remark", lambda cursor: upsert_builds(cursor, [remarked], NOW))
    free = [
        BuildRecord(source="upload", job="7.0/net", number=number, started_at=NOW, release="7.0", module="net")
        for number in (1, 90)
    ]
    world.store.transact("test", "numbers are free", lambda cursor: upsert_builds(cursor, free, NOW))
    html = show("ingest", "/ingest")["html"]
    assert "#2–89" not in html and "#2–#89" not in html
    assert "#4" in html and "Usual" in html and "cut short" in html
    assert "<u>" not in html


def test_a_request_from_a_form_is_stored_and_listed(world, ask, show):
    assert "Polling ci" in ask(kind="poll", source="ci")
    assert "Fetching https://" in ask(kind="build", source="ci", url="https://jenkins.example.com/job/a/7/")
    assert "Backfilling ci" in ask(**{"kind": "backfill", "source": "ci", "from": "5", "to": ""})
    assert "Fetching 2 builds" in ask(kind="build", source="ci", urls=[f"https://j/job/a/{n}/" for n in (8, 9)])
    assert "2 selected" in show("ingest", "/ingest")["html"]
    found = {one.kind: one for one in requests.recent(world.store)}
    assert found["backfill"].payload["from"] == "5" and found["build"].payload["url"].endswith("/7/")
    assert {one.author for one in found.values()} == {"dashboard"}
    requests.report_progress(world.store, found["backfill"], requests.WORKING, progress={"done": 3, "total": 12})
    html = show("ingest", "/ingest")["html"]
    assert "3 of 12" in html and "job/a/7/" in html and "width:25.0%" in html


def test_an_invalid_request_is_explained_and_not_stored(world, ask):
    assert "No source" in ask(kind="poll", source="other")
    assert "url" in ask(kind="build", source="ci", url="javascript:alert(1)")
    assert "from" in ask(**{"kind": "backfill", "source": "ci", "from": "yesterday"})
    assert "kind" in ask(kind="upload", source="ci")
    assert "url" in ask(kind="build", source="ci") and "urls" in ask(kind="build", source="ci", urls=["javascript:1"])
    assert "no longer waiting" in ask(kind="again", source="ci", job="<b>x", number="1")
    assert requests.recent(world.store) == []


def found_build(number: int, **facts) -> dict:
    return {
        "job": "qa/<b>x",
        "number": number,
        "url": f"https://jenkins.example.com/job/qa/job/x/{number}/",
        "display_name": "<u>nightly",
        "state": "final",
        "result": "SUCCESS",
        "started_at": iso(NOW),
        "release": "7.0",
        "version": None,
        "environment": "prod",
        "held": False,
        "open": None,
    } | facts


def test_a_list_of_builds_shows_the_current_state_of_each(world, ask, show):
    response = ask(kind="discover", source="ci", **{"from": "", "to": ""})
    (request,) = requests.claim(world.store)
    name = ids.text(request.request)
    assert f'data-go-to="/ingest?request={name}"' in response
    assert "Asking Jenkins" in show("ingest", f"/ingest?request={name}")["html"]
    builds = [found_build(3), found_build(2), found_build(1)]
    requests.report_progress(world.store, request, requests.DONE, found=3, cut=True, listed=builds)
    html = show("ingest", f"/ingest?request={name}")["html"]
    assert html.count(" checked data-new") == 3 and "Fetch 3 builds" in html and "Showing the latest builds" in html
    assert "<b>x" not in html and "<u>" not in html
    held = BuildRecord(source="ci", job="qa/<b>x", number=3, started_at=NOW, release="7.0", module="x")
    world.store.transact("test", "held", lambda cursor: upsert_builds(cursor, [held], NOW))
    open_work(world, ledger.LedgerEntry("ci", "qa/<b>x", 2, ledger.BUILD))
    html = show("ingest", f"/ingest?request={name}")["html"]
    assert html.count(" checked data-new") == 1 and "Fetch 1 build<" in html and f"/builds/{ids.text(held.id)}" in html


def test_a_missing_or_failed_list_is_explained(world, ask, show):
    assert "No list of builds" in show("ingest", "/ingest?request=00000000000000ab")["html"]
    ask(kind="discover", source="ci", to="2026-11-01")
    (request,) = requests.claim(world.store)
    requests.report_progress(world.store, request, requests.FAILED, "503 <b>from Jenkins")
    html = show("ingest", f"/ingest?request={ids.text(request.request)}")["html"]
    assert "503 &lt;b&gt;from Jenkins" in html and "checkbox" not in html
    requests.report_progress(world.store, request, requests.DONE, found=0, cut=False, listed=[])
    assert "No builds in this range" in show("ingest", f"/ingest?request={ids.text(request.request)}")["html"]


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
