#include "tests/support/suite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <fstream>
#include <iostream>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {
namespace {

using google::protobuf::util::SerializeDelimitedToFileDescriptor;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using workshop::grader::v1::FAIL;
using workshop::grader::v1::PASS;
using workshop::grader::v1::TestReport;
using workshop::grader::v1::TIMEOUT;

SuiteSettings settings;
TestReport current_report;
// How often a learner's program was too slow; shared by all tests' processes.
std::atomic<int>* too_slow = nullptr;

// A process that runs one test.
struct Running {
  std::string name;
  pid_t pid;
  int report;  // where its report comes from
  std::string received;
  steady_clock::time_point deadline;
  steady_clock::time_point start;
};

std::string Name(const ::testing::TestInfo& test) {
  return std::string(test.test_suite_name()) + "." + test.name();
}

// What TakeMuch() has named.
std::set<std::string>& Costly() {
  static std::set<std::string> names;
  return names;
}

bool IsCostly(const ::testing::TestInfo& test) {
  return Costly().contains(test.test_suite_name()) ||
         Costly().contains(Name(test));
}

// The source of the test that begins at `line` of `file`, as far as the brace
// that closes it.
std::string SourceOf(const std::string& file, int line) {
  std::ifstream in(file);
  std::string source;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (number < line) continue;
    source += text + "\n";
    if (text == "}") break;
  }
  return source;
}

TestReport NewReport(const ::testing::TestInfo& test) {
  TestReport report;
  report.set_name(Name(test));
  report.set_code(SourceOf(test.file(), test.line()));
  return report;
}

// A failure that GoogleTest found without the fixture's help: an EXPECT_ in a
// suite, or an exception. Told as it is.
class PlainFailures final : public ::testing::EmptyTestEventListener {
 private:
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed() || current_report.has_explanation()) return;
    current_report.set_verdict(FAIL);
    current_report.mutable_explanation()->add_came_back(result.summary());
  }
};

// Runs one test in this process, which has been forked for it, and reports.
[[noreturn]] void RunTest(const ::testing::TestInfo& test, int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  AdoptOrphans();
  const auto start = steady_clock::now();
  current_report = NewReport(test);
  current_report.set_verdict(PASS);
  ::testing::GTEST_FLAG(filter) = Name(test);
  ::testing::TestEventListeners& listeners =
      ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new PlainFailures);
  const bool failed = RUN_ALL_TESTS() != 0;
  if (failed && current_report.verdict() == PASS) {
    current_report.set_verdict(FAIL);
  }
  KillDescendants();
  const std::chrono::duration<double> took = steady_clock::now() - start;
  current_report.set_seconds(took.count());
  SerializeDelimitedToFileDescriptor(current_report, report);
  _exit(0);  // gRPC's threads may still run: nothing is to be destroyed
}

class Supervisor {
 public:
  // While the test named `first` runs, unless that is empty, none begins that
  // is costly: perhaps it is not needed.
  Supervisor(std::deque<const ::testing::TestInfo*> tests, std::string first,
             std::size_t jobs, int report)
      : waiting_(std::move(tests)),
        first_(std::move(first)),
        jobs_(jobs),
        report_(report) {}

  // Runs all tests, `jobs` at a time, and reports each as it ends.
  void Run() {
    while (!waiting_.empty() || !running_.empty()) {
      while (!waiting_.empty() && running_.size() < jobs_ && !HoldsBack()) {
        Start(*waiting_.front());
        waiting_.pop_front();
      }
      Await();
    }
  }

 private:
  bool HoldsBack() const {
    return !running_.empty() && running_.front().name == first_ &&
           IsCostly(*waiting_.front());
  }

