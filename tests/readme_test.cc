// Proves READMEs: what a ```console block shows is what its commands print.
//
// readme_test [--directory DIR] [README | FOLDER]...
//
// runs every block of each README, and of those in each FOLDER (README.md,
// lessons/*/README.md, exercises/*/README.md), as one bash session in DIR, the
// workshop's own folder if none is given. Each block is a test named after its
// place, such as Readme.lessons/01_unary/README.md:45; a filter that picks it
// writes `?` for the colon. Without READMEs it tests itself.
//
// In a block, a line that begins with `$ ` is a command; a \ at its end
// continues it in the next line, behind a `> `. The lines below are what it
// prints on stdout and stderr. A command is typed when those lines have
// appeared, as a reader would, so that nothing needs a `sleep`. A line that is
// just `...` stands for any number of lines, and `...` in a line for any text.
// What differs from run to run may differ: times, durations, ports but 50051.
//
// Words behind ```console: `norun` for what cannot be run, `unordered` if the
// lines of a command may come in any order, since several programs print them.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::literals::operator""ms;
using std::literals::operator""s;
using std::literals::operator""min;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---------------------------------------------------------------- the README

struct Command {
  int line = 0;                       // where it stands
  std::string text;                   // what bash is given
  std::vector<std::string> expected;  // what stands below it
  int expected_line = 0;              // where that begins
};

struct Block {
  std::string file;
  int line = 0;  // the fence's
  bool unordered = false;
  std::vector<Command> commands;
  std::string problem;  // not empty: what is wrong with it, instead of commands
};

// A line of a README, without what belongs to the list that it stands in.
std::string Unindented(const std::string& line, std::size_t indent) {
  return line.substr(
      std::min({indent, line.size(), line.find_first_not_of(' ')}));
}

void AddLine(Block& block, int number, const std::string& line,
             bool& continued) {
  if (!block.problem.empty()) return;
  if (continued) {
    block.commands.back().text +=
        "\n" + (line.starts_with("> ") ? line.substr(2) : line);
  } else if (line.starts_with("$ ")) {
    block.commands.push_back({number, line.substr(2), {}, number + 1});
  } else if (block.commands.empty()) {
    block.problem = "a block begins with a command: `$ ...`";
    return;
  } else {
    Command& command = block.commands.back();
    if (command.expected.empty()) command.expected_line = number;
    command.expected.push_back(line);
    if (block.unordered && line.find("...") != std::string::npos) {
      block.problem = "`...` has no place in an unordered block";
    }
    return;
  }
  continued = line.ends_with("\\");
}

// The blocks to be run in the README `file` whose content is `text`.
std::vector<Block> ParseReadme(const std::string& file,
                               const std::string& text) {
  static const std::regex kFence("^( *)(```+) *(.*)$");
  std::vector<Block> blocks;
  std::optional<Block> block;  // the one we are in, if it is to be run
  std::string fence;           // what began it; empty: we are in none
  std::size_t indent = 0;
  bool continued = false;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    const bool is_fence = std::regex_match(line, match, kFence);
    if (!fence.empty()) {
      if (is_fence && match[2].length() >= std::ssize(fence) &&
          match[3].length() == 0) {
        fence.clear();
        if (block && block->commands.empty() && block->problem.empty()) {
          block->problem = "the block has no command";
        }
        if (block) blocks.push_back(*std::exchange(block, std::nullopt));
      } else if (block) {
        AddLine(*block, number, Unindented(line, indent), continued);
      }
      continue;
    }
    if (!is_fence) continue;
    fence = match[2];
    indent = match[1].length();
    continued = false;
    std::istringstream words(match[3]);
    std::string word;
    words >> word;
    if (word != "console") continue;
    block.emplace();
    block->file = file;
    block->line = number;
    bool run = true;
    while (words >> word) {
      if (word == "norun") {
        run = false;
      } else if (word == "unordered") {
        block->unordered = true;
      } else {
        block->problem = "unknown word behind ```console: " + word;
      }
    }
    if (!run) block.reset();
  }
  if (block) {
    block->problem = "the block has no end";
    blocks.push_back(*block);
  }
  return blocks;
}

