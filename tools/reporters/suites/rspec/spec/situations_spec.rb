require "timeout"

RSpec.describe "situations" do
  it('hostile <b>&"]]> 😀 #1') { raise File.read("hostile.txt", encoding: "UTF-8") }
  it("pass") { expect(1).to eq 1 }
  it("fail") { expect(1).to eq 2 }
  it("error") { raise "not an assertion" }
  it("skip") { skip "not on this machine" }
  [1, 2].each { |number| it("twin") { expect(number).to eq 2 } }
  it("timeout") { Timeout.timeout(0.2) { sleep 30 } }

  context "with a broken set-up" do
    before { raise "set-up failed" }
    it("setup") { expect(1).to eq 1 }
  end

  context "with a broken tear-down" do
    after { raise "tear-down failed" }
    it("teardown") { expect(1).to eq 1 }
  end
end
