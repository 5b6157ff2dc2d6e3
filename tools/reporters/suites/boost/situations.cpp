#define BOOST_TEST_MODULE shop
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <boost/test/data/test_case.hpp>
#include <boost/test/included/unit_test.hpp>

namespace utf = boost::unit_test;

static std::string hostile() {
  std::ifstream file("hostile.txt");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct BrokenSetUp {
  BrokenSetUp() { throw std::runtime_error("set-up failed"); }
};

struct BrokenTearDown {
  void teardown() { throw std::runtime_error("tear-down failed"); }
};

BOOST_AUTO_TEST_SUITE(situations)
BOOST_AUTO_TEST_CASE(hostile_text) { BOOST_FAIL(hostile()); }
BOOST_AUTO_TEST_CASE(pass) { BOOST_TEST(true); }
BOOST_AUTO_TEST_CASE(fail) { BOOST_TEST(1 == 2); }
BOOST_AUTO_TEST_CASE(error) { throw std::runtime_error("not an assertion"); }
BOOST_AUTO_TEST_CASE(skip, *utf::disabled()) { BOOST_TEST(false); }
BOOST_DATA_TEST_CASE(twins, utf::data::make({1, 2}), number) { BOOST_TEST(number == 2); }
BOOST_FIXTURE_TEST_CASE(setup, BrokenSetUp) {}
BOOST_FIXTURE_TEST_CASE(teardown, BrokenTearDown) { BOOST_TEST(true); }
BOOST_AUTO_TEST_CASE(timeout, *utf::timeout(1)) {
  for (int step = 0; step < 30; ++step) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}
BOOST_AUTO_TEST_SUITE_END()
