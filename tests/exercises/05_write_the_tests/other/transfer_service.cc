// Another correct service. It differs from the first one in all that the
// contract leaves open: what it says, what it looks at first, what it asks the
// repository and how often, and what is in an answer that nobody may read.

#include "exercises/05_write_the_tests/transfer_service.h"

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "exercises/05_write_the_tests/account_repository.h"
#include "exercises/05_write_the_tests/clock.h"
#include "workshop/transfers/v1/transfers.grpc.pb.h"

namespace workshop::transfers {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using grpc::Status;
using grpc::StatusCode;

constexpr std::int64_t kMostPerDay = 10'000 * 100;

Timestamp ToTimestamp(Clock::Time time) {
  return TimeUtil::NanosecondsToTimestamp(
      std::chrono::nanoseconds(time.time_since_epoch()).count());
}

// "2027-01-15".
std::string DateOf(const Timestamp& time) {
  return TimeUtil::ToString(time).substr(0, 10);
}

// Whether `request` asks for what has been made already.
bool IsOf(const v1::TransferRequest& request, const v1::MoneyTransfer& made) {
  const auto content = [](const auto& message) {
    return std::make_tuple(message.amount(), message.to_account(),
                           message.from_account());
  };
  return content(request) == content(made);
}

Status NoSuchAccount(const std::string& account) {
  return {StatusCode::NOT_FOUND, "we have no account \"" + account + "\""};
}

// Calls `call`, which returns a status and may throw.
template <class Call>
Status Guarded(Call call) {
  try {
    return call();
  } catch (...) {
    return {StatusCode::INTERNAL, "please try again later"};
  }
}

}  // namespace

class TransferService::Impl {
 public:
  Impl(AccountRepository& repository, const Clock& clock)
      : repository_(repository), clock_(clock) {}

  Status Transfer(const v1::TransferRequest& request,
                  v1::TransferResponse& response) {
    const std::lock_guard lock(mutex_);
    if (request.idempotency_key().empty()) {
      return {StatusCode::INVALID_ARGUMENT, "a transfer needs a key"};
    }
    if (request.to_account() == request.from_account()) {
      return {StatusCode::INVALID_ARGUMENT, "that would move nothing"};
    }
    if (request.amount() < 1) {
      return {StatusCode::INVALID_ARGUMENT,
              std::to_string(request.amount()) + " is no amount to move"};
    }

    const std::vector<v1::MoneyTransfer> earlier =
        repository_.ListTransfers(request.from_account());
    if (const auto made = repository_.FindTransfer(request.idempotency_key())) {
      *response.mutable_transfer() = *made;
      if (IsOf(request, *made)) return Status::OK;
      return {StatusCode::ALREADY_EXISTS, "this key has been used before"};
    }

    for (const std::string& account :
         {request.to_account(), request.from_account()}) {
      if (!repository_.FindBalance(account)) return NoSuchAccount(account);
    }
    const Timestamp now = ToTimestamp(clock_.Now());
    std::int64_t left = kMostPerDay;
    for (auto at = earlier.rbegin(); at != earlier.rend(); ++at) {
      if (at->from_account() != request.from_account()) continue;
      if (DateOf(at->create_time()) == DateOf(now)) left -= at->amount();
    }
    if (left < request.amount()) {
      return {StatusCode::RESOURCE_EXHAUSTED,
              "only " + std::to_string(left) + " are left for today"};
    }
    const std::int64_t from_balance =
        repository_.FindBalance(request.from_account()).value();
    const std::int64_t to_balance =
        repository_.FindBalance(request.to_account()).value();
    if (from_balance < request.amount()) {
      return {StatusCode::FAILED_PRECONDITION,
              "there are only " + std::to_string(from_balance)};
    }
    v1::MoneyTransfer& transfer = *response.mutable_transfer();
    transfer.set_idempotency_key(request.idempotency_key());
    transfer.set_from_account(request.from_account());
    transfer.set_to_account(request.to_account());
    transfer.set_amount(request.amount());
    *transfer.mutable_create_time() = now;
    repository_.Save(transfer, from_balance - request.amount(),
                     to_balance + request.amount());
    return Status::OK;
  }

  Status GetBalance(const std::string& account,
                    v1::GetBalanceResponse& response) {
    response.set_balance(-1);  // until it is known
    if (!repository_.FindBalance(account)) return NoSuchAccount(account);
    response.set_balance(repository_.FindBalance(account).value());
    return Status::OK;
  }

  Status ListTransfers(const std::string& account,
                       v1::ListTransfersResponse& response) {
    const std::vector<v1::MoneyTransfer> all =
        repository_.ListTransfers(account);
    for (auto transfer = all.rbegin(); transfer != all.rend(); ++transfer) {
      *response.add_transfers() = *transfer;
    }
    if (!repository_.FindBalance(account)) return NoSuchAccount(account);
    return Status::OK;
  }

 private:
  AccountRepository& repository_;
  const Clock& clock_;
  std::mutex mutex_;
};

TransferService::TransferService(AccountRepository& repository,
                                 const Clock& clock)
    : impl_(std::make_unique<Impl>(repository, clock)) {}

TransferService::~TransferService() = default;

Status TransferService::Transfer(grpc::ServerContext* context,
                                 const v1::TransferRequest* request,
                                 v1::TransferResponse* response) {
  return Guarded([&] { return impl_->Transfer(*request, *response); });
}

Status TransferService::GetBalance(grpc::ServerContext* context,
                                   const v1::GetBalanceRequest* request,
                                   v1::GetBalanceResponse* response) {
  return Guarded(
      [&] { return impl_->GetBalance(request->account(), *response); });
}

Status TransferService::ListTransfers(grpc::ServerContext* context,
                                      const v1::ListTransfersRequest* request,
                                      v1::ListTransfersResponse* response) {
  return Guarded(
      [&] { return impl_->ListTransfers(request->account(), *response); });
}

}  // namespace workshop::transfers
