// Reads the reports that the sanitizers really write about the mistakes in
// tests/sanitized/mistakes.cc, each of which WORKSHOP_MISTAKES is told to make.

#include "tests/support/sanitizer_report.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <ostream>
#include <string>

#include "tests/support/process.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kSources[] = "tests/sanitized";

struct Mistake {
  std::string sanitizer;  // with which it is built
  std::string name;       // what mistakes.cc calls it
  std::string kind;       // what it must be recognised as
  std::string function;   // where
  std::string says;       // a part of what the learner reads
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.sanitizer << ": " << mistake.name;
}

class SanitizerReportTest : public ::testing::TestWithParam<Mistake> {};

TEST_P(SanitizerReportTest, NamesTheMistakeAndItsPlace) {
  const Mistake& mistake = GetParam();
  const TempDir reports;
  Process::Options options;
  options.environment =
      SanitizerEnvironment(WORKSHOP_SOURCE_DIR, reports.path());
  options.environment["ASAN_OPTIONS"] += ":hard_rss_limit_mb=128";
  Process program(
      {WORKSHOP_BUILD_DIR "/tests/sanitized/" + mistake.sanitizer + "/mistakes",
       mistake.name},
      options);
  ASSERT_TRUE(program.WaitForExit(std::chrono::seconds(50)));
  const auto found = FindSanitizerReport(reports.path(), kSources);
  ASSERT_TRUE(found) << program.Stderr();
  EXPECT_EQ(found->program, "mistakes");
  const SanitizerReport& report = found->report;
  EXPECT_EQ(report.kind, mistake.kind);
  EXPECT_NE(report.cause.find(mistake.says), std::string::npos) << report.cause;
  if (mistake.function.empty()) return;
  EXPECT_TRUE(report.where.starts_with("tests/sanitized/mistakes.cc:"))
      << report.where;
  EXPECT_TRUE(report.where.ends_with(", in " + mistake.function))
      << report.where;
  EXPECT_NE(report.excerpt.find(report.where), std::string::npos)
      << report.excerpt;
  // No addresses, and nothing of the standard library's.
  EXPECT_EQ(report.excerpt.find("include/c++"), std::string::npos)
      << report.excerpt;
}

