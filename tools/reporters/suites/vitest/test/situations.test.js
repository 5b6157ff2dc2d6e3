import fs from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

describe("situations", () => {
  test('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  test("pass", () => {});
  test("fail", () => expect(1).toBe(2));
  test("error", () => undefined.missing);
  test.skip("skip", () => {});
  for (const number of [1, 2]) test("twin", () => expect(number).toBe(2));
  test("timeout", () => new Promise(() => {}), 100);
  let calls = 0;
  test("retry", { retry: 1 }, () => expect(++calls).toBe(2));
});

describe("broken set-up", () => {
  beforeAll(() => {
    throw new Error("set-up failed");
  });
  test("setup", () => {});
});

describe("broken tear-down", () => {
  afterEach(() => {
    throw new Error("tear-down failed");
  });
  test("teardown", () => {});
});

describe("broken last tear-down", () => {
  afterAll(() => {
    throw new Error("tear-down of the suite failed");
  });
  test("teardown", () => {});
});
