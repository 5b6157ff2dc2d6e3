import assert from "node:assert/strict";
import { test } from "node:test";
import { gridHeads, gridMarkup } from "../../../assets/grid-markup.js";
import { page } from "./page.mjs";

page("/grid?release=7.0&case=x&topology=t1");
const RUN = (number, version, environment = "prod") => [
  `r${number}`,
  number,
  "2026-11-01T00:00:00Z",
  environment,
  version,
  "ok",
];

test("names and versions are text, never markup", () => {
  const data = {
    runs: [RUN(1, '<img src=x onerror="alert(1)">')],
    tests: [["t1", "<script>", "f::c::<script>", "", ["flaky"], ""]],
  };
  const markup = gridMarkup(data, 24, "");
  assert.ok(!markup.includes("<script>") && !markup.includes("<img"));
  assert.ok(markup.includes("&lt;script&gt;"));
});

test("neighbours of one version share a label; environments are shown only where they differ", () => {
  const same = gridHeads({ runs: [RUN(2, "7.0.0.2"), RUN(1, "7.0.0.2")] }, 24);
  assert.equal(same.match(/title="7\.0\.0\.2"/g).length, 1);
  assert.ok(!same.includes('title="prod"'));
  const mixed = gridHeads({ runs: [RUN(2, "7.0.0.2", "staging"), RUN(1, "7.0.0.2")] }, 24);
  assert.ok(mixed.includes('title="prod"') && mixed.includes('title="staging"'));
});

test("a run's link keeps the scope and drops what belongs to the grid", () => {
  assert.ok(gridHeads({ runs: [RUN(1, "7")] }, 24).includes('href="/runs/r1?release=7.0"'));
});
