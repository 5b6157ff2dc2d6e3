"""Whatever a SELECT gives is answered in every format: DuckDB has more types and values than JSON, Arrow or Parquet."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FORMS = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
FAR = ("infinity", "-infinity", "0044-01-01 (BC)", "0001-01-01", "9999-12-31", "290000-01-01", "2026-11-01")
VALUES = [
    *(f"DATE '{day}'" for day in FAR),
    *(f"'{day}'::{kind}" for kind in ("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_S", "TIMESTAMP_MS") for day in FAR),
    *("'2026-11-01 00:00:00.000000001'::TIMESTAMP_NS", "'infinity'::TIMESTAMP_NS"),
    *("TIME '24:00:00'", "TIME '00:00:00.000001'", "TIMETZ '10:00:00+15:59'", "'10:00:00'::TIME_NS"),
    *("INTERVAL 3 DAY", "INTERVAL '-178000000 years'", "INTERVAL '1 month 2 days 00:00:00.000003'"),
    *(f"'{number}'::HUGEINT" for number in (0, 2**63, -(2**127), 2**127 - 1)),
    *(f"{number}::{kind}" for number in (0, 2**64 - 1) for kind in ("UBIGINT", "UHUGEINT", "BIGNUM")),
    *("(-128)::TINYINT", "(-9223372036854775808)::BIGINT", f"{2**128 - 1}::UHUGEINT", f"{10**60}::BIGNUM"),
    *("0.1::DECIMAL(4,1)", "1.234567890123456789012345678901234567::DECIMAL(38,36)", f"{10**37}::DECIMAL(38,0)"),
    *("'nan'::DOUBLE", "'-infinity'::DOUBLE", "'inf'::FLOAT", "1e308", "5e-324", "-0.0::DOUBLE", "0.1::FLOAT"),
    *("''", "'\u00df \U0001f600'", "chr(0)", "chr(8238)", "'=1+1'", "' @x'", "'\"'", "'a\nb'"),
    *(r"'\x00\xFF'::BLOB", "''::BLOB", "'10101'::BIT", "uuid()", "true", "NULL", "random()", "now()"),
    *("'b'::ENUM('a', 'b')", "'{\"a\": [1e999, 1e-999, 123456789012345678901234567890]}'::JSON", "1::VARIANT"),
    *("row(1, 2)", "row(1)", "row(1, row('a', NULL))", "MAP {'a': 1}", "MAP {1.5: 'a', 2.5: 'b'}", "MAP {[1]: 2}"),
    *("union_value(k := 1)", "[1, 2]::INT[2]", "[]", "[NULL]", "{'a': 1, 'b': {'c': 'x'}}", "histogram(i)", "list(i)"),
    *("NULL::INTERVAL", "NULL::STRUCT(a DATE)", "sum(i)", "avg(i)", "max(i) + 0.5"),
]
AROUND = ["{0}", "{0}", "{0}", "[{0}]", "[[{0}], NULL]", "row({0}, {0})", "{{'a': {0}}}", "MAP {{{0}: {0}}}"]
CELLS = st.builds(lambda around, value: around.format(value), st.sampled_from(AROUND), st.sampled_from(VALUES))
NAMES = st.sampled_from(["a", "A", "a_1", "=x", " +y", "größe", 'q"uote', "line\nbreak", "\U0001f600", "x,y"])


@pytest.fixture(scope="module")
def ask(server):
    def post(sql: str, form: str = "json"):
        return server.test_client().post("/api/v1/sql", json={"sql": sql}, headers={"Accept": FORMS[form]})

    return post


def read(answer, form: str) -> tuple[list[str], int]:
    """Names and number of rows of an answer, as a strict reader finds them."""
    if form == "json":
        found = json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        return [column["name"] for column in found["columns"]], len(found["rows"])
    if form == "csv":
        names, *rows = csv.reader(io.StringIO(answer.get_data(as_text=True), newline=""))
        assert {len(row) or 1 for row in rows} == {len(names)}  # a single column's null is an empty line
        return names, len(rows)
    table = pa.ipc.open_stream(answer.data).read_all() if form == "arrow" else pq.read_table(io.BytesIO(answer.data))
    table.validate(full=False)
    return table.column_names, table.num_rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, NAMES), min_size=1, max_size=4), st.sampled_from(sorted(FORMS)))
def test_every_value_of_every_type_is_answered_in_every_format(ask, columns, form):
    """200 with every column and row, or 400 with DuckDB's own reason, such as a value that it does not cast."""
    named = ", ".join(f"""{cell} AS "{name.replace('"', '""')}\"""" for cell, name in columns)
    answer = ask(f"SELECT {named} FROM range(2) t(i)", form)
    if answer.status_code == 400:
        assert answer.json["parameter"] == "sql" and "rror" in answer.json["detail"], answer.text
        return
    assert (answer.status_code, answer.mimetype) == (200, FORMS[form]), answer.text
    names, rows = read(answer, form)
    assert len(names) == len(columns) == len(set(names)) and rows in (1, 2)


