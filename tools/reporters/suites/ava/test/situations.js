const fs = require("node:fs");
const test = require("ava");

test('hostile <b>&"]]> 😀 #1', () => {
  throw new Error(fs.readFileSync("hostile.txt", "utf8"));
});
test("pass", (t) => t.pass());
test("fail", (t) => t.is(1, 2));
test("error", () => undefined.missing);
test.skip("skip", (t) => t.pass());
test("twin 1", (t) => t.is(1, 2));
test("twin 2", (t) => t.is(2, 2));
