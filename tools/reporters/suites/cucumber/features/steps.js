const assert = require("node:assert");
const fs = require("node:fs");
const { After, Before, Then, setDefaultTimeout } = require("@cucumber/cucumber");

setDefaultTimeout(300);
let calls = 0;

Before({ tags: "@broken_setup" }, () => {
  throw new Error("set-up failed");
});
After({ tags: "@broken_teardown" }, () => {
  throw new Error("tear-down failed");
});
Then("it fails with hostile text", () => {
  throw new Error(fs.readFileSync("hostile.txt", "utf8"));
});
Then("it passes", () => {});
Then("it fails", () => assert.equal(1, 2));
Then("it raises an error", () => undefined.missing);
Then("it is skipped", () => "skipped");
Then("it fails the first time", () => assert.equal(++calls, 2));
Then("{int} is 2", (number) => assert.equal(number, 2));
Then("it never ends", () => new Promise(() => {}));