  void Start(const ::testing::TestInfo& test) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    const pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) {
      close(ends[0]);
      close(report_);
      for (const Running& other : running_) close(other.report);
      RunTest(test, ends[1]);
    }
    close(ends[1]);
    const auto now = steady_clock::now();
    running_.push_back({Name(test), pid, ends[0], "",
                        now + settings.patience * kTestLimit, now});
    tests_[pid] = &test;
  }

  // Takes what the running tests report, and ends those that take too long.
  void Await() {
    std::vector<pollfd> polled;
    auto first = steady_clock::time_point::max();
    for (const Running& test : running_) {
      polled.push_back({test.report, POLLIN, 0});
      first = std::min(first, test.deadline);
    }
    const auto wait =
        std::chrono::ceil<milliseconds>(first - steady_clock::now());
    poll(polled.data(), polled.size(),
         static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    for (std::size_t i = running_.size(); i-- > 0;) {
      Running& test = running_[i];
      if (polled[i].revents != 0) {
        char buffer[4096];
        const ssize_t size = read(test.report, buffer, sizeof(buffer));
        if (size > 0) {
          test.received.append(buffer, static_cast<std::size_t>(size));
          continue;
        }
        if (size < 0 && errno == EINTR) continue;
        End(i, /*timed_out=*/false);
      } else if (steady_clock::now() >= test.deadline) {
        End(i, /*timed_out=*/true);
      }
    }
  }

  void End(std::size_t index, bool timed_out) {
    const Running test = std::move(running_[index]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
    kill(test.pid, SIGKILL);
    while (waitpid(test.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    close(test.report);
    // What the test had not ended itself is an orphan now, and ours.
    std::set<pid_t> others;
    for (const Running& other : running_) others.insert(other.pid);
    KillDescendants(others);

    TestReport report;
    google::protobuf::io::ArrayInputStream in(
        test.received.data(), static_cast<int>(test.received.size()));
    bool clean_end = false;
    if (timed_out || !google::protobuf::util::ParseDelimitedFromZeroCopyStream(
                         &report, &in, &clean_end)) {
      report = NewReport(*tests_[test.pid]);
      report.set_verdict(timed_out ? TIMEOUT : FAIL);
      report.mutable_explanation()->add_came_back(
          timed_out ? fmt::format("the test was not over after {} s",
                                  settings.patience * kTestLimit.count())
                    : "the process that watched your program was killed");
      const std::chrono::duration<double> took =
          steady_clock::now() - test.start;
      report.set_seconds(took.count());
    }
    tests_.erase(test.pid);
    SerializeDelimitedToFileDescriptor(report, report_);
  }

  std::deque<const ::testing::TestInfo*> waiting_;
  const std::string first_;
  const std::size_t jobs_;
  const int report_;
  std::vector<Running> running_;
  std::map<pid_t, const ::testing::TestInfo*> tests_;
};

// Prints the last of the reports in a file.
void PrintLast(int reports) {
  lseek(reports, 0, SEEK_SET);
  google::protobuf::io::FileInputStream in(reports);
  TestReport report;
  TestReport next;
  bool clean_end = false;
  while (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&next, &in,
                                                                  &clean_end)) {
    report.Swap(&next);
    next.Clear();
  }
  std::cout << workshop::grader::v1::Verdict_Name(report.verdict()) << "  "
            << report.name() << "\n";
  const workshop::grader::v1::Explanation& why = report.explanation();
  for (const std::string& line : why.sent()) {
    std::cout << "  sent       " << line << "\n";
  }
  if (!why.promised().empty()) {
    std::cout << "  promised   " << why.promised() << "\n";
  }
  for (const std::string& line : why.came_back()) {
    std::cout << "  came back  " << line << "\n";
  }
}

int Main(int argc, char** argv) {
  std::vector<std::string> programs;
  int report = -1;
  std::size_t jobs =
      std::clamp<std::size_t>(2 * std::thread::hardware_concurrency(), 4, 16);
  CLI::App app("A graded suite. The grader runs it.");
  app.add_option("--program", programs, "NAME=PATH of a learner's program");
  app.add_option("--report", report, "file descriptor for the reports");
  app.add_option("--seed", settings.seed, "where random inputs begin");
  app.add_option("--jobs", jobs, "how many tests run at a time");
  bool list = false;
  std::string only;
  std::string first;
  app.add_flag("--list", list, "print the tests' names and run none");
  app.add_option("--only", only,
                 "run this one alone, and print what came of it on stdout; "
                 "what the programs print goes to stderr");
  app.add_option("--first", first,
                 "begin with this test, and end with those that take much");
  app.add_option("--patience", settings.patience,
                 "how often longer than usual everything may take");
  app.add_option("--sanitized-root", settings.sanitized_root,
                 "the workshop's folder, for programs with a sanitizer");
  app.add_option("--sanitized-sources", settings.sanitized_sources,
                 "the folder of their sources in it");
  CLI11_PARSE(app, argc, argv);
  if (!settings.sanitized_root.empty()) {
    // Some kernels put programs where ThreadSanitizer wants its own memory.
    personality(static_cast<unsigned>(personality(0xffffffff)) |
                ADDR_NO_RANDOMIZE);
  }
  for (const std::string& program : programs) {
    const std::size_t equals = program.find('=');
    settings.programs[program.substr(0, equals)] = program.substr(equals + 1);
  }
  fcntl(report, F_SETFD, FD_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);
  AdoptOrphans();
#ifndef WORKSHOP_SANITIZED
  // Nobody but root may look into this process, so that a learner's program
  // cannot open the pipe that the reports go through. (The leak checker needs
  // to look into it.)
  prctl(PR_SET_DUMPABLE, 0);
#endif
  void* const shared =
      mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) abort();
  too_slow = new (shared) std::atomic<int>(0);

  int no_arguments = 1;
  ::testing::InitGoogleTest(&no_arguments, argv);
  if (!only.empty()) {
    settings.echo = true;
    report = memfd_create("report", MFD_CLOEXEC);
  }
  std::deque<const ::testing::TestInfo*> tests;
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  std::deque<const ::testing::TestInfo*> last;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const ::testing::TestInfo& test = *suite.GetTestInfo(j);
      if (list) std::cout << Name(test) << "\n";
      if (!only.empty() && only != Name(test)) continue;
      if (first == Name(test)) {
        tests.push_front(&test);
      } else if (!first.empty() && IsCostly(test)) {
        last.push_back(&test);
      } else {
        tests.push_back(&test);
      }
    }
  }
  tests.insert(tests.end(), last.begin(), last.end());
  if (list) return 0;
  // First the list, without verdicts: what is then not reported is missing.
  for (const ::testing::TestInfo* test : tests) {
    SerializeDelimitedToFileDescriptor(NewReport(*test), report);
  }
  Supervisor(std::move(tests), first, jobs, report).Run();
  if (!only.empty()) PrintLast(report);
  return 0;
}

}  // namespace

const SuiteSettings& Settings() { return settings; }

bool TakeMuch(std::set<std::string> names) {
  Costly().merge(names);
  return true;
}

milliseconds Patience(milliseconds limit) {
  limit *= settings.patience;
  return too_slow->load() < 2 ? limit : limit / 5;
}

void LosePatience() { too_slow->fetch_add(1); }

TestReport& CurrentReport() { return current_report; }

}  // namespace workshop::testing

int main(int argc, char** argv) { return workshop::testing::Main(argc, argv); }
