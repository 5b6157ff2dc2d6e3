import assert from "node:assert/strict";
import { test } from "node:test";
import { axes, figure, hex, isId, isNumber, sortedRows } from "../../../assets/sql-answer.js";

const ANSWER = {
  columns: [
    { name: "started_at", type: "TIMESTAMP" },
    { name: "module", type: "VARCHAR" },
    { name: "failed", type: "BIGINT" },
    { name: "build", type: "BIGINT" },
  ],
  rows: [
    ["2026-11-02T00:00:00", "routing", 2, 7n],
    ["2026-11-01T00:00:00", "<b>vpn</b>", null, 8n],
    ["2026-11-03T00:00:00", "routing", 5, 9n],
  ],
};
const asked = (query) => new URLSearchParams(query);

test("an id is a link's 16 digits and no number to draw", () => {
  assert.equal(hex(255n), "00000000000000ff");
  assert.ok(isId(ANSWER.columns[3]) && isNumber(ANSWER.columns[2]) && !isId(ANSWER.columns[2]));
});

test("rows are sorted both ways, null values last, the answer unchanged", () => {
  const column = (rows) => Array.from(rows, (row) => row[2]);
  assert.deepEqual(column(sortedRows(ANSWER.rows, { column: 2, down: false })), [2, 5, null]);
  assert.deepEqual(column(sortedRows(ANSWER.rows, { column: 2, down: true })), [5, 2, null]);
  assert.deepEqual(column(ANSWER.rows), [2, null, 5]);
});

test("axes: the first column against the first number, unless the address names others that exist", () => {
  assert.deepEqual(axes(ANSWER, asked("view=line")), { kind: "line", x: "started_at", y: "failed", series: "" });
  assert.deepEqual(axes(ANSWER, asked("x=module&series=module&y=nothing")), {
    kind: "bar",
    x: "module",
    y: "failed",
    series: "module",
  });
});

test("a chart over time is drawn in the order of time, markup of names is text", () => {
  const { figure: drawn, left } = figure(ANSWER, { kind: "line", x: "started_at", y: "failed", series: "module" });
  assert.equal(left, 0);
  const names = Array.from(drawn.data, (trace) => trace.name);
  assert.deepEqual(names, ["&lt;b>vpn&lt;/b>", "routing"]);
  assert.deepEqual(drawn.data[1].y, [2, 5]);
  assert.equal(drawn.layout.xaxis.type, "date");
});

test("more than twelve series are counted, not drawn", () => {
  const rows = Array.from({ length: 20 }, (_, i) => ["2026-11-01T00:00:00", `m${i}`, i, 1n]);
  const { figure: drawn, left } = figure(
    { ...ANSWER, rows },
    { kind: "bar", x: "started_at", y: "failed", series: "module" },
  );
  assert.equal(drawn.data.length, 12);
  assert.equal(left, 8);
});