// The READMEs that `path` means: itself, or those of the workshop in a folder.
std::vector<fs::path> FindReadmes(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> found;
  if (fs::exists(path / "README.md")) found.push_back(path / "README.md");
  for (const char* parent : {"lessons", "exercises"}) {
    if (!fs::is_directory(path / parent)) continue;
    for (const auto& entry : fs::directory_iterator(path / parent)) {
      const fs::path readme = entry.path() / "README.md";
      if (fs::exists(readme)) found.push_back(readme);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// ------------------------------------------------------------ the comparison

// `line` with what varies from run to run replaced by what it is. Nothing for
// a line that only an interactive shell prints: what became of a job.
std::optional<std::string> Normalised(std::string line) {
  static const std::regex kJob(
      R"(^\[\d+\][-+]? +(\d+|(Running|Done|Exit|Terminated|Killed|Interrupt)"
      R"(|Aborted|Stopped|Segmentation fault)\b.*)$)");
  static const std::pair<std::regex, const char*> kVaries[] = {
      // A session is a script, and bash says so: "bash: line 7: ".
      {std::regex(R"(^bash: line \d+: +\d+ (Aborted|Killed|Terminated)"
                  R"(|Segmentation fault|Floating point exception)\b.*)"),
       "$1"},
      {std::regex(R"(^bash: (eval: )?line \d+: )"), "bash: "},
      // gRPC's log: "E1122 18:06:37.057595463   11137 channel.cc:120]    ".
      {std::regex(R"(^([DIWE])\d{4} [\d:.]+ +\d+ ([\w.]+):\d+\] +)"),
       "$1 $2] "},
      // The same, cut short in a README: "E1122 ...".
      {std::regex(R"(^([DIWE])\d{4} (?=\.\.\.))"), "$1 "},
      {std::regex(R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?)"
                  R"(( ?Z|[-+]\d\d:?\d\d)?)"),
       "TIME"},
      {std::regex(R"(((127\.0\.0\.1|localhost|\[::1\]|%5B::1%5D):))"
                  R"((?!50051\b)\d+)"),
       "$1PORT"},
      {std::regex(R"((^|[^\w.])\d+(\.\d+)? ?(ns|us|µs|ms|s|seconds?)\b)"),
       "$1DURATION"},
      {std::regex(R"(\b([Pp][Ii][Dd] ?)\d+)"), "$1PID"},
      {std::regex(R"( +$)"), ""},
  };
  if (std::regex_match(line, kJob)) return std::nullopt;
  for (const auto& [regex, replacement] : kVaries) {
    line = std::regex_replace(line, regex, replacement);
  }
  return line;
}

// Whether `line` is `pattern`, in which "..." stands for any text.
bool Matches(std::string_view pattern, std::string_view line) {
  const std::size_t gap = pattern.find("...");
  if (gap == std::string_view::npos) return pattern == line;
  if (!line.starts_with(pattern.substr(0, gap))) return false;
  pattern.remove_prefix(gap + 3);
  for (line.remove_prefix(gap);; line.remove_prefix(1)) {
    if (Matches(pattern, line)) return true;
    if (line.empty()) return false;
  }
}

// A line of a comparison: ' ' in both, '-' only in the README, '+' only
// printed.
struct Difference {
  char mark;
  int line;  // in the README; for '+', in what was printed
  std::string text;
};

struct Comparison {
  bool equal;
  std::vector<Difference> lines;
};

// Compares what the README has below `command` with what it printed.
Comparison Compare(const Command& command, bool unordered,
                   const std::vector<std::string>& printed) {
  struct Line {
    int number;
    std::string text;
    std::string normal;
  };
  const auto normalise = [&](const std::vector<std::string>& texts, int first) {
    std::vector<Line> lines;
    for (const std::string& text : texts) {
      const int number = first++;
      if (auto normal = Normalised(text)) {
        lines.push_back({number, text, std::move(*normal)});
      }
    }
    if (unordered) {
      std::stable_sort(
          lines.begin(), lines.end(),
          [](const Line& a, const Line& b) { return a.normal < b.normal; });
    }
    return lines;
  };
  const std::vector<Line> want =
      normalise(command.expected, command.expected_line);
  const std::vector<Line> got = normalise(printed, 1);

  // The least number of lines that differ between the rests of both, from
  // want[i] and got[j] on.
  std::vector<std::vector<std::size_t>> least(
      want.size() + 1, std::vector<std::size_t>(got.size() + 1));
  for (std::size_t i = want.size() + 1; i-- > 0;) {
    for (std::size_t j = got.size() + 1; j-- > 0;) {
      std::size_t& best = least[i][j];
      if (i == want.size()) {
        best = got.size() - j;
      } else if (want[i].text == "...") {
        best = least[i + 1][j];
        if (j < got.size()) best = std::min(best, least[i][j + 1]);
      } else {
        best = least[i + 1][j] + 1;
        if (j == got.size()) continue;
        best = std::min(best, least[i][j + 1] + 1);
        if (Matches(want[i].normal, got[j].normal)) {
          best = std::min(best, least[i + 1][j + 1]);
        }
      }
    }
  }

  Comparison result = {least[0][0] == 0, {}};
  for (std::size_t i = 0, j = 0; i < want.size() || j < got.size();) {
    const bool gap = i < want.size() && want[i].text == "...";
    if (gap && least[i][j] == least[i + 1][j]) {
      result.lines.push_back({' ', want[i].number, want[i].text});
      ++i;
    } else if (gap) {
      ++j;
    } else if (i < want.size() && j < got.size() &&
               least[i][j] == least[i + 1][j + 1] &&
               Matches(want[i].normal, got[j].normal)) {
      result.lines.push_back({' ', want[i].number, want[i].text});
      ++i;
      ++j;
    } else if (i < want.size() && least[i][j] == least[i + 1][j] + 1) {
      result.lines.push_back({'-', want[i].number, want[i].text});
      ++i;
    } else {
      result.lines.push_back({'+', got[j].number, got[j].text});
      ++j;
    }
  }
  if (unordered) {  // readable again: the README's lines, then the others
    std::stable_sort(result.lines.begin(), result.lines.end(),
                     [](const Difference& a, const Difference& b) {
                       return std::pair(a.mark == '+', a.line) <
                              std::pair(b.mark == '+', b.line);
                     });
  }
  return result;
}

// --------------------------------------------------------------- the session

struct Limits {
  milliseconds block = 5min;  // for all commands of a block
  milliseconds output = 10s;  // for a job in the background to print its part
};

std::string Quoted(const std::string& text) {
  return "'" + std::regex_replace(text, std::regex("'"), R"('\'')") + "'";
}

// One bash session. It is fed command by command, so that what is printed, by
// a job in the background too, belongs to the command that was typed last.
class Session {
 public:
  Session(const Block& block, const std::string& directory)
      : block_(block), printed_(block.commands.size()) {
    if (pipe2(go_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    Process::Options options;
    options.directory = directory;
    options.environment = {{"LC_ALL", "C.UTF-8"}, {"TERM", "dumb"}};
    options.inherit = {go_[0]};
    options.on_line = [this](const std::string& line, bool) { Take(line); };
    process_.emplace(std::vector<std::string>{"/proc/self/exe", "--isolated",
                                              "bash", "-c", Script(), "bash"},
                     options);
  }

  ~Session() {
    process_.reset();
    KillDescendants();  // jobs have process groups of their own
    close(go_[0]);
    close(go_[1]);
  }

  // What was not as the README has it; empty if everything was.
  std::string Run(const Limits& limits) {
    const auto end = steady_clock::now() + limits.block;
    for (std::size_t i = 0; i < block_.commands.size(); ++i) {
      Type(i);
      const bool done = WaitUntil(end, [&] { return finished_ > i; });
      const auto patience = std::min(end, steady_clock::now() + limits.output);
      if (done && WaitUntil(patience, [&] { return CompareOutput(i).equal; })) {
        continue;
      }
      std::string problem;
      if (!done) {
        problem = process_->WaitForExit(0ms)
                      ? "The session ended in it.\n"
                      : fmt::format("It had not ended after {} s.\n",
                                    limits.block / 1s);
      }
      const std::lock_guard lock(mutex_);
      return Explain(block_.commands[i], CompareOutput(i)) + problem;
    }
    return "";
  }

 private:
  std::string Script() {
    // What is set for whoever runs us, by `make test V=1` for instance, is not
    // set for who reads the README. `jobs` is what a prompt does: it forgets
    // the jobs that have ended, so that the next one is %1 again.
    std::string script = fmt::format(
        "exec 2>&1\n"
        "set -m\n"
        "unset E L V ARGS SEED RUNS PRESET ${{!MAKE*}} ${{!GTEST_*}}\n"
        "{0}() {{\n"
        "  local status=$?\n"
        "  jobs >/dev/null\n"
        "  printf '%s %d\\n' {0} $1\n"
        "  IFS= read -r -u {1}\n"
        "  return $status\n"
        "}}\n"
        "{0} 0\n",
        marker_, go_[0]);
    for (std::size_t i = 0; i < block_.commands.size(); ++i) {
      script += fmt::format("eval {}\n{} {}\n", Quoted(block_.commands[i].text),
                            marker_, i + 1);
    }
    return script;
  }

  // Lets the session go on to command i.
  void Type(std::size_t i) {
    {
      const std::lock_guard lock(mutex_);
      typed_ = i;
    }
    if (write(go_[1], "\n", 1) < 0) perror("write");
  }

  void Take(const std::string& line) {
    const std::lock_guard lock(mutex_);
    const std::size_t marker = line.find(marker_);
    if (marker != 0 && printed_[typed_].size() < kMaxLines) {
      printed_[typed_].push_back(line.substr(0, marker));
    }
    if (marker != std::string::npos) {
      finished_ = std::stoul(line.substr(marker + marker_.size()));
    }
    changed_.notify_all();
  }

  // Waits until `condition`, which is asked under the lock; false if that has
  // not come true at `end`, or before the session's.
  template <typename Condition>
  bool WaitUntil(steady_clock::time_point end, Condition condition) {
    while (steady_clock::now() < end) {
      {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, 100ms, condition)) return true;
      }
      if (process_->WaitForExit(0ms)) break;
    }
    const std::lock_guard lock(mutex_);
    return condition();
  }

  Comparison CompareOutput(std::size_t i) const {
    return Compare(block_.commands[i], block_.unordered, printed_[i]);
  }

  std::string Explain(const Command& command,
                      const Comparison& comparison) const {
    std::string text = fmt::format(
        "{}:{}: the README and the program differ (- README, + program)\n"
        "       $ {}\n",
        block_.file, command.line, command.text);
    for (const auto& [mark, line, content] : comparison.lines) {
      text += mark == '+' ? fmt::format("     {} {}\n", mark, content)
                          : fmt::format("{:4} {} {}\n", line, mark, content);
    }
    return text;
  }

  static constexpr std::size_t kMaxLines = 2000;

  const Block& block_;
  const std::string marker_ = fmt::format("step_{}", std::random_device()());
  int go_[2];  // a pipe: one newline per command that may begin
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t typed_ = 0;     // the last command; guarded by mutex_
  std::size_t finished_ = 0;  // how many have ended; guarded by mutex_
  std::vector<std::vector<std::string>> printed_;  // guarded by mutex_
  std::optional<Process> process_;
};

std::string RunBlock(const Block& block, const std::string& directory,
                     const Limits& limits = {}) {
  if (!block.problem.empty()) {
    return fmt::format("{}:{}: {}\n", block.file, block.line, block.problem);
  }
  return Session(block, directory).Run(limits);
}

// Gives this process a network of its own that has nothing but 127.0.0.1, if
// the system allows that.
bool EnterOwnNetwork() {
  const auto write_file = [](const char* path, const std::string& text) {
    std::ofstream(path) << text;
  };
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWNET) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", fmt::format("{0} {0} 1", uid));
    write_file("/proc/self/gid_map", fmt::format("{0} {0} 1", gid));
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // the new rights have cleared it
  }
  const int any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  const bool up = ioctl(any_socket, SIOCSIFFLAGS, &request) == 0;
  close(any_socket);
  return up;
}

