// Who may do what, by the token that a caller shows. Nothing is to be done
// here.

#pragma once

#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lessons/03_interceptors/token.h"

namespace workshop::user_management {

// A reader may get and list users, a writer may do everything.
enum class Role { kReader, kWriter };

class Tokens {
 public:
  // Reads `file`: a line for each token, "TOKEN reader" or "TOKEN writer".
  // Lines that are empty or begin with # are skipped.
  // Throws std::runtime_error, which says what is wrong with the file.
  explicit Tokens(const std::string& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error(file + " cannot be read");
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      if (line.empty() || line.front() == '#') continue;
      std::istringstream words(line);
      std::string token, role, more;
      words >> token >> role;
      if ((role != "reader" && role != "writer") || words >> more) {
        throw std::runtime_error(file + ":" + std::to_string(number) +
                                 ": not \"TOKEN reader\" or \"TOKEN writer\"");
      }
      roles_.emplace_back(token,
                          role == "writer" ? Role::kWriter : Role::kReader);
    }
  }

  // The role of whoever shows this token; nothing if nobody knows it.
  std::optional<Role> RoleOf(std::string_view token) const {
    for (const auto& [known, role] : roles_) {
      if (SameSecret(known, token)) return role;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::pair<std::string, Role>> roles_;
};

}  // namespace workshop::user_management
