const fs = require("node:fs");

const sleep = () => new Promise(() => {});

describe("situations", () => {
  test('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  test("pass", () => {});
  test("fail", () => expect(1).toBe(2));
  test("error", () => undefined.missing);
  test.skip("skip", () => {});
  test.each([1, 2])("twin", (number) => expect(number).toBe(2));
  test("timeout", sleep, 100);
});

describe("retried", () => {
  jest.retryTimes(1);
  let calls = 0;
  test("retry", () => expect(++calls).toBe(2));
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