// Sees to it that the port 50051 of the READMEs is free. Some systems, and most
// containers, allow nobody a network of his own, or none that can be used; and
// since there is no way back from that, a child tries it first. There, one
// session after the other has the port.
void IsolateNetwork() {
  const pid_t child = fork();
  if (child == 0) _exit(EnterOwnNetwork() ? 0 : 1);
  int status = 1;
  waitpid(child, &status, 0);
  if (status == 0 && EnterOwnNetwork()) return;
  // Whoever inherits this keeps the lock, and is killed with the session.
  flock(open("/proc/self/exe", O_RDONLY), LOCK_EX);
}

// ------------------------------------------------------------------ the tests

class ReadmeTest : public ::testing::Test {
 public:
  ReadmeTest(Block block, std::string directory)
      : block_(std::move(block)), directory_(std::move(directory)) {}

  void TestBody() override {
    const std::string problem = RunBlock(block_, directory_);
    if (!problem.empty()) {
      ADD_FAILURE_AT(block_.file.c_str(), block_.line) << "\n" << problem;
    }
  }

 private:
  const Block block_;
  const std::string directory_;
};

void RegisterReadme(const fs::path& readme, const std::string& directory) {
  const std::string name = fs::proximate(readme, directory);
  std::ifstream file(readme);
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Block> blocks = ParseReadme(name, text.str());
  if (!file) blocks = {{name, 1, false, {}, "cannot be read"}};
  for (const Block& block : blocks) {
    ::testing::RegisterTest("Readme",
                            fmt::format("{}:{}", name, block.line).c_str(),
                            nullptr, nullptr, readme.c_str(), block.line,
                            [=] { return new ReadmeTest(block, directory); });
  }
}

