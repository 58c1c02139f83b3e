// How the programs of the grader run and end.

#pragma once

#include <functional>

#include "tests/grader/terminal.h"

namespace workshop::grader {

// Exit statuses, as the README promises them.
inline constexpr int kPassed = 0;
inline constexpr int kSomethingFailed = 1;
inline constexpr int kCouldNotGrade = 2;

// Works in a process of its own and cleans up behind it, whatever ends it: its
// result, Ctrl-C, a signal. A CannotGrade that `work` throws is told on stderr.
// With `keys`, single keys can be read from the terminal, which gets its mode
// back in any case; else the keyboard is null. Returns the exit status.
int Supervised(bool keys, const std::function<int(const Keyboard*)>& work);

}  // namespace workshop::grader
