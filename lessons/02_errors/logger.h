// Where a program writes what its operators should know.

#pragma once

#include <iostream>
#include <string>
#include <syncstream>

namespace workshop::users {

// May be used by many threads at once.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Info(const std::string& text) = 0;
  virtual void Error(const std::string& text) = 0;
};

class StderrLogger final : public Logger {
 public:
  void Info(const std::string& text) override { Write("INFO  " + text); }
  void Error(const std::string& text) override { Write("ERROR " + text); }

 private:
  // In one piece: handlers run at the same time.
  static void Write(const std::string& line) {
    std::osyncstream(std::cerr) << line << std::endl;
  }
};

}  // namespace workshop::users