// ------------------------------------------------------------- its own tests

TEST(ParseReadmeTest, TakesCommandsAndWhatIsBelowThem) {
  const std::vector<Block> blocks = ParseReadme("R.md",
                                                "# Title\n"
                                                "```console\n"
                                                "$ one\n"
                                                "out\n"
                                                "\n"
                                                "more\n"
                                                "$ two\n"
                                                "```\n"
                                                "$ not a command\n");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].line, 2);
  EXPECT_EQ(blocks[0].problem, "");
  ASSERT_EQ(blocks[0].commands.size(), 2u);
  EXPECT_EQ(blocks[0].commands[0].line, 3);
  EXPECT_EQ(blocks[0].commands[0].text, "one");
  EXPECT_EQ(blocks[0].commands[0].expected_line, 4);
  EXPECT_THAT(blocks[0].commands[0].expected, ElementsAre("out", "", "more"));
  EXPECT_EQ(blocks[0].commands[1].text, "two");
  EXPECT_THAT(blocks[0].commands[1].expected, IsEmpty());
}

TEST(ParseReadmeTest, JoinsAContinuedCommand) {
  const std::vector<Block> blocks = ParseReadme("R.md",
                                                "```console\n"
                                                "$ one \\\n"
                                                ">   two \\\n"
                                                "  three\n"
                                                "out\n"
                                                "```\n");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].commands[0].text, "one \\\n  two \\\n  three");
  EXPECT_THAT(blocks[0].commands[0].expected, ElementsAre("out"));
  EXPECT_EQ(blocks[0].commands[0].expected_line, 5);
}

