// What a sanitizer has found in a learner's program, in words that help.

#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace workshop::testing {

struct SanitizerReport {
  std::string sanitizer;  // "AddressSanitizer"
  std::string kind;       // "heap-use-after-free"
  std::string cause;      // what kind of mistake that is, in a sentence or two
  std::string where;      // "exercises/01_calculator/server.cc:42, in Divide";
                          // empty: in nothing of the learner's
  std::string excerpt;    // the lines of the report that name his own code
};

// The environment in which a program that was built with any sanitizer writes
// its reports into files below `directory`. Paths below `root` are then told
// relative to it.
std::map<std::string, std::string> SanitizerEnvironment(
    const std::filesystem::path& root, const std::filesystem::path& directory);

// The first report that is known and names a file below `sources` ("exercises/
// 01_calculator"), or else the first that is known. ThreadSanitizer's reports
// count only if they do: it does not see how libraries lock.
std::optional<SanitizerReport> ParseSanitizerReport(const std::string& text,
                                                    const std::string& sources);

// A report from one of the files in `directory`, and the name of the program
// that wrote it.
struct FoundReport {
  std::string program;
  SanitizerReport report;
};
std::optional<FoundReport> FindSanitizerReport(
    const std::filesystem::path& directory, const std::string& sources);

}  // namespace workshop::testing
