// What exercises/05_write_the_tests/README.md promises, one test per promise.
#include <gtest/gtest.h>
TEST(Task1_MoneyMoves, X) {}