TEST(ParseReadmeTest, TakesABlockOutOfAList) {
  const std::vector<Block> blocks = ParseReadme("R.md",
                                                "1. First\n"
                                                "   ```console\n"
                                                "   $ one\n"
                                                "     out\n"
                                                "   ```\n");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].commands[0].text, "one");
  EXPECT_THAT(blocks[0].commands[0].expected, ElementsAre("  out"));
}

TEST(ParseReadmeTest, LeavesOutWhatIsNotToBeRun) {
  EXPECT_THAT(ParseReadme("R.md",
                          "```console norun\n$ one\n```\n"
                          "```cpp\n$ one\n```\n"
                          "````markdown\n```console\n$ one\n```\n````\n"),
              IsEmpty());
}

TEST(ParseReadmeTest, NamesWhatIsWrong) {
  const auto problem = [](const std::string& text) {
    const std::vector<Block> blocks = ParseReadme("R.md", text);
    return blocks.size() == 1 ? blocks[0].problem : "not one block";
  };
  EXPECT_THAT(problem("```console norum\n$ one\n```\n"), HasSubstr("norum"));
  EXPECT_THAT(problem("```console\none\n```\n"), HasSubstr("begins with"));
  EXPECT_THAT(problem("```console\n```\n"), HasSubstr("no command"));
  EXPECT_THAT(problem("```console\n$ one\n"), HasSubstr("no end"));
  EXPECT_THAT(problem("```console unordered\n$ one\n...\n```\n"),
              HasSubstr("no place"));
}

