// Tells a correct TransferService from a broken one, promise by promise of
// README.md.

#include "exercises/05_write_the_tests/transfer_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "exercises/05_write_the_tests/fake_clock.h"
#include "exercises/05_write_the_tests/memory_repository.h"
#include "exercises/05_write_the_tests/print_code.h"
#include "workshop/transfers/v1/transfers.grpc.pb.h"

namespace workshop::transfers {
namespace {

using google::protobuf::util::TimeUtil;
using grpc::StatusCode;
using std::literals::operator""h;
using std::literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::NiceMock;
using testing::Not;
using testing::Return;
using testing::Throw;

// Each test has a service of its own, and three accounts.
class TransferServiceTest : public testing::Test {
 protected:
  static constexpr std::int64_t kDailyLimit = 1'000'000;

  TransferServiceTest() {
    repository_.SetBalance("ada", 5 * kDailyLimit);
    repository_.SetBalance("grace", 5 * kDailyLimit);
    repository_.SetBalance("linus", 0);
  }

  // Calls the handler; transfer_ is the answer.
  StatusCode Transfer(const std::string& from, const std::string& to,
                      std::int64_t amount, const std::string& key) {
    v1::TransferRequest request;
    request.set_from_account(from);
    request.set_to_account(to);
    request.set_amount(amount);
    request.set_idempotency_key(key);
    v1::TransferResponse response;
    const grpc::Status status =
        service_.Transfer(&context_, &request, &response);
    transfer_ = response.transfer();
    return status.error_code();
  }

  // Calls the handler; -1 stands for NOT_FOUND.
  std::int64_t Balance(const std::string& account) {
    v1::GetBalanceRequest request;
    request.set_account(account);
    v1::GetBalanceResponse response;
    const grpc::Status status =
        service_.GetBalance(&context_, &request, &response);
    if (status.error_code() == StatusCode::NOT_FOUND) return -1;
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.balance();
  }

  FakeClock clock_;
  MemoryRepository repository_;
  TransferService service_{repository_, clock_};
  grpc::ServerContext context_;
  v1::MoneyTransfer transfer_;
};

TEST_F(TransferServiceTest, MovesTheMoney) {
  // TODO 1: make a transfer and look at both balances (task 1).
  FAIL() << "TODO 1: look at both balances";
}

// TODO 2: look at the transfer in the answer.
// TODO 3: compare its time with that of clock_.
// TODO 4: empty an account.
// TODO 5: list an account that has sent and received.
// TODO 6: look at the order of the list.

// TODO 7: try amounts that are not positive (task 2).
// TODO 8: send money to where it is.
// TODO 9: leave out the key.
// TODO 10: use an account that does not exist, in four places.
// TODO 11: send more than there is.
// TODO 12: look at what a refusal leaves behind.

// TODO 13: give a service a repository that throws.
// TODO 14: look at what the caller gets to read then.

// TODO 15: repeat a transfer, much later (task 3).
// TODO 16: use its key for others.
// TODO 17: send as much as a day allows, and more.
// TODO 18: let something else happen to an account's day.
// TODO 19: move clock_ across midnight.

}  // namespace
}  // namespace workshop::transfers
