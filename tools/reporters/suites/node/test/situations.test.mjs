import assert from "node:assert";
import fs from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";

describe("situations", () => {
  it('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  it("pass", () => {});
  it("fail", () => assert.equal(1, 2));
  it("error", () => undefined.missing);
  it("skip", { skip: "not on this machine" }, () => {});
  it("todo", { todo: "not written yet" }, () => assert.equal(1, 2));
  for (const number of [1, 2]) it("twin", () => assert.equal(number, 2));
  it("timeout", { timeout: 100 }, () => new Promise((resolve) => setTimeout(resolve, 2000)));
});

describe("other situations", () => {
  it("pass", () => {});
});

describe("broken set-up", () => {
  before(() => {
    throw new Error("set-up failed");
  });
  it("setup", () => {});
});

describe("broken tear-down", () => {
  afterEach(() => {
    throw new Error("tear-down failed");
  });
  it("teardown", () => {});
});

describe("broken last tear-down", () => {
  after(() => {
    throw new Error("tear-down of the suite failed");
  });
  it("teardown", () => {});
});
