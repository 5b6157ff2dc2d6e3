const fs = require("node:fs");

QUnit.module("situations", () => {
  QUnit.test('hostile <b>&"]]> 😀 #1', () => {
    throw new Error(fs.readFileSync("hostile.txt", "utf8"));
  });
  QUnit.test("pass", (assert) => assert.ok(true));
  QUnit.test("fail", (assert) => assert.equal(1, 2));
  QUnit.test("error", () => undefined.missing);
  QUnit.test.skip("skip", () => {});
  QUnit.test.todo("todo", (assert) => assert.equal(1, 2));
  QUnit.test("twin 1", (assert) => assert.equal(1, 2));
  QUnit.test("twin 2", (assert) => assert.equal(2, 2));
  QUnit.test("timeout", (assert) => {
    assert.timeout(100);
    assert.async();
  });
});

QUnit.module("broken set-up", (hooks) => {
  hooks.beforeEach(() => {
    throw new Error("set-up failed");
  });
  QUnit.test("setup", (assert) => assert.ok(true));
});

QUnit.module("broken tear-down", (hooks) => {
  hooks.afterEach(() => {
    throw new Error("tear-down failed");
  });
  QUnit.test("teardown", (assert) => assert.ok(true));
});
