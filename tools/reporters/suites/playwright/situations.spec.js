const fs = require("node:fs");
const { expect, test } = require("@playwright/test");

test.describe("situations", () => {
  test('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  test("pass", () => {});
  test("fail", () => expect(1).toBe(2));
  test("error", () => undefined.missing);
  test.skip("skip", () => {});
  for (const number of [1, 2]) test(`twin ${number}`, () => expect(number).toBe(2));
  test("timeout", async () => {
    test.setTimeout(300);
    await new Promise(() => {});
  });
});

test.describe("retried", () => {
  test.describe.configure({ retries: 1 });
  test("retry", ({}, info) => expect(info.retry).toBe(1));
});

test.describe("broken set-up", () => {
  test.beforeAll(() => {
    throw new Error("set-up failed");
  });
  test("setup", () => {});
});

test.describe("broken tear-down", () => {
  test.afterEach(() => {
    throw new Error("tear-down failed");
  });
  test("teardown", () => {});
});