INSTANTIATE_TEST_SUITE_P(
    All, SanitizerReportTest,
    ::testing::Values(
        Mistake{"address", "heap-use-after-free", "heap-use-after-free",
                "HeapUseAfterFree", "freed already"},
        Mistake{"address", "heap-buffer-overflow", "heap-buffer-overflow",
                "HeapBufferOverflow", "beyond the end"},
        Mistake{"address", "stack-buffer-overflow", "stack-buffer-overflow",
                "StackBufferOverflow", "local array"},
        Mistake{"address", "global-buffer-overflow", "global-buffer-overflow",
                "GlobalBufferOverflow", "static array"},
        Mistake{"address", "stack-use-after-scope", "stack-use-after-scope",
                "StackUseAfterScope", "end of the block"},
        Mistake{"address", "stack-use-after-return", "stack-use-after-return",
                "StackUseAfterReturn", "has returned"},
        Mistake{"address", "double-free", "double-free", "DoubleFree",
                "freed twice"},
        Mistake{"address", "bad-free",
                "attempting free on address which was not malloc()-ed",
                "FreeOfWhatWasNotAllocated", "never allocated"},
        Mistake{"address", "alloc-dealloc-mismatch", "alloc-dealloc-mismatch",
                "AllocDeallocMismatch", "delete[]"},
        Mistake{"address", "negative-size", "negative-size-param",
                "NegativeSize", "negative"},
        Mistake{"address", "overlapping-memcpy", "param-overlap",
                "OverlappingMemcpy", "overlap"},
        Mistake{"address", "too-much-memory", "exceeds maximum supported size",
                "TooMuchMemory", "absurd"},
        Mistake{"address", "memory-without-end", "rss limit exhausted", "",
                "without end"},
        Mistake{"address", "stack-overflow", "stack-overflow", "Recurse",
                "calls itself"},
        Mistake{"address", "null-pointer", "SEGV on unknown address",
                "NullPointer", "null"},
        Mistake{"address", "leak", "detected memory leaks", "Leak",
                "never freed"},
        Mistake{"undefined", "signed-integer-overflow",
                "signed integer overflow", "SignedIntegerOverflow",
                "does not fit"},
        Mistake{"undefined", "division-by-zero", "division by zero",
                "DivisionByZero", "divisor"},
        Mistake{"undefined", "shift-too-far", "shift exponent", "ShiftTooFar",
                "more bits"},
        Mistake{"undefined", "index-out-of-bounds", "out of bounds for type",
                "IndexOutOfBounds", "index"},
        Mistake{"undefined", "member-of-null", "null pointer of type",
                "MemberOfNull", "null"},
        Mistake{"undefined", "null-pointer", "null pointer of type",
                "NullPointer", "null"},
        Mistake{"undefined", "invalid-bool", "is not a valid value for type",
                "InvalidBool", "never set"},
        Mistake{"undefined", "missing-return", "without returning a value",
                "Returnless", "return"},
        Mistake{"undefined", "misaligned-pointer", "misaligned address",
                "MisalignedPointer", "another type"},
        Mistake{"undefined", "wrong-type",
                "does not point to an object of type", "WrongType",
                "another class"},
        Mistake{"undefined", "null-to-memcpy", "declared to never be null",
                "NullToMemcpy", "null"},
        Mistake{"thread", "data-race", "data race", "DataRace", "mutex"},
        Mistake{"thread", "lock-order-inversion", "lock-order-inversion",
                "LockOrderInversion", "same order"},
        Mistake{"thread", "unlock-of-an-unlocked-mutex",
                "unlock of an unlocked mutex", "UnlockOfAnUnlockedMutex",
                "lock_guard"},
        Mistake{"thread", "heap-use-after-free", "heap-use-after-free",
                "HeapUseAfterFree", "freed already"}),
    [](const auto& info) {
      std::string name = info.param.sanitizer + "_" + info.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

TEST(SanitizerReportTest, TellsWhatHappenedToTheMemory) {
  const TempDir reports;
  Process::Options options;
  options.environment =
      SanitizerEnvironment(WORKSHOP_SOURCE_DIR, reports.path());
  Process program({WORKSHOP_BUILD_DIR "/tests/sanitized/address/mistakes",
                   "heap-use-after-free"},
                  options);
  ASSERT_TRUE(program.WaitForExit(std::chrono::seconds(50)));
  const auto found = FindSanitizerReport(reports.path(), kSources);
  ASSERT_TRUE(found);
  const std::string& excerpt = found->report.excerpt;
  const std::size_t used = excerpt.find("READ of size 4");
  const std::size_t freed = excerpt.find("freed by thread T0 here:");
  const std::size_t allocated = excerpt.find("previously allocated");
  EXPECT_LT(used, freed) << excerpt;
  EXPECT_LT(freed, allocated) << excerpt;
  EXPECT_NE(allocated, std::string::npos) << excerpt;
}

TEST(SanitizerReportTest, SkipsRacesInWhichNothingIsTheLearners) {
  const std::string lines =
      "WARNING: ThreadSanitizer: data race (pid=1)\n"
      "  Write of size 8 at 0x7b by thread T1:\n"
      "    # <null> in memmove\n"
      "\n"
      "  Thread T1 (tid=1, running) created by main thread at:\n"
      "    # tests/sanitized/a.cc:1:1 in main\n";
  EXPECT_FALSE(ParseSanitizerReport(lines, kSources));
  const auto report =
      ParseSanitizerReport(lines +
                               "WARNING: ThreadSanitizer: data race (pid=1)\n"
                               "  Write of size 8 at 0x7b by thread T1:\n"
                               "    # tests/sanitized/a.cc:7:1 in (anonymous "
                               "namespace)::Chat::Send(int)\n",
                           kSources);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->where, "tests/sanitized/a.cc:7, in Send");
}

TEST(SanitizerReportTest, FindsNothingWhereNothingIs) {
  const TempDir reports;
  EXPECT_FALSE(FindSanitizerReport(reports.path(), kSources));
  EXPECT_FALSE(ParseSanitizerReport("listening on 127.0.0.1:1\n", kSources));
}

}  // namespace
}  // namespace workshop::testing
