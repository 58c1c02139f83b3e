// Where the accounts and their transfers are kept.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workshop/transfers/v1/transfers.pb.h"

namespace workshop::transfers {

// Every function is atomic, may be called from several threads at once, and
// throws a std::exception if the repository does not work; a Save() that throws
// has changed nothing.
class AccountRepository {
 public:
  virtual ~AccountRepository() = default;

  // How much an account holds, 0 to 10^15 cents, or nothing if there is no such
  // account.
  virtual std::optional<std::int64_t> FindBalance(
      const std::string& account) = 0;

  // The transfer that was made under a key, or nothing if there is none.
  virtual std::optional<v1::MoneyTransfer> FindTransfer(
      const std::string& idempotency_key) = 0;

  // All transfers from `account` and to it, in the order in which they were
  // made.
  virtual std::vector<v1::MoneyTransfer> ListTransfers(
      const std::string& account) = 0;

  // Keeps a transfer that is being made, and what its two accounts hold then.
  virtual void Save(const v1::MoneyTransfer& transfer,
                    std::int64_t from_balance, std::int64_t to_balance) = 0;
};

}  // namespace workshop::transfers
