#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace workshop::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLimit{30};

std::vector<std::string> Shell(const std::string& script) {
  return {"bash", "-c", script};
}

TEST(ProcessTest, ReportsStatusAndOutput) {
  Process process(Shell("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{7, 0}));
  EXPECT_EQ(process.Stdout(), "out\n");
  EXPECT_EQ(process.Stderr(), "err\n");
}

TEST(ProcessTest, ReportsTheSignal) {
  Process process(Shell("kill -SEGV $$"));
  const std::optional<Exit> exit = process.WaitForExit(kLimit);
  EXPECT_EQ(exit, (Exit{0, SIGSEGV}));
  EXPECT_EQ(Describe(*exit), "was killed by SIGSEGV (segmentation fault)");
}

TEST(ProcessTest, SaysWhatCannotBeStarted) {
  Process process({"/no/such/program"});
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{127, 0}));
  EXPECT_EQ(process.Stderr(), "/no/such/program: No such file or directory\n");
}

TEST(ProcessTest, GivesUpWaiting) {
  Process process(Shell("sleep 1000"));
  EXPECT_EQ(process.WaitForExit(milliseconds(50)), std::nullopt);
}

TEST(ProcessTest, WaitsForALine) {
  Process process(Shell("echo other; echo ready 7; sleep 1000"));
  EXPECT_EQ(process.WaitForLine("ready ", kLimit), "7");
  EXPECT_EQ(process.WaitForLine("never", milliseconds(50)), std::nullopt);
}

TEST(ProcessTest, StopsWaitingForALineWhenTheProgramEnds) {
  Process process(Shell("echo other"));
  EXPECT_EQ(process.WaitForLine("ready", kLimit), std::nullopt);
}

TEST(ProcessTest, KnowsHowMuchMemoryAProcessHad) {
  Process process(
      Shell("x=$(head -c 30000000 /dev/zero | tr '\\0' x); x=; echo ready; "
            "sleep 1000; :"));
  ASSERT_TRUE(process.WaitForLine("ready", kLimit));
  EXPECT_GT(PeakMemory(process.pid()), 30'000'000U);
  process.Kill();
  EXPECT_EQ(PeakMemory(process.pid()), 0U);
}

TEST(ProcessTest, WaitsForALog) {
  Process process(Shell("for i in 1 2; do echo call $i >&2; done; read"));
  EXPECT_TRUE(process.WaitForLog("call", kLimit, 2));
  EXPECT_FALSE(process.WaitForLog("call", kLimit, 3));  // it has ended
}

TEST(ProcessTest, PassesInput) {
  Process::Options options;
  options.input = std::string(1 << 20, 'x');
  Process process({"wc", "-c"}, options);
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_EQ(process.Stdout(), "1048576\n");
}

TEST(ProcessTest, SurvivesAProgramThatDoesNotReadItsInput) {
  Process::Options options;
  options.input = std::string(1 << 20, 'x');
  Process process(Shell("exec <&-; echo closed; sleep 0.1"), options);
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_EQ(process.Stdout(), "closed\n");
}

TEST(ProcessTest, PassesInputWhileTheProgramRuns) {
  Process::Options options;
  options.input = "first\n";
  options.keep_stdin_open = true;
  Process process({"cat"}, options);
  EXPECT_EQ(process.WaitForLine("first", kLimit), "");
  process.Write("second\n");
  EXPECT_EQ(process.WaitForLine("second", kLimit), "");
  process.Write(std::string(1 << 20, 'x'));
  process.Write("\nlast");
  process.CloseStdin();
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_TRUE(process.Stdout().ends_with("x\nlast"));
}

TEST(ProcessTest, SurvivesInputForAProgramThatHasEnded) {
  Process::Options options;
  options.keep_stdin_open = true;
  Process process(Shell("exit 3"), options);
  EXPECT_EQ(process.WaitForLine("never", kLimit), std::nullopt);
  process.Write("nobody reads this\n");
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{3, 0}));
  process.CloseStdin();
}

TEST(ProcessTest, RemovesProxiesAndAddsVariables) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  Process::Options options;
  options.environment["ADDED"] = "yes";
  Process process(Shell("echo ${http_proxy:-none} $ADDED"), options);
  unsetenv("http_proxy");
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_EQ(process.Stdout(), "none yes\n");
}

TEST(ProcessTest, KeepsTheBeginningAndTheEndOfAFlood) {
  Process process(Shell("echo first; yes | head -c 5000000; echo last"));
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  const std::string out = process.Stdout();
  EXPECT_TRUE(out.starts_with("first\n"));
  EXPECT_TRUE(out.ends_with("last\n"));
  EXPECT_NE(out.find("bytes left out"), std::string::npos);
  EXPECT_LT(out.size(), 4 * CappedText::kHalf);
}

TEST(ProcessTest, KillsTheWholeGroup) {
  AdoptOrphans();
  {
    Process process(Shell("sleep 1000 & sleep 1000 & echo ready; wait"));
    ASSERT_TRUE(process.WaitForLine("ready", kLimit));
  }
  KillDescendants();  // would hang if a child could not be killed
  std::ifstream children("/proc/thread-self/children");
  std::string pids;
  std::getline(children, pids);
  EXPECT_EQ(pids, "");
}

TEST(ProcessTest, DoesNotWaitForThoseWhoLeftTheGroup) {
  AdoptOrphans();
  Process process(Shell("setsid sleep 1000 & echo ready"));
  EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_EQ(process.Stdout(), "ready\n");
  KillDescendants();
}

#ifndef WORKSHOP_SANITIZED
TEST(ProcessTest, LimitsMemory) {
  Process::Options options;
  options.memory_limit = 64 << 20;
  Process process({"python3", "-c", "x = bytearray(1 << 30)"}, options);
  const std::optional<Exit> exit = process.WaitForExit(kLimit);
  ASSERT_TRUE(exit);
  EXPECT_NE(*exit, (Exit{0, 0}));
  EXPECT_NE(process.Stderr().find("MemoryError"), std::string::npos);
}
#endif

TEST(TempDirTest, TakesItsContentWithIt) {
  std::string path;
  {
    const TempDir directory;
    path = directory.path();
    std::ofstream(path + "/file") << "text";
    EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace workshop::testing
