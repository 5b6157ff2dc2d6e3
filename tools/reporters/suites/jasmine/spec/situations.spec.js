const fs = require("node:fs");
const { JUnitXmlReporter } = require("jasmine-reporters");

jasmine.getEnv().addReporter(new JUnitXmlReporter({ savePath: ".", filePrefix: "report", consolidateAll: true }));

describe("situations", () => {
  it('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  it("pass", () => expect(1).toBe(1));
  it("fail", () => expect(1).toBe(2));
  it("error", () => undefined.missing);
  xit("skip", () => {});
  for (const number of [1, 2]) it(`twin ${number}`, () => expect(number).toBe(2));
  it("timeout", () => new Promise(() => {}), 100);
});

describe("broken set-up", () => {
  beforeAll(() => {
    throw new Error("set-up failed");
  });
  it("setup", () => expect(1).toBe(1));
});

describe("broken tear-down", () => {
  afterEach(() => {
    throw new Error("tear-down failed");
  });
  it("teardown", () => expect(1).toBe(1));
});

describe("broken last tear-down", () => {
  afterAll(() => {
    throw new Error("tear-down of the suite failed");
  });
  it("teardown", () => expect(1).toBe(1));
});
