#include "tests/grader/text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>

namespace workshop::grader {
namespace {

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& all) {
  std::string text;
  for (const std::string& one : all) {
    if (!text.empty()) text += "\n";
    text += one;
  }
  return text;
}

// The length of the UTF-8 sequence that begins at `at`; 0 if there is none.
std::size_t SequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = at + 1; i < at + length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length == 3) {
    // Longer than need be, or half of a UTF-16 pair.
    if (first == 0xe0 && byte(at + 1) < 0xa0) return 0;
    if (first == 0xed && byte(at + 1) >= 0xa0) return 0;
  }
  if (length == 4) {
    if (first == 0xf0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xf4 && byte(at + 1) >= 0x90) return 0;
  }
  return length;
}

// The last space at which `line` can be broken so that its first part has at
// most `width` characters: not one inside of `code`, which would be hard to
// copy. If there is none, the first space behind.
std::size_t BreakAt(std::string_view line, std::size_t width) {
  std::size_t best = std::string_view::npos;
  bool in_code = line.starts_with('`');
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '`') in_code = !in_code;
    if (line[i] != ' ' || in_code) continue;
    if (i > width) return best == std::string_view::npos ? i : best;
    best = i;
  }
  return best;
}

}  // namespace

bool Paint::Wanted() {
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 &&
         (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

std::string Paint::In(const char* code, std::string_view text) const {
  if (!colour_) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::string Wrap(std::string_view text, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::string wrapped;
  while (true) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    const std::size_t width = kColumns - indent;
    while (line.size() > width) {
      const std::size_t space = BreakAt(line, width);
      if (space == std::string_view::npos) break;
      wrapped += margin + std::string(line.substr(0, space)) + "\n";
      line.remove_prefix(space + 1);
    }
    wrapped += margin + std::string(line) + "\n";
    if (end == std::string_view::npos) return wrapped;
    text.remove_prefix(end + 1);
  }
}

std::string Counted(int count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string Ago(std::int64_t seconds) {
  const std::int64_t minutes = seconds / 60;
  if (minutes < 1) return "just now";
  const auto ago = [](std::int64_t count, std::string_view unit) {
    return Counted(static_cast<int>(count), unit) + " ago";
  };
  if (minutes < 60) return ago(minutes, "minute");
  if (minutes < 48 * 60) return ago(minutes / 60, "hour");
  return ago(minutes / (24 * 60), "day");
}

std::string TestTitle(std::string_view name) {
  name.remove_prefix(name.find('.') + 1);
  std::string title;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool digit = std::isdigit(c) != 0;
    const bool begins_word =
        i > 0 &&
        (std::isupper(c) != 0 || (digit && std::isdigit(name[i - 1]) == 0));
    if (begins_word) title += ' ';
    title += static_cast<char>(i == 0 ? c : std::tolower(c));
  }
  return title;
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text, i);
    const bool control = length == 1 && std::iscntrl(text[i]) != 0 &&
                         text[i] != '\n' && text[i] != '\t';
    if (length == 0 || control) {
      printable += "\xef\xbf\xbd";  // U+FFFD, the replacement character
      ++i;
      continue;
    }
    printable += text.substr(i, length);
    i += length;
  }
  return printable;
}

std::vector<std::pair<std::string, std::string>> Told(
    const v1::TestReport& test, const std::string& read_if_unset) {
  const v1::Explanation& why = test.explanation();
  std::vector<std::pair<std::string, std::string>> told;
  const auto tell = [&](const char* label, const std::string& text) {
    if (!text.empty()) told.emplace_back(label, Printable(text));
  };
  tell("sent", Joined(why.sent()));
  tell("promised", why.promised());
  tell("came back", Joined(why.came_back()));
  tell("printed", why.output());
  tell("usually", why.usual_cause());
  tell("read", why.read().empty() ? read_if_unset : why.read());
  return told;
}

std::string VerdictName(v1::Verdict verdict) {
  return verdict == v1::VERDICT_UNSPECIFIED ? "FAIL"
                                            : v1::Verdict_Name(verdict);
}

}  // namespace workshop::grader
