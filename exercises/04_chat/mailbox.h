// What waits to be written to one member.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "workshop/chat/v1/chat.pb.h"

// An event as all mailboxes share it.
using Event = std::shared_ptr<const workshop::chat::v1::TalkResponse>;

// A queue with an end: one thread takes out what others put in. Whoever puts
// something in never waits.
class Mailbox {
 public:
  // How many events may wait.
  static constexpr std::size_t kCapacity = 1'000;

  // Adds an event. False, and nothing is added, if the mailbox is full.
  bool Put(Event event) {
    const std::lock_guard lock(mutex_);
    if (events_.size() == kCapacity) return false;
    events_.push_back(std::move(event));
    changed_.notify_one();
    return true;
  }

  // Waits for an event and takes it out. Null once the mailbox is closed and
  // all that was in it has been taken.
  Event Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !events_.empty(); });
    if (events_.empty()) return nullptr;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  // Says that nothing more will be put in.
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;  // guarded by mutex_
  bool closed_ = false;       // guarded by mutex_
};
