describe("situations", function()
  it('hostile <b>&"]]> 😀 #1', function()
    error(io.open("hostile.txt"):read("*a"))
  end)
  it("pass", function() assert.is_true(true) end)
  it("fail", function() assert.are.equal(1, 2) end)
  it("error", function() local missing = nil; return missing.field end)
  pending("skip", function() end)
  for _, number in ipairs({ 1, 2 }) do
    it("twin", function() assert.are.equal(2, number) end)
  end

  describe("with a broken set-up", function()
    before_each(function() error("set-up failed") end)
    it("setup", function() end)
  end)

  describe("with a broken tear-down", function()
    after_each(function() error("tear-down failed") end)
    it("teardown", function() end)
  end)
end)
