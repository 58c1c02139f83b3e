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
  EXPECT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  EXPECT_EQ(Balance("ada"), 5 * kDailyLimit - 700);
  EXPECT_EQ(Balance("linus"), 700);
}

TEST_F(TransferServiceTest, AnswersWithTheTransfer) {
  ASSERT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  EXPECT_EQ(transfer_.from_account(), "ada");
  EXPECT_EQ(transfer_.to_account(), "linus");
  EXPECT_EQ(transfer_.amount(), 700);
  EXPECT_EQ(transfer_.idempotency_key(), "key");
}

TEST_F(TransferServiceTest, TakesTheTimeFromTheClock) {
  ASSERT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  EXPECT_EQ(TimeUtil::TimestampToNanoseconds(transfer_.create_time()),
            std::chrono::nanoseconds(clock_.Now().time_since_epoch()).count());
}

TEST_F(TransferServiceTest, MovesAWholeBalance) {
  repository_.SetBalance("ada", 700);
  EXPECT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  EXPECT_EQ(Balance("ada"), 0);
}

TEST_F(TransferServiceTest, ListsWhatComesAndGoesTheNewestFirst) {
  ASSERT_EQ(Transfer("ada", "linus", 1, "first"), StatusCode::OK);
  ASSERT_EQ(Transfer("linus", "grace", 1, "second"), StatusCode::OK);
  ASSERT_EQ(Transfer("ada", "grace", 1, "of others"), StatusCode::OK);
  ASSERT_EQ(Transfer("grace", "linus", 1, "third"), StatusCode::OK);

  v1::ListTransfersRequest request;
  request.set_account("linus");
  v1::ListTransfersResponse response;
  ASSERT_TRUE(service_.ListTransfers(&context_, &request, &response).ok());

  std::vector<std::string> keys;
  for (const v1::MoneyTransfer& transfer : response.transfers()) {
    keys.push_back(transfer.idempotency_key());
  }
  EXPECT_THAT(keys, ElementsAre("third", "second", "first"));
}

