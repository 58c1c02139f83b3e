// The client code over the generated mock of its stub: no server, no channel.
// The mock answers in ways that are hard to get from a real server in time.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/test/mock_stream.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lessons/05_testing/reservation_client.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"
#include "workshop/reservations/v1/reservations_mock.grpc.pb.h"

namespace workshop::reservations {
namespace {

using std::chrono::system_clock;
using std::literals::operator""s;
using testing::_;
using testing::DoAll;
using testing::InSequence;
using testing::IsEmpty;
using testing::Property;
using testing::Return;
using testing::SetArgPointee;
using testing::SizeIs;
using testing::StrictMock;
using v1::ListResponse;
using v1::MockReservationsStub;
using v1::Reservation;

const grpc::Status kTaken(grpc::StatusCode::ALREADY_EXISTS, "seat is taken");
const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "reset");

ListResponse Listed(const std::string& seat) {
  ListResponse response;
  response.mutable_reservation()->set_seat(seat);
  return response;
}

class ClientTest : public testing::Test {
 protected:
  // Owned by the client, as a real stub would be.
  StrictMock<MockReservationsStub>& stub_ =
      *new StrictMock<MockReservationsStub>();
  ReservationClient client_{
      std::unique_ptr<v1::Reservations::StubInterface>(&stub_), 5s};
};

TEST_F(ClientTest, GoesOnToTheNextSeatIfOneIsTaken) {
  v1::ReserveResponse response;
  response.mutable_reservation()->set_seat("12B");
  const InSequence in_this_order;
  EXPECT_CALL(stub_, Reserve(_, Property(&v1::ReserveRequest::seat, "12A"), _))
      .WillOnce(Return(kTaken));
  EXPECT_CALL(stub_, Reserve(_, Property(&v1::ReserveRequest::seat, "12B"), _))
      .WillOnce(DoAll(SetArgPointee<2>(response), Return(grpc::Status::OK)));

  Reservation reservation;
  ASSERT_TRUE(
      client_.ReserveAny({"12A", "12B", "12C"}, "Ada", reservation).ok());

  EXPECT_EQ(reservation.seat(), "12B");
}

TEST_F(ClientTest, DoesNotGoOnAfterAnotherFailure) {
  EXPECT_CALL(stub_, Reserve).WillOnce(Return(kUnavailable));

  Reservation reservation;
  EXPECT_EQ(client_.ReserveAny({"12A", "12B"}, "Ada", reservation).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ClientTest, SetsADeadline) {
  const system_clock::time_point before = system_clock::now();
  EXPECT_CALL(stub_, Confirm)
      .WillOnce([before](grpc::ClientContext* context, const auto&, auto*) {
        EXPECT_GE(context->deadline(), before + 5s);
        EXPECT_LE(context->deadline(), system_clock::now() + 5s);
        return grpc::Status::OK;
      });

  Reservation reservation;
  EXPECT_TRUE(client_.Confirm("12A", "Ada", reservation).ok());
}

// A stub's function with a stream has "Raw" at its end: List() wraps what
// ListRaw() returns in a unique_ptr. So the client owns the mock of the reader.
TEST_F(ClientTest, ListsAllReservations) {
  auto reader = std::make_unique<
      StrictMock<grpc::testing::MockClientReader<ListResponse>>>();
  EXPECT_CALL(*reader, Read)
      .WillOnce(DoAll(SetArgPointee<0>(Listed("12A")), Return(true)))
      .WillOnce(DoAll(SetArgPointee<0>(Listed("12B")), Return(true)))
      .WillOnce(Return(false));
  EXPECT_CALL(*reader, Finish).WillOnce(Return(grpc::Status::OK));
  EXPECT_CALL(stub_, ListRaw).WillOnce(Return(reader.release()));

  std::vector<Reservation> reservations;
  EXPECT_TRUE(client_.List(reservations).ok());

  EXPECT_THAT(reservations, SizeIs(2));
}

TEST_F(ClientTest, HasNoListIfTheStreamBreaksOff) {
  auto reader = std::make_unique<
      StrictMock<grpc::testing::MockClientReader<ListResponse>>>();
  EXPECT_CALL(*reader, Read)
      .WillOnce(DoAll(SetArgPointee<0>(Listed("12A")), Return(true)))
      .WillOnce(Return(false));
  EXPECT_CALL(*reader, Finish).WillOnce(Return(kUnavailable));
  EXPECT_CALL(stub_, ListRaw).WillOnce(Return(reader.release()));

  std::vector<Reservation> reservations;
  EXPECT_EQ(client_.List(reservations).error_code(),
            grpc::StatusCode::UNAVAILABLE);

  EXPECT_THAT(reservations, IsEmpty());
}

}  // namespace
}  // namespace workshop::reservations
