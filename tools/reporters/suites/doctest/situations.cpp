#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <doctest/doctest.h>

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
TEST_CASE("skip" * doctest::skip()) { CHECK(false); }
TEST_CASE("twins") {
  int number = 0;
  SUBCASE("first") { number = 1; }
  SUBCASE("second") { number = 2; }
  CHECK(number == 2);
}

struct BrokenSetUp {
  BrokenSetUp() { throw std::runtime_error("set-up failed"); }
};
TEST_CASE_FIXTURE(BrokenSetUp, "setup") { CHECK(true); }
