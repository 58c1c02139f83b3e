#include "tests/support/usual_causes.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

namespace workshop::testing {
namespace {

using grpc::StatusCode;

std::string CauseOf(StatusCode code, const std::string& message = "") {
  return UsualCause(grpc::Status(code, message));
}

TEST(UsualCausesTest, TellsASkeletonFromAMissingMethod) {
  EXPECT_NE(CauseOf(StatusCode::UNIMPLEMENTED, "TODO 1: Add").find("TODO"),
            std::string::npos);
  EXPECT_NE(CauseOf(StatusCode::UNIMPLEMENTED).find("not overridden"),
            std::string::npos);
}

TEST(UsualCausesTest, KnowsWhatGrpcSaysByItself) {
  EXPECT_NE(CauseOf(StatusCode::UNKNOWN).find("exception"), std::string::npos);
  EXPECT_NE(CauseOf(StatusCode::DEADLINE_EXCEEDED).find("loop"),
            std::string::npos);
  EXPECT_NE(CauseOf(StatusCode::UNAVAILABLE).find("listens elsewhere"),
            std::string::npos);
  EXPECT_NE(CauseOf(StatusCode::CANCELLED).find("TryCancel"),
            std::string::npos);
  EXPECT_NE(CauseOf(StatusCode::RESOURCE_EXHAUSTED).find("4 MiB"),
            std::string::npos);
}

TEST(UsualCausesTest, SaysNothingOfWhatOnlyTheLearnerCanKnow) {
  EXPECT_EQ(CauseOf(StatusCode::NOT_FOUND), "");
  EXPECT_EQ(CauseOf(StatusCode::OK), "");
}

TEST(UsualCausesTest, KnowsHowProgramsEnd) {
  EXPECT_NE(UsualCause(Exit{0, 0}, "").find("ended by itself"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGFPE}, "").find("division"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGSEGV}, "").find("pointer"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGABRT}, "").find("assertion failed"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGKILL}, "").find("killed it"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGABRT},
                       "terminate called after throwing an instance of "
                       "'std::bad_alloc'")
                .find("2 GiB"),
            std::string::npos);
}

}  // namespace
}  // namespace workshop::testing
