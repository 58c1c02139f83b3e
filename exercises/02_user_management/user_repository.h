// The users, in an SQLite database. Nothing is to be done here.

#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace workshop::user_management {

// A mutex that lets threads in by the order in which they came. With a
// std::mutex some may wait for long while others take it again and again.
class FairMutex {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = next_++;
    changed_.wait(lock, [&] { return serving_ == ticket; });
  }
  void unlock() {
    const std::lock_guard lock(mutex_);
    ++serving_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0;     // guarded by mutex_
  std::uint64_t serving_ = 0;  // guarded by mutex_
};

// A user as the database holds it.
struct UserRecord {
  std::int64_t id = 0;
  std::string name;
  std::string email;
  std::chrono::sys_time<std::chrono::microseconds> create_time;
};

// Many threads may use it at once. What a function has written when it returns
// outlives the process, however that ends.
//
// Every function throws DatabaseError if the database does not work.
class UserRepository {
 public:
  // Another user has this email.
  struct EmailTaken : std::runtime_error {
    EmailTaken() : std::runtime_error("another user has this email") {}
  };

  // what() is for the log alone: it names files and tells how things are made.
  struct DatabaseError : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  // Opens the database in `file`, or makes a new one there.
  explicit UserRepository(const std::string& file) : file_(file) {
    Run([&] {
      database_.emplace(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                        kPatienceMs);
      // What is committed outlives the process. To outlive a power cut for
      // certain it would need synchronous = FULL, which is far slower.
      database_->exec(
          "PRAGMA journal_mode = PERSIST; PRAGMA synchronous = NORMAL");
      // AUTOINCREMENT: the id of a user who is gone is not given out again.
      database_->exec(
          "CREATE TABLE IF NOT EXISTS users ("
          "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
          "  name TEXT NOT NULL,"
          "  email TEXT NOT NULL UNIQUE,"
          "  create_time INTEGER NOT NULL)");  // in us since 1970
    });
  }

  // Adds a user and returns it, with its new id and the time.
  // Throws EmailTaken.
  UserRecord Create(const std::string& name, const std::string& email) {
    return Run([&] {
      using std::chrono::microseconds;
      const auto now = std::chrono::floor<microseconds>(
          std::chrono::system_clock::now().time_since_epoch());
      SQLite::Statement insert(*database_,
                               "INSERT INTO users (name, email, create_time) "
                               "VALUES (?, ?, ?) RETURNING *");
      insert.bind(1, name);
      insert.bind(2, email);
      insert.bind(3, static_cast<std::int64_t>(now.count()));
      return Users(insert).at(0);
    });
  }

  // The user with this id, if there is one.
  std::optional<UserRecord> Find(std::int64_t id) {
    return Run([&] {
      SQLite::Statement select(*database_, "SELECT * FROM users WHERE id = ?");
      select.bind(1, id);
      return First(Users(select));
    });
  }

  // The first users whose id is greater than `after`, at most `limit`, in the
  // order of their ids.
  std::vector<UserRecord> List(std::int64_t after, int limit) {
    return Run([&] {
      SQLite::Statement select(
          *database_, "SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ?");
      select.bind(1, after);
      select.bind(2, limit);
      return Users(select);
    });
  }

  // Changes what is given of the user with this id, and returns the user as it
  // is then. Nothing if there is none.
  // Throws EmailTaken.
  std::optional<UserRecord> Update(std::int64_t id,
                                   const std::optional<std::string>& name,
                                   const std::optional<std::string>& email) {
    return Run([&] {
      SQLite::Statement update(*database_,
                               "UPDATE users SET name = ifnull(?, name), "
                               "email = ifnull(?, email) WHERE id = ? "
                               "RETURNING *");
      if (name) update.bind(1, *name);
      if (email) update.bind(2, *email);
      update.bind(3, id);
      return First(Users(update));
    });
  }

  // Removes the user with this id. False if there is none.
  bool Delete(std::int64_t id) {
    return Run([&] {
      SQLite::Statement remove(*database_, "DELETE FROM users WHERE id = ?");
      remove.bind(1, id);
      return remove.exec() > 0;
    });
  }

 private:
  // How long another process may keep the database to itself.
  static constexpr int kPatienceMs = 4000;

  // Runs `work` alone, and tells in our words what SQLite's exceptions mean.
  template <class Work>
  std::invoke_result_t<Work> Run(const Work& work) {
    const std::lock_guard lock(mutex_);
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      if (error.getExtendedErrorCode() == SQLITE_CONSTRAINT_UNIQUE) {
        throw EmailTaken();
      }
      throw DatabaseError("SQLite, " + file_ + ": " + error.what());
    }
  }

  // Runs a statement to its end, where SQLite commits what it has written.
  static std::vector<UserRecord> Users(SQLite::Statement& statement) {
    std::vector<UserRecord> users;
    while (statement.executeStep()) {
      users.push_back(
          {statement.getColumn(0).getInt64(),
           statement.getColumn(1).getString(),
           statement.getColumn(2).getString(),
           std::chrono::sys_time<std::chrono::microseconds>(
               std::chrono::microseconds(statement.getColumn(3).getInt64()))});
    }
    return users;
  }

  static std::optional<UserRecord> First(const std::vector<UserRecord>& users) {
    if (users.empty()) return std::nullopt;
    return users.front();
  }

  const std::string file_;
  FairMutex mutex_;
  std::optional<SQLite::Database> database_;  // guarded by mutex_
};

}  // namespace workshop::user_management
