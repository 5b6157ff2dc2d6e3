import assert from "node:assert/strict";
import { test } from "node:test";
import { chartTicks } from "../../../assets/chart-ticks.js";

const DAY = 24 * 3600e3;
const START = Date.UTC(2026, 10, 1, 12);
const runs = (count, apart) => Array.from({ length: count }, (_, i) => new Date(START + i * apart).toISOString());

test("no run, no label", () => {
  assert.deepEqual(chartTicks([], 12).tickvals, []);
});

test("few days are all labelled, at their first run", () => {
  const { tickvals, ticktext } = chartTicks(runs(6, DAY / 2), 12);
  assert.deepEqual(
    ticktext.filter((text) => /\D/.test(text)).length,
    ticktext.length,
    "a label is a day or an hour, never a bare number",
  );
  assert.equal(tickvals[0], 0);
  assert.equal(tickvals.length, ticktext.length);
});

for (const [count, most] of [
  [100, 12],
  [300, 4],
  [37, 12],
]) {
  test(`${count} runs have about ${most} labels, in order, the newest day among them`, () => {
    const { tickvals } = chartTicks(runs(count, DAY), most);
    assert.ok(tickvals.length <= most + 1, `${tickvals.length} labels`);
    assert.deepEqual(
      tickvals,
      [...tickvals].sort((a, b) => a - b),
    );
    assert.equal(tickvals.at(-1), count - 1);
  });
}
