const test = require("ava");

test.afterEach(() => {
  throw new Error("tear-down failed");
});
test("teardown", (t) => t.pass());
