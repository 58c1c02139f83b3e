// Text for people: words, wrapping, colour.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workshop/grader/v1/grader.pb.h"

namespace workshop::grader {

// What a terminal is taken to show.
inline constexpr std::size_t kColumns = 80;

// Paints text, or leaves it as it is where nobody would see the colour.
class Paint {
 public:
  explicit Paint(bool colour) : colour_(colour) {}

  // Whether stdout is a terminal that wants colour (https://no-color.org).
  static bool Wanted();

  bool colour() const { return colour_; }
  std::string Bold(std::string_view text) const { return In("1", text); }
  std::string Dim(std::string_view text) const { return In("2", text); }
  std::string Red(std::string_view text) const { return In("31;1", text); }
  std::string Green(std::string_view text) const { return In("32;1", text); }
  std::string Yellow(std::string_view text) const { return In("33;1", text); }

 private:
  std::string In(const char* code, std::string_view text) const;

  const bool colour_;
};

// Breaks `text` at spaces into lines of kColumns at most that begin with
// `indent` spaces. Line breaks in the text stay; words longer than a line are
// not broken.
std::string Wrap(std::string_view text, std::size_t indent);

// "1 hint", "2 hints".
std::string Counted(int count, std::string_view what);

// "3 minutes ago", for a time that is so many seconds in the past.
std::string Ago(std::int64_t seconds);

// "Rejects a division by zero" for "Task2_Errors.RejectsADivisionByZero".
std::string TestTitle(std::string_view name);

// The text without control characters but tab and newline, and with what is not
// UTF-8 replaced: what a program prints must not paint the learner's terminal
// or break the reports.
std::string Printable(std::string_view text);

// What a learner reads about a failed test, as labels and texts in the order in
// which they are told: {"sent", "Divide(a: 7 b: 0)"}. Empty ones are left out.
std::vector<std::pair<std::string, std::string>> Told(
    const v1::TestReport& test, const std::string& read_if_unset);

// "FAIL", "CRASH", "TIMEOUT" or "PASS".
std::string VerdictName(v1::Verdict verdict);

}  // namespace workshop::grader
