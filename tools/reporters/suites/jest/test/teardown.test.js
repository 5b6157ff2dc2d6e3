afterAll(() => {
  throw new Error("tear-down of the file failed");
});

test("teardown", () => {});