TEST_F(TransferServiceTest, RefusesAnAmountThatIsNotPositive) {
  for (const std::int64_t amount : {0, -1, -700}) {
    EXPECT_EQ(Transfer("ada", "grace", amount, "key"),
              StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(TransferServiceTest, RefusesATransferToTheSameAccount) {
  EXPECT_EQ(Transfer("ada", "ada", 700, "key"), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TransferServiceTest, RefusesATransferWithoutAKey) {
  EXPECT_EQ(Transfer("ada", "grace", 700, ""), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TransferServiceTest, KnowsWhichAccountsExist) {
  EXPECT_EQ(Transfer("nobody", "ada", 700, "key 1"), StatusCode::NOT_FOUND);
  EXPECT_EQ(Transfer("ada", "nobody", 700, "key 2"), StatusCode::NOT_FOUND);
  EXPECT_EQ(Balance("nobody"), -1);

  v1::ListTransfersRequest request;
  request.set_account("nobody");
  v1::ListTransfersResponse response;
  EXPECT_EQ(service_.ListTransfers(&context_, &request, &response).error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(TransferServiceTest, OverdrawsNoAccount) {
  repository_.SetBalance("ada", 699);
  EXPECT_EQ(Transfer("ada", "linus", 700, "key"),
            StatusCode::FAILED_PRECONDITION);
}

TEST_F(TransferServiceTest, ARefusalChangesNothing) {
  EXPECT_NE(Transfer("ada", "grace", kDailyLimit + 1, "key 1"), StatusCode::OK);
  EXPECT_NE(Transfer("linus", "grace", 700, "key 2"), StatusCode::OK);
  EXPECT_EQ(Balance("ada"), 5 * kDailyLimit);
  EXPECT_EQ(Balance("grace"), 5 * kDailyLimit);
  EXPECT_EQ(Balance("linus"), 0);

  // Nor is a key used up: once there is money, the same request is right.
  repository_.SetBalance("linus", 700);
  EXPECT_EQ(Transfer("linus", "grace", 700, "key 2"), StatusCode::OK);
}

// A store that fails where it is told to.
class MockRepository : public AccountRepository {
 public:
  MOCK_METHOD(std::optional<std::int64_t>, FindBalance, (const std::string&),
              (override));
  MOCK_METHOD(std::optional<v1::MoneyTransfer>, FindTransfer,
              (const std::string&), (override));
  MOCK_METHOD(std::vector<v1::MoneyTransfer>, ListTransfers,
              (const std::string&), (override));
  MOCK_METHOD(void, Save,
              (const v1::MoneyTransfer&, std::int64_t, std::int64_t),
              (override));
};

class FailingRepositoryTest : public testing::Test {
 protected:
  static constexpr char kCause[] = "cannot open /var/lib/bank.db";

  FailingRepositoryTest() {
    ON_CALL(repository_, FindBalance).WillByDefault(Return(5'000));
  }

  void ExpectInternal(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
    EXPECT_THAT(status.error_message(), Not(HasSubstr("bank")));
    EXPECT_THAT(status.error_details(), Not(HasSubstr("bank")));
  }

  void ExpectTransferIsInternal() {
    v1::TransferRequest request;
    request.set_from_account("ada");
    request.set_to_account("linus");
    request.set_amount(700);
    request.set_idempotency_key("key");
    v1::TransferResponse response;
    ExpectInternal(service_.Transfer(&context_, &request, &response));
  }

  FakeClock clock_;
  NiceMock<MockRepository> repository_;
  TransferService service_{repository_, clock_};
  grpc::ServerContext context_;
};

TEST_F(FailingRepositoryTest, IsInternalWhenATransferCannotBeSaved) {
  ON_CALL(repository_, Save).WillByDefault(Throw(std::runtime_error(kCause)));
  ExpectTransferIsInternal();
}

TEST_F(FailingRepositoryTest, IsInternalWhenNothingCanBeRead) {
  const std::runtime_error error(kCause);
  ON_CALL(repository_, FindBalance).WillByDefault(Throw(error));
  ON_CALL(repository_, FindTransfer).WillByDefault(Throw(error));
  ON_CALL(repository_, ListTransfers).WillByDefault(Throw(error));
  ExpectTransferIsInternal();

  v1::GetBalanceRequest balance_request;
  balance_request.set_account("ada");
  v1::GetBalanceResponse balance;
  ExpectInternal(service_.GetBalance(&context_, &balance_request, &balance));

  v1::ListTransfersRequest list_request;
  list_request.set_account("ada");
  v1::ListTransfersResponse list;
  ExpectInternal(service_.ListTransfers(&context_, &list_request, &list));
}

TEST_F(TransferServiceTest, ARepetitionMovesNothing) {
  repository_.SetBalance("ada", 700);
  ASSERT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  const std::string first = transfer_.SerializeAsString();

  clock_.Advance(24h);
  EXPECT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::OK);
  EXPECT_EQ(transfer_.SerializeAsString(), first);
  EXPECT_EQ(Balance("linus"), 700);
}

TEST_F(TransferServiceTest, AKeyIsForOneTransfer) {
  ASSERT_EQ(Transfer("ada", "grace", 700, "key"), StatusCode::OK);
  EXPECT_EQ(Transfer("ada", "grace", 701, "key"), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Transfer("ada", "linus", 700, "key"), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Transfer("grace", "ada", 700, "key"), StatusCode::ALREADY_EXISTS);
}

TEST_F(TransferServiceTest, ADayHasItsLimit) {
  EXPECT_EQ(Transfer("ada", "linus", kDailyLimit - 1, "key 1"), StatusCode::OK);
  EXPECT_EQ(Transfer("ada", "linus", 2, "key 2"),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Transfer("ada", "linus", 1, "key 3"), StatusCode::OK);
}

TEST_F(TransferServiceTest, ALimitIsForWhatOneAccountSends) {
  ASSERT_EQ(Transfer("ada", "grace", kDailyLimit, "key 1"), StatusCode::OK);
  EXPECT_EQ(Transfer("grace", "ada", kDailyLimit, "key 2"), StatusCode::OK);
}

TEST_F(TransferServiceTest, ANewDayBeginsAtMidnight) {
  const auto midnight = std::chrono::ceil<std::chrono::days>(clock_.Now());
  clock_.Set(midnight - 1s);
  ASSERT_EQ(Transfer("ada", "linus", kDailyLimit, "key 1"), StatusCode::OK);
  EXPECT_EQ(Transfer("ada", "linus", 1, "key 2"),
            StatusCode::RESOURCE_EXHAUSTED);
  clock_.Set(midnight);
  EXPECT_EQ(Transfer("ada", "linus", kDailyLimit, "key 3"), StatusCode::OK);
}

}  // namespace
}  // namespace workshop::transfers
