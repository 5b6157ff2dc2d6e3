"""Lists as CSV, Parquet and Arrow: the rows of their JSON, harmless in a spreadsheet, streamed."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from support.live_server import served

from dashboard.api import export
from regtracker.bench.synthetic import StoreShape, fill

TYPES = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
LISTS = [
    "/runs",
    "/builds",
    "/verdicts",
    "/tests?q=e",
    "/failures",
    "/bugs",
    "/releases",
    "/ingest/ledger",
    "/ingest/status",
]


def rows_of(form: str, body: bytes) -> list[dict]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    table = pq.read_table(io.BytesIO(body)) if form == "parquet" else pa.ipc.open_stream(body).read_all()
    return table.to_pylist()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("form", TYPES)
def test_an_export_has_every_row_and_field_of_the_list(client, path, form):
    joint = "&" if "?" in path else "?"
    items = client.get(f"/api/v1{path}{joint}limit=1000").json["items"]
    answer = client.get(f"/api/v1{path}", headers={"Accept": TYPES[form]})
    assert (answer.status_code, answer.mimetype) == (200, TYPES[form])
    assert answer.headers["Content-Disposition"].startswith("attachment")
    rows = rows_of(form, answer.data)
    assert len(rows) == len(items) and set(rows[0]) >= set(items[0])
    for row, item in zip(rows, items, strict=True):
        for name, value in item.items():
            if isinstance(value, bool):
                assert row[name] == (value if form != "csv" else str(value).lower())
            elif isinstance(value, int) or (isinstance(value, float) and not name.endswith(("freshness_s", "lag_s"))):
                assert float(row[name]) == pytest.approx(value)
            elif value is None:
                assert row[name] in (None, "")


def test_times_are_times_where_the_format_has_them(client):
    item = client.get("/api/v1/runs?limit=1").json["items"][0]
    (as_text,) = rows_of("csv", client.get("/api/v1/runs?limit=1&format=csv").data)
    (as_time,) = rows_of("parquet", client.get("/api/v1/runs?limit=1&format=parquet").data)
    assert as_text["started_at"] == item["started_at"]
    assert as_time["started_at"].strftime("%Y-%m-%dT%H:%M:%SZ") == item["started_at"]


def test_an_export_takes_filters_fields_and_a_limit(client):
    answer = client.get("/api/v1/runs?release=8.0&fields=number,release&limit=1&format=csv")
    assert answer.text.splitlines() == ['"number","release"', answer.text.splitlines()[1]]
    assert answer.text.splitlines()[1].endswith(',"8.0"')
    assert client.get("/api/v1/runs?release=8.0&version=7.0.0.20&format=csv").text.startswith('"')


def test_an_export_is_read_whenever_the_client_likes(client):
    slow = client.get("/api/v1/runs?format=csv")
    whole = client.get("/api/v1/runs?limit=1000").json["items"]
    assert len(rows_of("csv", slow.data)) == len(whole)


def test_trends_and_grid_leave_as_rows(client):
    points = rows_of("csv", client.get("/api/v1/trends?group=module&format=csv").data)
    series = client.get("/api/v1/trends?group=module").json["series"]
    assert len(points) == sum(len(one["points"]) for one in series)
    assert {point["series"] for point in points} == {one["name"] for one in series}
    rows = rows_of("arrow", client.get("/api/v1/grid?release=7.0&format=arrow").data)
    grid = client.get("/api/v1/grid?release=7.0").json
    assert [row["cells"] for row in rows] == grid["cells"]


def test_the_matrix_and_comparisons_leave_as_rows(client, names):
    overall = client.get("/api/v1/matrix").json
    assert [column["value"] for column in overall["columns"]] == ["8.0", "7.0"]
    rows = rows_of("csv", client.get("/api/v1/matrix?format=csv").data)
    assert len(rows) == sum(len(row["cells"]) for row in overall["rows"])
    cells = rows_of("csv", client.get("/api/v1/releases/7.0/matrix?format=csv").data)
    matrix = client.get("/api/v1/releases/7.0/matrix").json
    columns = [column["value"] for column in matrix["columns"]]
    assert [(cell["module"], cell["column"], cell["state"], int(cell["failed"])) for cell in cells] == [
        (row["module"], column, cell["state"], cell["failed"])
        for row in matrix["rows"]
        for column, cell in zip(columns, row["cells"], strict=True)
    ]
    runs = f"base={names['first']}&candidate={names['run']}"
    for path in (f"/compare?{runs}", "/compare?base=7.0&candidate=8.0", f"/runs/{names['run']}/changes?"):
        classes = client.get(f"/api/v1{path}").json["classes"]
        tests = rows_of("parquet", client.get(f"/api/v1{path}&format=parquet").data)
        assert [(test["class"], test["key"], test["sentence"]) for test in tests] == [
            (name, row["key"], row["sentence"]) for name, rows in classes.items() for row in rows
        ]
        assert len(rows_of("csv", client.get(f"/api/v1{path}&format=csv&limit=1").data)) == sum(
            map(bool, classes.values())
        )
    assert rows_of("csv", client.get(f"/api/v1/runs/{names['first']}/changes?format=csv").data) == []


def test_a_formula_in_a_test_name_stays_a_text(client):
    answer = client.get("/api/v1/tests?q=HYPERLINK&format=csv")
    (row,) = rows_of("csv", answer.data)
    assert row["name"].startswith("'=HYPERLINK")
    (kept,) = rows_of("parquet", client.get("/api/v1/tests?q=HYPERLINK&format=parquet").data)
    assert kept["name"].startswith("=HYPERLINK")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20), min_size=1))
def test_no_csv_cell_begins_like_a_formula(texts):
    schema = pa.schema([("text", pa.string()), ("index", pa.int64())])
    rows = [{"text": text, "index": -index} for index, text in enumerate(texts)]
    body = b"".join(export.encode("csv", export.batches([rows], schema), schema))
    read = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert [int(row["index"]) for row in read] == [-index for index in range(len(texts))]
    for row, text in zip(read, texts, strict=True):
        assert row["text"] in (text, "'" + text)
        assert not row["text"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_long_export_comes_in_pieces_of_one_snapshot(world, serve):
    """More rows than one batch, read over a socket, while a commit changes what is exported."""
    shape = StoreShape(releases=1, modules=2, runs=1, tests=export.BATCH_ROWS)
    fill(world.store, shape)
    server = serve(world.store.settings.home)
    with served(server) as address:
        run = requests.get(f"{address}/api/v1/runs", timeout=60).json()["items"][0]["id"]
        url = f"{address}/api/v1/runs/{run}/results?format=csv&fields=test,status"
        with requests.get(url, stream=True, timeout=60) as answer:
            assert "Content-Length" not in answer.headers
            pieces = answer.iter_content(None)
            body = next(pieces)
            world.store.transact("test", "drop all", lambda cursor: cursor.execute("DELETE FROM results"))
            body += b"".join(pieces)
        assert len(body.splitlines()) == 1 + 2 * export.BATCH_ROWS
        assert len(set(body.splitlines())) == 1 + 2 * export.BATCH_ROWS
        assert requests.get(url, timeout=60).text.splitlines() == ['"test","status"']
