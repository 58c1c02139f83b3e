// A correct service: the one that the learner's tests are linked with, and that
// the patches in ../broken break.

#include "exercises/05_write_the_tests/transfer_service.h"

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "exercises/05_write_the_tests/account_repository.h"
#include "exercises/05_write_the_tests/clock.h"
#include "workshop/transfers/v1/transfers.grpc.pb.h"

namespace workshop::transfers {
namespace {

using google::protobuf::util::TimeUtil;
using grpc::Status;
using grpc::StatusCode;
using v1::MoneyTransfer;

constexpr std::int64_t kDailyLimit = 1'000'000;

// The day in UTC.
std::chrono::days DayOf(const MoneyTransfer& transfer) {
  return std::chrono::floor<std::chrono::days>(std::chrono::seconds(
      TimeUtil::TimestampToSeconds(transfer.create_time())));
}

Status CheckRequest(const v1::TransferRequest& request) {
  if (request.amount() <= 0) {
    return {StatusCode::INVALID_ARGUMENT, "amount must be positive"};
  }
  if (request.from_account() == request.to_account()) {
    return {StatusCode::INVALID_ARGUMENT, "to_account must be another account"};
  }
  if (request.idempotency_key().empty()) {
    return {StatusCode::INVALID_ARGUMENT, "idempotency_key must not be empty"};
  }
  return Status::OK;
}

// The cause is for those who run the server, not for those who call it.
Status RepositoryFailed(const std::exception& error) {
  std::clog << "the repository failed: " << error.what() << std::endl;
  return {StatusCode::INTERNAL, "the repository failed"};
}

}  // namespace

class TransferService::Impl {
 public:
  Impl(AccountRepository& repository, const Clock& clock)
      : repository_(repository), clock_(clock) {}

  Status Transfer(const v1::TransferRequest& request, MoneyTransfer& answer) {
    if (Status status = CheckRequest(request); !status.ok()) return status;
    MoneyTransfer transfer;
    transfer.set_from_account(request.from_account());
    transfer.set_to_account(request.to_account());
    transfer.set_amount(request.amount());
    transfer.set_idempotency_key(request.idempotency_key());
    *transfer.mutable_create_time() = TimeUtil::NanosecondsToTimestamp(
        std::chrono::nanoseconds(clock_.Now().time_since_epoch()).count());

    // One at a time: between reading a balance and saving it nobody else may.
    const std::lock_guard lock(mutex_);
    if (const auto made = repository_.FindTransfer(request.idempotency_key())) {
      return Repeat(request, *made, answer);
    }
    const auto from_balance = repository_.FindBalance(request.from_account());
    if (!from_balance) {
      return {StatusCode::NOT_FOUND, "from_account does not exist"};
    }
    const auto to_balance = repository_.FindBalance(request.to_account());
    if (!to_balance) {
      return {StatusCode::NOT_FOUND, "to_account does not exist"};
    }
    if (request.amount() > *from_balance) {
      return {StatusCode::FAILED_PRECONDITION, "from_account holds too little"};
    }
    if (request.amount() > kDailyLimit - SentOnTheDayOf(transfer)) {
      return {StatusCode::RESOURCE_EXHAUSTED, "the daily limit is reached"};
    }
    repository_.Save(transfer, *from_balance - request.amount(),
                     *to_balance + request.amount());
    answer = transfer;
    return Status::OK;
  }

  Status GetBalance(const std::string& account, std::int64_t& balance) {
    const auto found = repository_.FindBalance(account);
    if (!found) return {StatusCode::NOT_FOUND, "account does not exist"};
    balance = *found;
    return Status::OK;
  }

  Status ListTransfers(const std::string& account,
                       v1::ListTransfersResponse& response) {
    if (!repository_.FindBalance(account)) {
      return {StatusCode::NOT_FOUND, "account does not exist"};
    }
    const std::vector<MoneyTransfer> transfers =
        repository_.ListTransfers(account);
    response.mutable_transfers()->Add(transfers.rbegin(), transfers.rend());
    return Status::OK;
  }

 private:
  // Answers a request whose key has been used by `made`.
  static Status Repeat(const v1::TransferRequest& request,
                       const MoneyTransfer& made, MoneyTransfer& answer) {
    if (made.from_account() != request.from_account() ||
        made.to_account() != request.to_account() ||
        made.amount() != request.amount()) {
      return {StatusCode::ALREADY_EXISTS,
              "idempotency_key belongs to another transfer"};
    }
    answer = made;
    return Status::OK;
  }

  std::int64_t SentOnTheDayOf(const MoneyTransfer& transfer) {
    std::int64_t sent = 0;
    for (const MoneyTransfer& earlier :
         repository_.ListTransfers(transfer.from_account())) {
      if (earlier.from_account() == transfer.from_account() &&
          DayOf(earlier) == DayOf(transfer)) {
        sent += earlier.amount();
      }
    }
    return sent;
  }

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
  try {
    return impl_->Transfer(*request, *response->mutable_transfer());
  } catch (const std::exception& error) {
    return RepositoryFailed(error);
  }
}

Status TransferService::GetBalance(grpc::ServerContext* context,
                                   const v1::GetBalanceRequest* request,
                                   v1::GetBalanceResponse* response) {
  try {
    std::int64_t balance = 0;
    Status status = impl_->GetBalance(request->account(), balance);
    response->set_balance(balance);
    return status;
  } catch (const std::exception& error) {
    return RepositoryFailed(error);
  }
}

Status TransferService::ListTransfers(grpc::ServerContext* context,
                                      const v1::ListTransfersRequest* request,
                                      v1::ListTransfersResponse* response) {
  try {
    return impl_->ListTransfers(request->account(), *response);
  } catch (const std::exception& error) {
    return RepositoryFailed(error);
  }
}

}  // namespace workshop::transfers
