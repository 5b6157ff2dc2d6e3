const assert = require("node:assert");
const fs = require("node:fs");

describe("situations", () => {
  it('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  it("pass", () => {});
  it("fail", () => assert.equal(1, 2));
  it("error", () => undefined.missing);
  it.skip("skip", () => {});
  for (const number of [1, 2]) it("twin", () => assert.equal(number, 2));
  it("timeout", function () {
    this.timeout(100);
    return new Promise(() => {});
  });
  let calls = 0;
  it("retry", function () {
    this.retries(1);
    assert.equal(++calls, 2);
  });
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
