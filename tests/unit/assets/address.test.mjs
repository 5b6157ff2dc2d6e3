import assert from "node:assert/strict";
import { test } from "node:test";
import { changedAddress, inScope } from "../../../assets/address.js";
import { page } from "./page.mjs";

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

test("a link to another screen keeps the scope and nothing else", () => {
  page("/grid?release=7.0&q=a&topology=t%201&as_of=#x");
  assert.equal(inScope("/trends"), "/trends?release=7.0&topology=t+1&as_of=");
  assert.equal(inScope("/runs/1", ["topology", "as_of"]), "/runs/1?release=7.0");
  page("/grid?q=a");
  assert.equal(inScope("/trends"), "/trends");
});
