// The handlers, called as the functions that they are: no server, no channel,
// no thread. The repository is a mock, which can do what a real one hardly ever
// does: fail.

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/test/default_reactor_test_peer.h>
#include <grpcpp/test/mock_stream.h>
#include <grpcpp/test/server_context_test_spouse.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "lessons/05_testing/fake_clock.h"
#include "lessons/05_testing/mock_repository.h"
#include "lessons/05_testing/reservations_service.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace workshop::reservations {
namespace {

using google::protobuf::util::TimeUtil;
using std::literals::operator""s;
using testing::_;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::Return;
using testing::ReturnArg;
using testing::StartsWith;
using testing::StrictMock;
using testing::Throw;
using testing::UnorderedElementsAre;
using v1::Reservation;
using v1::Reservations;

Reservation Held(const std::string& seat, const std::string& name) {
  Reservation reservation;
  reservation.set_seat(seat);
  reservation.set_name(name);
  *reservation.mutable_expire_time() = TimeUtil::SecondsToTimestamp(1000);
  return reservation;
}

class UnitTest : public testing::Test {
 protected:
  grpc::Status Reserve(const std::string& seat, const std::string& name) {
    v1::ReserveRequest request;
    request.set_seat(seat);
    request.set_name(name);
    return service_.Reserve(&context_, &request, &reserved_);
  }

  FakeClock clock_;
  StrictMock<MockRepository> repository_;  // strict: no call but the expected
  ReservationsService service_{repository_, clock_, 60s};
  grpc::ServerContext context_;
  v1::ReserveResponse reserved_;
};

TEST_F(UnitTest, HoldsASeatForAMinute) {
  EXPECT_CALL(repository_, Add(_, clock_.Now())).WillOnce(ReturnArg<0>());

  ASSERT_TRUE(Reserve("12A", "Ada").ok());

  EXPECT_EQ(reserved_.reservation().seat(), "12A");
  EXPECT_EQ(reserved_.reservation().name(), "Ada");
  EXPECT_EQ(TimeUtil::TimestampToSeconds(reserved_.reservation().expire_time()),
            std::chrono::system_clock::to_time_t(clock_.Now() + 60s));
}

TEST_F(UnitTest, RefusesAnEmptySeatBeforeItAsksTheStore) {
  const grpc::Status status = Reserve("", "Ada");

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("seat"));
}

// The spouse of a context sees what the handler hands to gRPC beside the reply,
// and can put in what would come from the client (AddClientMetadata).
TEST_F(UnitTest, SaysUntilWhenATakenSeatIsHeld) {
  EXPECT_CALL(repository_, Add).WillOnce(Return(Held("12A", "Grace")));

  EXPECT_EQ(Reserve("12A", "Ada").error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(
      grpc::testing::ServerContextTestSpouse(&context_).GetTrailingMetadata(),
      UnorderedElementsAre(Pair("held-until", "1970-01-01T00:16:40Z")));
}

TEST_F(UnitTest, AFailingStoreIsInternalAndNotExplained) {
  EXPECT_CALL(repository_, Add)
      .WillOnce(Throw(std::runtime_error("disk full")));

  const grpc::Status status = Reserve("12A", "Ada");

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("disk")));
}

TEST_F(UnitTest, CutsALongName) {
  EXPECT_CALL(repository_, Add).WillOnce(ReturnArg<0>());
  const std::string name = "Anna-Katharina Größmann";

  ASSERT_TRUE(Reserve("12A", name).ok());

  EXPECT_THAT(name, StartsWith(reserved_.reservation().name()));
  EXPECT_LE(reserved_.reservation().name().size(), 20);
}

TEST_F(UnitTest, StopsAListThatNobodyReads) {
  EXPECT_CALL(repository_, Next("", _)).WillOnce(Return(Held("12A", "Ada")));
  EXPECT_CALL(repository_, Next("12A", _)).WillOnce(Return(Held("12B", "Ada")));
  StrictMock<grpc::testing::MockServerWriter<v1::ListResponse>> writer;
  EXPECT_CALL(writer, Write).WillOnce(Return(true)).WillOnce(Return(false));

  EXPECT_EQ(service_.ListTo(writer).error_code(), grpc::StatusCode::CANCELLED);
}

// A handler of the callback API (lesson 06) returns a reactor instead of a
// status. Its peer catches what Finish() is given.
TEST_F(UnitTest, ACallbackHandlerNeedsAPeer) {
  class CallbackService final : public Reservations::CallbackService {
   public:
    explicit CallbackService(ReservationsService& service)
        : service_(service) {}

    grpc::ServerUnaryReactor* Confirm(grpc::CallbackServerContext* context,
                                      const v1::ConfirmRequest* request,
                                      v1::ConfirmResponse* response) override {
      grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
      reactor->Finish(service_.Confirm(nullptr, request, response));
      return reactor;
    }

   private:
    ReservationsService& service_;
  };

  EXPECT_CALL(repository_, Confirm("12A", "Ada", clock_.Now()))
      .WillOnce(Return(std::nullopt));
  CallbackService service(service_);
  grpc::CallbackServerContext context;
  const grpc::testing::DefaultReactorTestPeer peer(&context);
  v1::ConfirmRequest request;
  request.set_seat("12A");
  request.set_name("Ada");
  v1::ConfirmResponse response;

  EXPECT_EQ(service.Confirm(&context, &request, &response), peer.reactor());

  ASSERT_TRUE(peer.test_status_set());
  EXPECT_EQ(peer.test_status().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace workshop::reservations
