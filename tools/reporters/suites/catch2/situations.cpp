#define CATCH_CONFIG_MAIN
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <catch2/catch.hpp>

static std::string hostile() {
  std::ifstream file("hostile.txt");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("hostile <b>&\"]]> 😀 #1") { FAIL(hostile()); }
TEST_CASE("pass") { CHECK(true); }
TEST_CASE("fail") { CHECK(1 == 2); }
TEST_CASE("error") { throw std::runtime_error("not an assertion"); }
TEST_CASE("twins") {
  const int number = GENERATE(1, 2);
  SECTION("is two") { CHECK(number == 2); }
}

struct BrokenSetUp {
  BrokenSetUp() { throw std::runtime_error("set-up failed"); }
};
TEST_CASE_METHOD(BrokenSetUp, "setup") { CHECK(true); }

struct BrokenTearDown {
  ~BrokenTearDown() noexcept(false) { throw std::runtime_error("tear-down failed"); }
};
TEST_CASE_METHOD(BrokenTearDown, "teardown") { CHECK(true); }
