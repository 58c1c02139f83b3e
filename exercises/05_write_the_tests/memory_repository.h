// Keeps the accounts in memory: a repository for tests.

#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "exercises/05_write_the_tests/account_repository.h"
#include "workshop/transfers/v1/transfers.pb.h"

namespace workshop::transfers {

class MemoryRepository : public AccountRepository {
 public:
  // Makes an account, or changes what it holds.
  void SetBalance(const std::string& account, std::int64_t balance) {
    const std::lock_guard lock(mutex_);
    balances_[account] = balance;
  }

  std::optional<std::int64_t> FindBalance(const std::string& account) override {
    const std::lock_guard lock(mutex_);
    const auto found = balances_.find(account);
    if (found == balances_.end()) return std::nullopt;
    return found->second;
  }

  std::optional<v1::MoneyTransfer> FindTransfer(
      const std::string& idempotency_key) override {
    const std::lock_guard lock(mutex_);
    for (const v1::MoneyTransfer& transfer : transfers_) {
      if (transfer.idempotency_key() == idempotency_key) return transfer;
    }
    return std::nullopt;
  }

  std::vector<v1::MoneyTransfer> ListTransfers(
      const std::string& account) override {
    const std::lock_guard lock(mutex_);
    std::vector<v1::MoneyTransfer> transfers;
    for (const v1::MoneyTransfer& transfer : transfers_) {
      if (transfer.from_account() == account ||
          transfer.to_account() == account) {
        transfers.push_back(transfer);
      }
    }
    return transfers;
  }

  void Save(const v1::MoneyTransfer& transfer, std::int64_t from_balance,
            std::int64_t to_balance) override {
    const std::lock_guard lock(mutex_);
    transfers_.push_back(transfer);
    balances_[transfer.from_account()] = from_balance;
    balances_[transfer.to_account()] = to_balance;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> balances_;  // guarded by mutex_
  std::vector<v1::MoneyTransfer> transfers_;      // guarded by mutex_
};

}  // namespace workshop::transfers
