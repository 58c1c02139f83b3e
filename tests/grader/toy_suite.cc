// The suite of the toy exercises: a program that prints what it is asked for.
// What surrounds a suite is tested with it, since its program can be a shell
// script, which takes no compiler and no second to build.

#include "tests/support/exercise_test.h"

namespace {

using workshop::testing::ClientRun;
using workshop::testing::ExerciseTest;

class Task1_One : public ExerciseTest {};
class Task2_Two : public ExerciseTest {};

TEST_F(Task1_One, PrintsOne) {
  Promises("Asked for one, the client prints 1.");
  const ClientRun run = RunClient({"one"}, "");
  ExpectOf(run, run.out == "1\n");
}

TEST_F(Task2_Two, PrintsTwo) {
  Promises("Asked for two, the client prints 2.");
  const ClientRun run = RunClient({"two"}, "");
  ExpectOf(run, run.out == "2\n");
}

}  // namespace
