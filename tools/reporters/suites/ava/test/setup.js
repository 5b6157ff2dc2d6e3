const test = require("ava");

test.before(() => {
  throw new Error("set-up failed");
});
test("setup", (t) => t.pass());
