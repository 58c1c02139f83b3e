// What a graded suite has been told by the grader, and what it tells back.
//
// A suite's main() forks one process per test, so that nothing that a
// learner's program does to a test can reach another one. Inside such a
// process the test is an ordinary GoogleTest test.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "workshop/grader/v1/grader.pb.h"

namespace workshop::testing {

// How long a test waits before it says TIMEOUT.
inline constexpr std::chrono::seconds kStartLimit{10};  // for the ready line
inline constexpr std::chrono::seconds kCallLimit{5};    // for an answer
inline constexpr std::chrono::seconds kTestLimit{30};   // for the whole test

// How much memory a learner's program may have, in bytes.
inline constexpr std::size_t kMemoryLimit = std::size_t{2} << 30;

// What the grader has told this suite.
struct SuiteSettings {
  // The learner's programs that could be built, by name: {"server", PATH}.
  std::map<std::string, std::string> programs;
  // Where random inputs begin.
  std::uint64_t seed = 0;
  // Whether somebody reads along what the programs print.
  bool echo = false;
  // How often longer than usual everything may take.
  int patience = 1;
  // With programs that a sanitizer was built into: the workshop's folder, and
  // in it the one with their sources. Else both are empty.
  std::string sanitized_root;
  std::string sanitized_sources;
};

const SuiteSettings& Settings();

// Says that tests ("Task1_Upload.UsesLittleMemory"), or all of a GoogleTest
// suite ("Task3_ManyMembers"), take much more of the machine than others. They
// run last where half of all tests may be enough: to prove a mutant. For a
// variable of a suite's file; the value means nothing.
bool TakeMuch(std::set<std::string> names);

// What a wait may take: `limit`, times patience, the first two times that a
// program is too slow, and a fifth of it once that has happened in this run of
// the suite, since a program that never answers would otherwise cost its limit
// in every test.
std::chrono::milliseconds Patience(std::chrono::milliseconds limit);

// Says that a wait took longer than Patience() allowed.
void LosePatience();

// The report of the test that runs now. Whoever finds out why it fails writes
// it here.
workshop::grader::v1::TestReport& CurrentReport();

}  // namespace workshop::testing
