// The service under test. README.md says what it promises.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "exercises/05_write_the_tests/account_repository.h"
#include "exercises/05_write_the_tests/clock.h"
#include "workshop/transfers/v1/transfers.grpc.pb.h"

namespace workshop::transfers {

class TransferService final : public v1::Transfers::Service {
 public:
  // What it is given must outlive it.
  TransferService(AccountRepository& repository, const Clock& clock);
  ~TransferService() override;

  // Public, so that a test can call them directly. They do not look at the
  // context, which may be null.
  grpc::Status Transfer(grpc::ServerContext* context,
                        const v1::TransferRequest* request,
                        v1::TransferResponse* response) override;
  grpc::Status GetBalance(grpc::ServerContext* context,
                          const v1::GetBalanceRequest* request,
                          v1::GetBalanceResponse* response) override;
  grpc::Status ListTransfers(grpc::ServerContext* context,
                             const v1::ListTransfersRequest* request,
                             v1::ListTransfersResponse* response) override;

 private:
  class Impl;  // its own for each of the services that your tests will meet
  const std::unique_ptr<Impl> impl_;
};

}  // namespace workshop::transfers
