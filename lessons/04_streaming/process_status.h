// What a process costs, as Linux counts it.

#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace workshop::streams {

// The number behind `key` in /proc/self/status, or 0 if it is not there.
inline std::int64_t ProcessStatus(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) {
      return std::stoll(line.substr(key.size() + 1));
    }
  }
  return 0;
}

// The most memory that this process has had at a time, in bytes.
inline std::int64_t PeakMemory() { return ProcessStatus("VmHWM") * 1024; }

inline std::int64_t Threads() { return ProcessStatus("Threads"); }

}  // namespace workshop::streams
