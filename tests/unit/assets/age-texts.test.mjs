import assert from "node:assert/strict";
import { test } from "node:test";
import { ageTexts } from "../../../assets/age-texts.js";

const texts = (state, behind_s) => ageTexts({ state, behind_s });

test("live data is live", () => {
  assert.deepEqual(texts("live", null), { dot: "live", bar: "" });
});

test("late data says how late, in whole minutes, hours or days", () => {
  assert.equal(texts("late", 720).dot, "12 min behind");
  assert.equal(texts("late", 3 * 3600).dot, "3 h behind");
  assert.equal(texts("late", 3 * 86400).dot, "3 days behind");
  assert.equal(texts("late", 5).dot, "1 min behind");
  assert.equal(texts("late", null).dot, "not polled yet");
});

test("a stopped ingestion is a bar on every screen", () => {
  assert.deepEqual(texts("stopped", 1380), {
    dot: "stopped",
    bar: "No new data for 23 min: ingestion is not running.",
  });
  assert.equal(texts("stopped", null).bar, "No data yet: ingestion is not running.");
});

test("a store that only imports fill has no age", () => {
  assert.deepEqual(texts("unwatched", null), { dot: "", bar: "" });
});
