"""Faults do what their rules define, to the requests that they name and to no other."""

import io
import time
import zipfile
from datetime import UTC, datetime

import pytest
import requests

from ingest.simulator import Programme, SimulatorServer
from ingest.simulator.http_faults import HttpFaultPlan

pytestmark = pytest.mark.slow

START = datetime(2026, 11, 20, tzinfo=UTC)
ROOT = "api/json"
ZIP = "job/libcore-nightly/5/artifact/**/*.xml/*zip*/r.zip"


@pytest.fixture(scope="module")
def server():
    with SimulatorServer(Programme("tiny", 5, START)) as running:
        yield running


@pytest.fixture
def getter(server):
    """Sets a plan and gives a function that asks; the plan is gone afterwards."""
    session = requests.Session()

    def set_plan(*rules: dict):
        answer = session.post(f"{server.url}_sim/faults", json=list(rules), timeout=10)
        assert answer.status_code == 200, answer.text
        return lambda path=ROOT: session.get(server.url + path, timeout=10, allow_redirects=False)

    yield set_plan
    assert session.delete(f"{server.url}_sim/faults", timeout=10).json() == []
    session.close()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
def test_status_pages(getter, status):
    answer = getter({"kind": "status", "status": status, "retry_after": 3, "times": 1})()
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Retry-After"] == "3"
    if status == 503:
        assert "getting ready to work" in answer.text


def test_a_page_instead_of_data_and_a_redirect_to_the_login(getter):
    get = getter({"kind": "html", "times": 1}, {"kind": "login", "times": 1})
    page, redirect, data = get(), get(), get()
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html;charset=utf-8")
    assert (redirect.status_code, redirect.headers["Location"]) == (302, "/login?from=%2Fapi%2Fjson")
    assert data.json()["_class"] == "hudson.model.Hudson"


def test_truncated_json_has_status_200_and_ends_early(getter):
    get = getter({"kind": "truncate", "keep": 0.5, "times": 1})
    cut, whole = get(), get()
    assert cut.status_code == 200
    assert whole.content.startswith(cut.content) and len(cut.content) == len(whole.content) // 2
    with pytest.raises(requests.exceptions.JSONDecodeError):
        cut.json()


def test_a_zip_cut_short_is_no_zip(getter):
    get = getter({"kind": "truncate", "path": r"\*zip\*", "keep": 0.9, "times": 1})
    cut, whole = get(ZIP), get(ZIP)
    assert cut.status_code == 200
    assert not zipfile.is_zipfile(io.BytesIO(cut.content))
    assert zipfile.is_zipfile(io.BytesIO(whole.content))


@pytest.mark.parametrize("path", [ROOT, ZIP])
def test_a_reset_breaks_the_connection_in_the_middle(getter, path):
    get = getter({"kind": "reset", "times": 1})
    with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(path)
    assert get(path).status_code == 200


def test_slow_answers_take_their_time(getter):
    get = getter({"kind": "slow", "delay_s": 0.15, "times": 1})
    begun = time.monotonic()
    assert get().status_code == 200
    assert time.monotonic() - begun >= 0.15


def test_a_rule_strikes_only_the_paths_it_names_and_is_counted(getter, server):
    get = getter({"kind": "status", "path": "libcore-nightly/8/"})
    assert get("job/libcore-nightly/8/api/json").status_code == 500
    assert get("job/libcore-nightly/9/api/json").status_code == 200
    assert get("job/libcore-nightly/api/json?tree=builds[number]{0,3}").status_code == 200
    (rule,) = requests.get(f"{server.url}_sim/faults", timeout=10).json()
    assert (rule["matched"], rule["hits"]) == (1, 1)


def test_a_token_is_revoked_from_a_request_on(getter):
    get = getter({"kind": "status", "status": 401, "after": 3})
    assert [get().status_code for _ in range(6)] == [200, 200, 200, 401, 401, 401]


def test_unavailable_for_a_while(getter):
    get = getter({"kind": "status", "status": 503, "for_s": 0.3})
    assert get().status_code == 503
    deadline = time.monotonic() + 5
    while get().status_code == 503:
        assert time.monotonic() < deadline


def test_chance_repeats_itself_by_its_seed():
    def strikes(seed: int) -> list[bool]:
        plan = HttpFaultPlan([{"kind": "reset", "probability": 0.3, "seed": seed}])
        return [plan.strike("/x") is not None for _ in range(200)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 30 < sum(strikes(1)) < 90


@pytest.mark.parametrize(
    "rule",
    [{"kind": "explode"}, {"kind": "status", "status": 418}, {"kind": "slow", "path": "("}, {"kind": "slow", "x": 1}],
)
def test_a_plan_that_makes_no_sense_is_refused_and_the_old_one_stays(server, getter, rule):
    getter({"kind": "status", "status": 404, "path": "never"})
    answer = requests.post(f"{server.url}_sim/faults", json=[rule], timeout=10)
    assert answer.status_code == 400 and answer.json()["error"]
    assert [old["status"] for old in requests.get(f"{server.url}_sim/faults", timeout=10).json()] == [404]


def test_faults_do_not_touch_the_doors_beside_jenkins(server, getter):
    getter({"kind": "status", "status": 500})
    assert requests.get(f"{server.url}truth.json", timeout=10).status_code == 200
