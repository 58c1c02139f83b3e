#include "tests/support/sanitizer_report.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilePrefix = "sanitizer.";

// How a frame is printed: "    # FILE:LINE:COLUMN in FUNCTION".
constexpr std::string_view kFrame = "    # ";

// Lines of a report that a learner is shown.
constexpr std::size_t kExcerptLines = 12;

struct Kind {
  std::string_view words;  // how a report names it
  std::string_view cause;
};

constexpr Kind kKinds[] = {
    // AddressSanitizer and its LeakSanitizer.
    {"heap-use-after-free",
     "Memory is used that has been freed already: who owns the object, and "
     "who may still call it when it is gone?"},
    {"heap-buffer-overflow",
     "Memory is used beyond the end of what was allocated: an index or a size "
     "is one too large, or a container is emptier than was thought."},
    {"stack-buffer-overflow",
     "A local array is used beyond its end: an index or a size is too large."},
    {"global-buffer-overflow",
     "A global or static array is used beyond its end: an index or a size is "
     "too large."},
    {"stack-use-after-scope",
     "A local variable is used after the end of the block that it belongs to: "
     "a pointer, reference, string_view or lambda capture has outlived it."},
    {"stack-use-after-return",
     "A local variable is used after its function has returned: a pointer, "
     "reference, string_view or lambda capture has outlived it. A callback "
     "runs after the function that starts the call."},
    {"double-free",
     "The same memory is freed twice: it has two owners. A std::unique_ptr "
     "has one, and a reactor deletes itself in OnDone() and nowhere else."},
    {"attempting free on address which was not malloc()-ed",
     "Something is freed that was never allocated: a local or static object, "
     "or the inside of another one."},
    {"alloc-dealloc-mismatch",
     "What was allocated in one way is freed in another: new[] needs "
     "delete[]. Containers and smart pointers need neither."},
    {"negative-size-param",
     "A size is negative: the difference of two numbers, the second of which "
     "is the larger one."},
    {"param-overlap",
     "memcpy() copies between two ranges that overlap. memmove() and "
     "std::copy_backward() may do that."},
    {"exceeds maximum supported size",
     "A container is asked for an absurd size: most often a negative number "
     "that was turned into an unsigned one, or a size that a caller sent."},
    {"rss limit exhausted",
     "The program uses more memory than it may have (2 GiB): something grows "
     "without end."},
    {"stack-overflow",
     "A function calls itself without end, or very large objects are local "
     "variables."},
    {"SEGV on unknown address",
     "A null or dangling pointer is used. Near address 0 it is a null "
     "pointer, or a member of the object that it should point to."},
    {"detected memory leaks",
     "Memory is allocated and never freed, as the program shows when it ends. "
     "Who should delete it? Objects held by value, in containers or in smart "
     "pointers need nobody."},

    // UndefinedBehaviorSanitizer.
    {"signed integer overflow",
     "A result does not fit into its type. Signed overflow is undefined in "
     "C++: check before (std::numeric_limits), or compute with "
     "__builtin_add_overflow() and its like."},
    {"division by zero",
     "An integer is divided by zero, which is undefined in C++ and kills the "
     "process: look at the divisor first."},
    {"shift exponent",
     "A number is shifted by more bits than it has, or by a negative count."},
    {"out of bounds for type",
     "An array is used beyond its end: the index is too large or negative."},
    {"null pointer of type",
     "A null pointer is used: something that may be missing was not there, or "
     "was not set yet."},
    {"is not a valid value for type",
     "A bool or an enum holds what is none of its values: it was never set, "
     "or something else was written over it."},
    {"without returning a value",
     "A function that returns a value ends without a return statement."},
    {"misaligned address",
     "A pointer is used for a type that cannot be at such an address: bytes "
     "are read as another type. std::memcpy() into a variable does that."},
    {"does not point to an object of type",
     "A pointer is used as one to an object that is not there: it is of "
     "another class, already destroyed, or not made yet."},
    {"declared to never be null",
     "A null pointer goes into a function that must not get one, even if "
     "there is nothing to copy."},

    // ThreadSanitizer.
    {"data race",
     "Two threads use the same memory at the same time without a lock, and "
     "one of them writes. Handlers run at the same time: what they share "
     "needs a std::mutex, held wherever it is used."},
    {"lock-order-inversion",
     "Two mutexes are locked in one order here and in the other order there: "
     "two threads can wait for each other for ever. Always take them in the "
     "same order, or both at once with std::scoped_lock."},
    {"unlock of an unlocked mutex",
     "A mutex is unlocked that this thread has not locked. std::lock_guard "
     "unlocks once, and by itself."},
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "Divide" for "(anonymous namespace)::CalculatorService::Divide(int, ...)".
std::string ShortName(std::string function) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (auto at = function.find(kAnonymous); at != std::string::npos;
       at = function.find(kAnonymous)) {
    function.erase(at, kAnonymous.size());
  }
  function.erase(std::min(function.find('('), function.size()));
  const std::size_t scope = function.rfind("::");
  return scope == std::string::npos ? function : function.substr(scope + 2);
}

// A frame of the learner's as "FILE:LINE, in FUNCTION"; empty if it is another.
std::string OwnFrame(std::string_view line, const std::string& sources) {
  if (!line.starts_with(kFrame)) return "";
  line.remove_prefix(kFrame.size());
  const std::size_t in = line.find(" in ");
  if (!line.starts_with(sources + "/") || in == std::string_view::npos) {
    return "";
  }
  // "FILE:LINE:COLUMN", and sometimes no column.
  std::string_view place = line.substr(0, in);
  const std::size_t number = place.find(':', sources.size());
  if (number != std::string_view::npos) {
    place = place.substr(0, place.find(':', number + 1));
  }
  return std::string(place) + ", in " +
         ShortName(std::string(line.substr(in + 4)));
}