TEST(NormalisedTest, ReplacesWhatVaries) {
  const std::pair<const char*, const char*> kLines[] = {
      {"at 2026-11-22T18:06:21.123Z.", "at TIME."},
      {"at 2026-11-22 18:06:21+01:00", "at TIME"},
      {"from ipv4:127.0.0.1:40912", "from ipv4:127.0.0.1:PORT"},
      {"from ipv6:%5B::1%5D:40912", "from ipv6:%5B::1%5D:PORT"},
      {"listening on 127.0.0.1:50051", "listening on 127.0.0.1:50051"},
      {"127.0.0.1:500512", "127.0.0.1:PORT"},
      {"took 0.53 s, then 12 ms, then 7us",
       "took DURATION, then DURATION, "
       "then DURATION"},
      {"2 steps, 3 servers, v1.2s", "2 steps, 3 servers, v1.2s"},
      {"pid 4711 ended", "pid PID ended"},
      {"bash: line 7: nosuch: command not found",
       "bash: nosuch: command not found"},
      {"bash: line 12:  4711 Aborted                 ./client", "Aborted"},
      {"E1122 18:06:37.057595463   11137 channel.cc:120]       broken",
       "E channel.cc] broken"},
      {"E1122 ...broken", "E ...broken"},
      {"trailing  ", "trailing"},
  };
  for (const auto& [line, normal] : kLines) {
    EXPECT_EQ(Normalised(line), normal);
  }
}

TEST(NormalisedTest, DropsWhatBashSaysOfJobs) {
  for (const char* line :
       {"[1] 12345", "[1]+  Done                    sleep 1",
        "[2]-  Terminated              sleep 1", "[1]+  Exit 3   false"}) {
    EXPECT_EQ(Normalised(line), std::nullopt);
  }
  EXPECT_NE(Normalised("[1] is a citation"), std::nullopt);
}

TEST(MatchesTest, LetsDotsStandForAnyText) {
  EXPECT_TRUE(Matches("a...z", "az"));
  EXPECT_TRUE(Matches("a...m...z", "a to m to z"));
  EXPECT_TRUE(Matches("a...", "a..."));
  EXPECT_TRUE(Matches("...z", "zzz"));
  EXPECT_FALSE(Matches("a...z", "a to y"));
  EXPECT_FALSE(Matches("a...z", "b to z"));
  EXPECT_FALSE(Matches("a...", ""));
}

std::string Marks(const Comparison& comparison) {
  std::string marks;
  for (const Difference& line : comparison.lines) marks += line.mark;
  return marks;
}

Command Expecting(std::vector<std::string> lines) {
  return {1, "command", std::move(lines), 2};
}

TEST(CompareTest, FindsTheLeastDifference) {
  const std::vector<std::string> printed = {"a", "b", "c"};
  EXPECT_TRUE(Compare(Expecting({"a", "b", "c"}), false, printed).equal);
  EXPECT_TRUE(Compare(Expecting({"..."}), false, {}).equal);
  EXPECT_TRUE(Compare(Expecting({"...", "c"}), false, printed).equal);
  EXPECT_TRUE(Compare(Expecting({"a", "..."}), false, printed).equal);
  EXPECT_TRUE(Compare(Expecting({"a", "...", "c"}), false, printed).equal);
  EXPECT_FALSE(Compare(Expecting({"...", "b"}), false, printed).equal);
  EXPECT_FALSE(Compare(Expecting({}), false, printed).equal);
  EXPECT_EQ(Marks(Compare(Expecting({"a", "c"}), false, printed)), " + ");
  EXPECT_EQ(Marks(Compare(Expecting({"a", "x", "b", "c"}), false, printed)),
            " -  ");
  EXPECT_EQ(Marks(Compare(Expecting({"x", "...", "y"}), false, printed)),
            "- -");
}

