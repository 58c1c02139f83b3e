// What goes wrong in tests of gRPC code. Each of these is written as one would
// write it, and falls in; the README shows how to run them, one at a time, and
// explains what is seen.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/memory_repository.h"
#include "lessons/05_testing/reservation_client.h"
#include "lessons/05_testing/reservations_service.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"
#include "workshop/reservations/v1/reservations_mock.grpc.pb.h"

namespace workshop::reservations {
namespace {

using std::chrono::system_clock;
using std::literals::operator""s;
using v1::MockReservationsStub;
using v1::Reservation;
using v1::Reservations;

// A server in this process, on a port if it is given an address.
class Traps : public testing::Test {
 protected:
  std::unique_ptr<grpc::Server> StartServer(const std::string& address,
                                            int* port) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    if (!address.empty()) {
      builder.AddListeningPort(address, grpc::InsecureServerCredentials(),
                               port);
    }
    return builder.BuildAndStart();
  }

  grpc::Status Confirm(const std::shared_ptr<grpc::Channel>& channel) {
    Reservation reservation;
    return ReservationClient(Reservations::NewStub(channel), 30s)
        .Confirm("12A", "Ada", reservation);
  }

  // Two calls with one context.
  grpc::Status ConfirmTwice(Reservations::StubInterface& stub) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + 30s);
    v1::ConfirmRequest request;
    v1::ConfirmResponse response;
    stub.Confirm(&context, request, &response);
    return stub.Confirm(&context, request, &response);
  }

  SystemClock clock_;
  MemoryRepository repository_;
  ReservationsService service_{repository_, clock_, 60s};
};

TEST_F(Traps, DISABLED_ForgottenExpectation) {
  ReservationClient client(std::make_unique<MockReservationsStub>(), 5s);
  Reservation reservation;

  EXPECT_TRUE(client.Confirm("12A", "Ada", reservation).ok());
}

TEST_F(Traps, DISABLED_ForgottenReader) {
  ReservationClient client(std::make_unique<MockReservationsStub>(), 5s);
  std::vector<Reservation> reservations;

  EXPECT_TRUE(client.List(reservations).ok());
}

TEST_F(Traps, DISABLED_UsedContextOnAMock) {
  testing::NiceMock<MockReservationsStub> stub;

  EXPECT_TRUE(ConfirmTwice(stub).ok());
}

TEST_F(Traps, DISABLED_UsedContext) {
  const std::unique_ptr<grpc::Server> server = StartServer("", nullptr);

  ConfirmTwice(*Reservations::NewStub(server->InProcessChannel({})));
}

TEST_F(Traps, DISABLED_CancelledByHand) {
  grpc::ServerContext context;
  context.TryCancel();

  EXPECT_TRUE(context.IsCancelled());
}

TEST_F(Traps, DISABLED_FixedPort) {
  int port = 0;
  const std::unique_ptr<grpc::Server> other_test =
      StartServer("127.0.0.1:0", &port);
  int same_port = 0;
  const std::unique_ptr<grpc::Server> server =
      StartServer("127.0.0.1:" + std::to_string(port), &same_port);

  EXPECT_TRUE(server == nullptr) << "two servers on one port";
}

TEST_F(Traps, DISABLED_StoppedServer) {
  int port = 0;
  const std::unique_ptr<grpc::Server> server =
      StartServer("127.0.0.1:0", &port);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  server->Shutdown();

  EXPECT_EQ(Confirm(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Traps, DISABLED_StoppedServerInProcess) {
  const std::unique_ptr<grpc::Server> server = StartServer("", nullptr);
  const std::shared_ptr<grpc::Channel> channel = server->InProcessChannel({});
  server->Shutdown();

  EXPECT_EQ(Confirm(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace workshop::reservations
