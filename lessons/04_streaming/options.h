// What the client's commands can be told.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace workshop::streams {

struct Options {
  std::chrono::milliseconds timeout{10'000};  // of each call
  int count = 5;                              // messages to read
  std::int64_t size = 1 << 20;                // of the file, in bytes
  std::int64_t chunk = 64 << 10;              // of the file's chunks, in bytes
  bool memory = false;                        // measure it
  std::vector<std::string> texts = {"hello", "how are you"};
  int heartbeats = 0;    // to await before the end of a chat
  int cancel_after = 0;  // messages; 0: never
  int calls = 100;       // at a time
};

}  // namespace workshop::streams