TEST(CompareTest, IgnoresTheOrderIfToldTo) {
  EXPECT_TRUE(Compare(Expecting({"b", "a"}), true, {"a", "b"}).equal);
  EXPECT_FALSE(Compare(Expecting({"b", "a"}), false, {"a", "b"}).equal);
  EXPECT_FALSE(Compare(Expecting({"b", "a"}), true, {"a", "b", "b"}).equal);
  EXPECT_EQ(Marks(Compare(Expecting({"z", "b", "c"}), true, {"y", "c", "x"})),
            "-- ++");
}

std::string RunText(const std::string& text, const Limits& limits = {}) {
  const std::vector<Block> blocks =
      ParseReadme("R.md", "```console\n" + text + "```\n");
  const TempDir directory;
  return RunBlock(blocks.at(0), directory.path(), limits);
}

TEST(SessionTest, KeepsTheStateOfTheShell) {
  EXPECT_EQ(RunText("$ x='it''s'; mkdir d; cd d\n"
                    "$ echo $x; basename $PWD; printf 'no newline'\n"
                    "its\n"
                    "d\n"
                    "no newline\n"
                    "$ (exit 7)\n"
                    "$ echo $?\n"
                    "7\n"
                    "$ nosuch\n"
                    "bash: nosuch: command not found\n"
                    "$ echo a \\\n"
                    ">   b; cat\n"
                    "a b\n"),
            "");
}

TEST(SessionTest, WaitsForWhatAJobPrintsBeforeItGoesOn) {
  EXPECT_EQ(RunText("$ (sleep 0.3; echo ready; exec sleep 1000) &\n"
                    "[1] 4711\n"
                    "ready\n"
                    "$ echo next\n"
                    "next\n"
                    "$ kill %1; wait\n"
                    "[1]+  Terminated              sleep 1000\n"),
            "");
}

TEST(SessionTest, NumbersJobsAsATerminalDoes) {
  EXPECT_EQ(RunText("$ true & wait\n"
                    "$ sleep 1000 &\n"
                    "$ kill %1; wait\n"),
            "");
}

TEST(SessionTest, TellsWhatDiffersAndWhere) {
  EXPECT_EQ(RunText("$ echo one\n"
                    "one\n"
                    "$ seq 3\n"
                    "1\n"
                    "two\n"
                    "3\n",
                    {.output = 0s}),
            "R.md:4: the README and the program differ (- README, + program)\n"
            "       $ seq 3\n"
            "   5   1\n"
            "   6 - two\n"
            "     + 2\n"
            "   7   3\n");
}

TEST(SessionTest, TellsThatACommandDoesNotEnd) {
  EXPECT_THAT(RunText("$ echo 1; sleep 1000\n1\n", {.block = 1s}),
              HasSubstr("It had not ended after 1 s"));
  EXPECT_THAT(RunText("$ exit\n"), HasSubstr("The session ended in it"));
}

TEST(SessionTest, LeavesNoProcessBehind) {
  const TempDir directory;
  const std::string fifo = directory.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_EQ(RunText("$ setsid sh -c 'echo one; exec sleep 1000 > " + fifo +
                    "' &\none\n"
                    "$ sh -c 'echo two; exec sleep 1000 > " +
                    fifo + "' &\ntwo\n"),
            "");
  // Read ends only when nobody is left who could write.
  char buffer[16];
  ssize_t size = 0;
  while ((size = read(reader, buffer, sizeof(buffer))) > 0) {
  }
  EXPECT_EQ(size, 0);
  close(reader);
}

}  // namespace

int Main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  std::string directory = WORKSHOP_SOURCE_DIR;
  std::vector<std::string> paths;
  CLI::App app("Proves that READMEs show what their commands print.");
  app.add_option("--directory", directory, "where the commands are run");
  app.add_option("paths", paths, "READMEs, or folders to look for them in");
  CLI11_PARSE(app, argc, argv);
  for (const std::string& path : paths) {
    for (const fs::path& readme : FindReadmes(path)) {
      RegisterReadme(readme, directory);
    }
  }
  AdoptOrphans();
  return RUN_ALL_TESTS();
}

}  // namespace workshop::testing

int main(int argc, char** argv) {
  if (argc > 2 && argv[1] == std::string_view("--isolated")) {
    workshop::testing::IsolateNetwork();
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
  }
  return workshop::testing::Main(argc, argv);
}
