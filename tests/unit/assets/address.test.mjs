import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { changedAddress } = load(["address.js"]);
const HREF = "http://tracker.example:8050/runs/latest?release=7.0&module=routing#top";

test("a value is set, an empty one removes its parameter", () => {
  assert.equal(changedAddress(HREF, { release: "8.0", module: "" }), "/runs/latest?release=8.0");
  assert.equal(changedAddress(HREF, { release: null, module: undefined }), "/runs/latest");
});

test("other parameters stay, the fragment and the origin go", () => {
  assert.equal(changedAddress(HREF, { q: "a b&c" }), "/runs/latest?release=7.0&module=routing&q=a+b%26c");
});

test("the path is replaced where one is given", () => {
  assert.equal(changedAddress(HREF, {}, "/grid"), "/grid?release=7.0&module=routing");
});
