const fs = require("node:fs");
const test = require("tape");

test('hostile <b>&"]]> 😀 #1', (t) => {
  t.equal(fs.readFileSync("hostile.txt", "utf8"), "", "is empty");
  t.end();
});
test("pass", (t) => {
  t.ok(true, "is true");
  t.end();
});
test("fail", (t) => {
  t.equal(1, 2, "is two");
  t.end();
});
test.skip("skip", (t) => t.end());
for (const number of [1, 2]) {
  test("twin", (t) => {
    t.equal(number, 2, "is two");
    t.end();
  });
}
test("timeout", { timeout: 100 }, () => {});
