#include "tests/support/exercise_test.h"
