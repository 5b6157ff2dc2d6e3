#include <fstream>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

static std::string hostile() {
  std::ifstream file("hostile.txt");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Situations, Hostile) { FAIL() << hostile(); }
TEST(Situations, Pass) {}
TEST(Situations, Fail) { EXPECT_EQ(1, 2); }
TEST(Situations, Error) { throw std::runtime_error("not an assertion"); }
TEST(Situations, Skip) { GTEST_SKIP() << "not on this machine"; }
TEST(Situations, DISABLED_Skip) { FAIL(); }

class Twins : public testing::TestWithParam<int> {};
TEST_P(Twins, IsTwo) { EXPECT_EQ(GetParam(), 2); }
INSTANTIATE_TEST_SUITE_P(Numbers, Twins, testing::Values(1, 2));

class BrokenSetUp : public testing::Test {
  void SetUp() override { FAIL() << "set-up failed"; }
};
TEST_F(BrokenSetUp, Setup) {}

class BrokenTearDown : public testing::Test {
  void TearDown() override { FAIL() << "tear-down failed"; }
};
TEST_F(BrokenTearDown, Teardown) {}

class BrokenSuite : public testing::Test {
 protected:
  static void SetUpTestSuite() { FAIL() << "set-up of the suite failed"; }
};
TEST_F(BrokenSuite, Setup) {}

class BrokenLastTearDown : public testing::Test {
 protected:
  static void TearDownTestSuite() { FAIL() << "tear-down of the suite failed"; }
};
TEST_F(BrokenLastTearDown, Teardown) {}
