// Shows how far a transfer is.

#pragma once

#include <cstdint>
#include <iostream>
#include <string>

namespace workshop::files {

// A line on stderr, "[###############               ]  50%", that is
// overwritten until the object goes away.
class ProgressBar {
 public:
  ProgressBar() = default;
  ~ProgressBar() {
    if (percent_ >= 0) std::cerr << std::endl;
  }

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Shows that `done` of `total` bytes are through.
  void Show(std::int64_t done, std::int64_t total) {
    const int percent =
        total > 0 ? static_cast<int>(100.0 * done / total) : 100;
    if (percent == percent_) return;
    percent_ = percent;
    std::string bar(30, ' ');
    for (int i = 0; i < percent * 30 / 100 && i < 30; ++i) bar[i] = '#';
    // In one piece: stderr has no buffer.
    std::cerr << "\r[" + bar + "] " + (percent < 100 ? " " : "") +
                     (percent < 10 ? " " : "") + std::to_string(percent) + "%"
              << std::flush;
  }

 private:
  int percent_ = -1;
};

}  // namespace workshop::files
