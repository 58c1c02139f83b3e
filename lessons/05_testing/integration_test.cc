// Service and client together, with all of gRPC between them: over a port, as
// in production, and over a channel inside this process, which needs no port
// and lets a mock decide what happens meanwhile.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lessons/05_testing/call_log.h"
#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/fake_clock.h"
#include "lessons/05_testing/memory_repository.h"
#include "lessons/05_testing/mock_repository.h"
#include "lessons/05_testing/reservation_client.h"
#include "lessons/05_testing/reservations_service.h"
#include "lessons/common/program.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace workshop::reservations {
namespace {

using std::chrono::system_clock;
using std::literals::operator""ms;
using std::literals::operator""s;
using testing::ElementsAre;
using testing::NiceMock;
using testing::Property;
using testing::Return;
using testing::ReturnArg;
using testing::StartsWith;
using v1::Reservation;
using v1::Reservations;

// What the call log says, for a test to wait for.
class LogLines {
 public:
  void Append(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.insert(line);
    changed_.notify_all();
  }

  // Whether `line` comes; the limit is for a test that fails.
  bool Await(const std::string& line) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return lines_.count(line) > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multiset<std::string> lines_;  // guarded by mutex_
};

// A server over a repository of the kind that the test needs. At the end of the
// test running calls are cancelled, so that none of them can hold it up.
template <class RepositoryKind>
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    builder_.RegisterService(&service_);
    CallLog::AddTo(builder_,
                   [this](const std::string& line) { log_.Append(line); });
  }
  ~ServerTest() override { server_->Shutdown(system_clock::now()); }

  ReservationClient NewClient(const std::shared_ptr<grpc::Channel>& channel,
                              std::chrono::milliseconds timeout = 30s) {
    return ReservationClient(Reservations::NewStub(channel), timeout);
  }

  FakeClock clock_;
  LogLines log_;
  RepositoryKind repository_;
  ReservationsService service_{repository_, clock_, 60s};
  grpc::ServerBuilder builder_;
  std::unique_ptr<grpc::Server> server_;
};

class PortTest : public ServerTest<MemoryRepository> {
 protected:
  PortTest() {
    int port = 0;  // any free one: tests may run at the same time
    builder_.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                              &port);
    server_ = builder_.BuildAndStart();
    // No connection left over from a test that had this port before, and no
    // proxy, whatever the environment says.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channel_ = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                         grpc::InsecureChannelCredentials(),
                                         arguments);
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(PortTest, ReservesConfirmsAndLists) {
  ReservationClient client = NewClient(channel_);
  Reservation ada, grace, confirmed;
  ASSERT_TRUE(client.ReserveAny({"12A", "12B"}, "Ada", ada).ok());
  ASSERT_TRUE(client.ReserveAny({"12A", "12B"}, "Grace", grace).ok());
  ASSERT_TRUE(client.Confirm("12A", "Ada", confirmed).ok());

  std::vector<Reservation> reservations;
  ASSERT_TRUE(client.List(reservations).ok());

  EXPECT_FALSE(confirmed.has_expire_time());
  EXPECT_THAT(reservations, ElementsAre(Property(&Reservation::seat, "12A"),
                                        Property(&Reservation::seat, "12B")));
}

TEST_F(PortTest, FreesASeatWhenItsTimeIsOver) {
  ReservationClient client = NewClient(channel_);
  Reservation reservation;
  ASSERT_TRUE(client.ReserveAny({"12A"}, "Ada", reservation).ok());

  clock_.Advance(60s - 1ms);
  EXPECT_EQ(client.ReserveAny({"12A"}, "Grace", reservation).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  clock_.Advance(1ms);
  EXPECT_EQ(client.Confirm("12A", "Ada", reservation).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(client.ReserveAny({"12A"}, "Grace", reservation).ok());
}

TEST_F(PortTest, CutsALongName) {
  const std::string name = "Anna-Katharina Größmann";
  Reservation reservation;
  const grpc::Status status =
      NewClient(channel_).ReserveAny({"12A"}, name, reservation);

  ASSERT_TRUE(status.ok()) << CodeName(status.error_code()) << ": "
                           << status.error_message();
  EXPECT_THAT(name, StartsWith(reservation.name()));
  EXPECT_LE(reservation.name().size(), 20);
}

TEST_F(PortTest, GivesASeatToOneOfManyWhoWantItAtOnce) {
  std::vector<std::future<grpc::Status>> callers;
  for (int i = 0; i < 8; ++i) {
    callers.push_back(std::async(std::launch::async, [this, i] {
      Reservation reservation;
      return NewClient(channel_).ReserveAny({"12A"}, std::to_string(i),
                                            reservation);
    }));
  }
  int winners = 0;
  for (std::future<grpc::Status>& caller : callers) {
    const grpc::Status status = caller.get();
    if (status.ok()) {
      ++winners;
    } else {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
    }
  }
  EXPECT_EQ(winners, 1);
}

class InProcessTest : public ServerTest<NiceMock<MockRepository>> {
 protected:
  InProcessTest() {
    ON_CALL(repository_, Add).WillByDefault(ReturnArg<0>());
    server_ = builder_.BuildAndStart();
    channel_ = server_->InProcessChannel(grpc::ChannelArguments());
  }

  std::shared_ptr<grpc::Channel> channel_;
};

// The store is slower than any deadline: it waits until the client has given
// up. However busy the machine is, the outcome is the same. The handler may
// even start after the test has ended, so it uses nothing that is the test's.
TEST_F(InProcessTest, GivesUpAtTheDeadline) {
  std::promise<void> given_up;
  ON_CALL(repository_, Add)
      .WillByDefault([client = given_up.get_future().share()](
                         const Reservation& reservation, Clock::Time) {
        client.wait();
        return reservation;
      });

  Reservation reservation;
  EXPECT_EQ(NewClient(channel_, 10ms)
                .ReserveAny({"12A"}, "Ada", reservation)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  given_up.set_value();
}

// It has no end, but for the client's. Were it not to stop, this test would not
// end either.
TEST_F(InProcessTest, StopsAListThatIsCancelled) {
  Reservation reservation;
  reservation.set_seat("12A");
  ON_CALL(repository_, Next).WillByDefault(Return(reservation));

  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + 30s);
  const auto reader =
      Reservations::NewStub(channel_)->List(&context, v1::ListRequest());
  v1::ListResponse response;
  ASSERT_TRUE(reader->Read(&response));
  context.TryCancel();

  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(log_.Await("List CANCELLED"));
}

TEST_F(InProcessTest, LogsHowACallEnded) {
  Reservation reservation;
  EXPECT_TRUE(NewClient(channel_).ReserveAny({"12A"}, "Ada", reservation).ok());
  EXPECT_TRUE(log_.Await("Reserve OK"));

  NewClient(channel_).ReserveAny({""}, "Ada", reservation);
  EXPECT_TRUE(log_.Await("Reserve INVALID_ARGUMENT"));
}

TEST_F(InProcessTest, LogsThatACallHasNoDeadline) {
  grpc::ClientContext context;
  v1::ReserveRequest request;
  v1::ReserveResponse response;
  Reservations::NewStub(channel_)->Reserve(&context, request, &response);

  EXPECT_TRUE(log_.Await("Reserve INVALID_ARGUMENT (no deadline)"));
}

}  // namespace
}  // namespace workshop::reservations