@pytest.mark.parametrize("form", FORMS)
def test_all_values_side_by_side_are_answered(ask, form):
    columns = ", ".join(f"{value} AS x{index}" for index, value in enumerate(VALUES))
    answer = ask(f"SELECT {columns} FROM range(2) t(i)", form)
    assert (answer.status_code, answer.mimetype) == (200, FORMS[form]), answer.text
    assert read(answer, form) == ([f"x{index}" for index in range(len(VALUES))], 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("TIMESTAMP '2026-11-01 12:00'", "2026-11-01T12:00:00Z"),
        ("TIMESTAMPTZ '2026-11-01 12:00:00.25+02'", "2026-11-01T10:00:00.25Z"),
        ("TIMESTAMP '290000-01-01'", "290000-01-01 00:00:00"),
        ("TIMESTAMPTZ 'infinity'", "infinity"),
        ("DATE '0044-01-01 (BC)'", "0044-01-01 (BC)"),
        ("TIME '24:00'", "24:00:00"),
        ("TIMETZ '10:00:00+02'", "10:00:00+02"),
        ("INTERVAL '1 month 3 days'", "1 month 3 days"),
        ("'101'::BIT", "101"),
        (r"'\xFFa'::BLOB", "ff61"),
        ("1.234567890123456789::DECIMAL(38, 18)", "1.234567890123456789"),
    ],
)
def test_texts_are_the_same_in_json_and_csv(ask, value, text):
    assert ask(f"SELECT {value} AS x").json["rows"] == [[text]]
    assert ask(f"SELECT {value} AS x", "csv").text.splitlines()[1].strip('"') == text


def test_no_cell_or_name_of_a_csv_is_a_formula_and_numbers_stay(ask):
    names = " =a", "+b", "@c", "\u00a0-d"
    cells = "' =1+1'", "chr(9) || '=1'", "'-cmd'", "'\u3000\uff1d1'", "-5::HUGEINT", "-1.5::DECIMAL(9, 2)", "'-1e5'"
    columns = [f'{cell} AS "{name}"' for cell, name in zip(cells, [*names, *"efg"], strict=True)]
    found = list(csv.reader(io.StringIO(ask(f"SELECT {', '.join(columns)}", "csv").get_data(as_text=True))))
    assert [name[0] for name in found[0][:4]] == ["'"] * 4 and [cell[0] for cell in found[1][:4]] == ["'"] * 4
    assert found[1][4:] == ["-5", "-1.50", "-1e5"]


def test_numbers_are_exact_or_texts(ask):
    sql = "SELECT 1.5::DECIMAL(38, 2), 2.00::DECIMAL(9, 2), 9007199254740993.1::DECIMAL(20, 1), 'nan'::DOUBLE"
    (row,) = ask(sql).json["rows"]
    assert row == [1.5, 2, "9007199254740993.1", None]
    (row,) = ask("SELECT [9223372036854775808::HUGEINT, 7], row(1, 'a'), {'x': 'inf'::DOUBLE}").json["rows"]
    assert row == [["9223372036854775808", 7], [1, "a"], {"x": None}]


def test_columns_keep_their_types_where_the_format_has_them(ask):
    sql = "SELECT now() AS zoned, TIMESTAMP '2026-11-01' AS plain, 1.5::DECIMAL(9, 2) AS exact, INTERVAL 1 DAY AS span"
    schema = pq.read_schema(io.BytesIO(ask(sql, "parquet").data))
    assert schema.field("zoned").type.tz and schema.field("plain").type.tz is None
    assert [schema.field(name).type for name in ("exact", "span")] == [pa.decimal128(9, 2), pa.string()]
    table = pq.read_table(io.BytesIO(ask(sql, "parquet").data))
    assert abs(table["zoned"][0].as_py() - datetime.now(UTC)).total_seconds() < 600


@pytest.mark.parametrize("form", FORMS)
def test_columns_of_one_name_are_distinguished(ask, form):
    assert len(set(read(ask("SELECT 1 AS a, 2 AS a, 3 AS A", form), form)[0])) == 3


@pytest.mark.parametrize("form", FORMS)
def test_the_requested_order_stays(ask, form):
    answer = ask("SELECT i, i * INTERVAL 1 DAY AS span FROM range(5000) t(i) ORDER BY hash(i)", form)
    plain = [row[0] for row in ask("SELECT i FROM range(5000) t(i) ORDER BY hash(i)").json["rows"]]
    if form == "json":
        found = [row[0] for row in answer.json["rows"]]
    elif form == "csv":
        found = [int(row[0]) for row in list(csv.reader(io.StringIO(answer.text)))[1:]]
    else:
        data = io.BytesIO(answer.data)
        table = pq.read_table(data) if form == "parquet" else pa.ipc.open_stream(data).read_all()
        found = table["i"].to_pylist()
    assert found[:1000] == plain