// A headline without what is different in every run and says nothing.
std::string Headline(std::string line) {
  for (const std::string_view noise : {"ERROR: ", "WARNING: "}) {
    const std::size_t at = line.find(noise);
    if (at != std::string::npos) line.erase(0, at + noise.size());
  }
  for (const std::string_view end :
       {" on address 0x", " at 0x", " (pid=", " at pc ", " (pc ", " on 0x"}) {
    line.erase(std::min(line.find(end), line.size()));
  }
  const std::size_t text = line.find_first_not_of(' ');
  return text == std::string::npos ? "" : line.substr(text);
}

// The first line of a report; every other line belongs to the one above.
bool BeginsReport(std::string_view line) {
  return Contains(line, "Sanitizer: ")
             ? !line.starts_with("SUMMARY")
             : Contains(line, "runtime error: ") || Contains(line, "rss limit");
}

// Whether a line says where something comes from, and not what is done to it.
bool TellsAnOrigin(std::string_view line) {
  return line.starts_with("Location is") || Contains(line, " created ");
}

std::string SanitizerOf(std::string_view headline) {
  for (const std::string_view name :
       {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer"}) {
    if (Contains(headline, name)) return std::string(name);
  }
  return Contains(headline, "rss limit") ? "AddressSanitizer"
                                         : "UndefinedBehaviorSanitizer";
}

std::optional<SanitizerReport> ParseOne(const std::vector<std::string>& lines,
                                        const std::string& sources) {
  const std::string& headline = lines.front();
  const auto* const kind = std::find_if(
      std::begin(kKinds), std::end(kKinds),
      [&](const Kind& known) { return Contains(headline, known.words); });
  if (kind == std::end(kKinds)) return std::nullopt;
  SanitizerReport report = {SanitizerOf(headline), std::string(kind->words),
                            std::string(kind->cause), "", Headline(headline)};
  // What stands above frames says what they are: "freed by thread T0 here:". It
  // is told if one of the frames is the learner's.
  std::string above;
  bool is_origin = false;
  std::size_t told = 1;
  std::set<std::string> seen;
  for (std::size_t i = 1; i < lines.size() && told < kExcerptLines; ++i) {
    if (lines[i].starts_with("SUMMARY")) break;
    if (!lines[i].starts_with(kFrame)) {
      above = Headline(lines[i]);
      is_origin = TellsAnOrigin(above);
      seen.clear();
      continue;
    }
    const std::string frame = OwnFrame(lines[i], sources);
    if (frame.empty() || !seen.insert(frame).second) continue;
    if (report.where.empty() && !is_origin) report.where = frame;
    if (!above.empty()) {
      report.excerpt += "\n" + above;
      ++told;
      above.clear();
    }
    report.excerpt += "\n" + frame;
    ++told;
  }
  if (report.where.empty() && report.sanitizer == "ThreadSanitizer") {
    return std::nullopt;
  }
  return report;
}

}  // namespace

std::map<std::string, std::string> SanitizerEnvironment(
    const fs::path& root, const fs::path& directory) {
  const std::string common = "color=never:log_exe_name=1:log_path=\"" +
                             (directory / "sanitizer").string() +
                             "\":strip_path_prefix=\"" + root.string() +
                             "/\":stack_trace_format=\"" + std::string(kFrame) +
                             "%S in %f\":";
  return {
      // A sixteenth of the usual quarantine for what has been freed: suites
      // measure whether memory stays flat.
      {"ASAN_OPTIONS", common +
                           "detect_stack_use_after_return=1"
                           ":hard_rss_limit_mb=2048:quarantine_size_mb=16"},
      {"UBSAN_OPTIONS", common + "print_stacktrace=1"},
      // It goes on after a report, and does not even mention it in its exit
      // status: not every report counts. A signal is then left to be named for
      // what it is.
      {"TSAN_OPTIONS",
       common +
           "exitcode=0:report_thread_leaks=0:handle_segv=0:handle_sigbus=0"
           ":handle_sigfpe=0:handle_abort=0:suppressions=\"" +
           (root / "tests/sanitized/suppressions.txt").string() + "\""},
  };
}

std::optional<SanitizerReport> ParseSanitizerReport(
    const std::string& text, const std::string& sources) {
  std::vector<std::vector<std::string>> reports;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (BeginsReport(line)) reports.emplace_back();
    if (!reports.empty()) reports.back().push_back(line);
  }
  std::optional<SanitizerReport> first;
  for (const std::vector<std::string>& lines : reports) {
    std::optional<SanitizerReport> report = ParseOne(lines, sources);
    if (report && !report->where.empty()) return report;
    if (!first) first = std::move(report);
  }
  return first;
}

std::optional<FoundReport> FindSanitizerReport(const fs::path& directory,
                                               const std::string& sources) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::string name = entry.path().filename().string();
    if (!name.starts_with(kFilePrefix)) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    if (const auto report = ParseSanitizerReport(text.str(), sources)) {
      name.erase(0, kFilePrefix.size());  // "PROGRAM.PID"
      return FoundReport{name.substr(0, name.rfind('.')), *report};
    }
  }
  return std::nullopt;
}

}  // namespace workshop::testing
