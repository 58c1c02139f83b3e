// Makes the mistake that its argument names. Built with the sanitizers, for
// their reports to be read.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

// What the compiler must not see through.
volatile int zero = 0;
volatile int seven = 7;
volatile std::int64_t largest = std::numeric_limits<std::int64_t>::max();
void* volatile sink = nullptr;

void Sink(std::int64_t value) { sink = reinterpret_cast<void*>(value); }

int HeapUseAfterFree() {
  auto number = std::make_unique<int>(7);
  const int* const dangling = number.get();
  number.reset();
  return *dangling;
}

int HeapBufferOverflow() {
  const std::vector<int> numbers(7);
  return numbers[static_cast<std::size_t>(seven)];
}

int StackBufferOverflow() {
  const int numbers[7] = {};
  const int* const begin = numbers;
  return begin[seven];
}

int GlobalBufferOverflow() {
  static int numbers[7];
  const int* const begin = numbers;
  return begin[seven];
}

int StackUseAfterScope() {
  const int* dangling = nullptr;
  {
    const int number = seven;
    dangling = &number;
  }
  return *dangling;
}

const int* PointerToALocal() {
  const int number = seven;
  const int* volatile address = &number;
  return address;
}

int StackUseAfterReturn() { return *PointerToALocal(); }

int DoubleFree() {
  auto* const number = new int(7);
  delete number;
  int* volatile again = number;
  delete again;
  return 0;
}

int FreeOfWhatWasNotAllocated() {
  int numbers[7] = {};
  int* volatile inner = numbers + 1;
  delete inner;
  return 0;
}

int AllocDeallocMismatch() {
  int* volatile numbers = new int[7];
  delete numbers;
  return 0;
}

int NegativeSize() {
  char text[7] = "";
  std::memset(text, 0, static_cast<std::size_t>(zero - 1));
  return text[0];
}

int OverlappingMemcpy() {
  char text[9] = "overlap";
  std::memcpy(text + 1, text, static_cast<std::size_t>(seven));
  return text[0];
}

int TooMuchMemory() {
  const std::vector<char> text(static_cast<std::size_t>(largest));
  return text[0];
}

int MemoryWithoutEnd() {
  while (true) {
    char* const more = new char[1 << 20];
    std::memset(more, seven, 1 << 20);
    sink = more;
  }
}

// Deeper than any stack, and with a frame that the compiler keeps.
int Recurse(int depth) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  return Recurse(depth + 1) + frame[0];
}

int StackOverflow() { return Recurse(0); }

int NullPointer() {
  const int* volatile pointer = nullptr;
  return *pointer;
}

int Leak() {
  sink = new std::string("a string that is too long to be kept in its object");
  sink = nullptr;
  return 0;
}

int SignedIntegerOverflow() {
  Sink(largest + seven);
  return 0;
}

int DivisionByZero() { return seven / zero; }

int ShiftTooFar() { return seven << (seven * seven); }

int IndexOutOfBounds() {
  int numbers[7] = {};
  return numbers[seven];
}

struct Object {
  virtual ~Object() = default;
  virtual int Number() const { return 7; }
  int number = 7;
};

int MemberOfNull() {
  const Object* volatile object = nullptr;
  return object->number;
}

int InvalidBool() {
  bool flag = false;
  std::memset(&flag, seven, sizeof(flag));
  return flag ? 1 : 0;
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wreturn-type"
int Returnless() {
  if (zero != 0) return 7;
}
#pragma clang diagnostic pop

int MissingReturn() { return Returnless(); }

int MisalignedPointer() {
  alignas(8) char bytes[16] = {};
  const auto* const number = reinterpret_cast<const int*>(bytes + seven);
  return *number;
}

int WrongType() {
  alignas(Object) char bytes[sizeof(Object)] = {};
  const auto* const object = reinterpret_cast<const Object*>(bytes);
  return object->Number();
}

int NullToMemcpy() {
  char text[7] = "";
  const void* volatile nothing = nullptr;
  std::memcpy(text, nothing, static_cast<std::size_t>(zero));
  return text[0];
}

int InBothThreads(const std::function<void()>& work) {
  std::thread other(work);
  work();
  other.join();
  return 0;
}

int DataRace() {
  static int counter = 0;
  return InBothThreads([] {
    for (int i = 0; i < 1000; ++i) ++counter;
  });
}

int LockOrderInversion() {
  static std::mutex a, b;
  std::thread([] {
    const std::lock_guard first(a);
    const std::lock_guard second(b);
  }).join();
  const std::lock_guard first(b);
  const std::lock_guard second(a);
  return 0;
}

int UnlockOfAnUnlockedMutex() {
  static std::mutex mutex;
  mutex.unlock();
  return 0;
}

const std::map<std::string, std::function<int()>> kMistakes = {
    {"heap-use-after-free", HeapUseAfterFree},
    {"heap-buffer-overflow", HeapBufferOverflow},
    {"stack-buffer-overflow", StackBufferOverflow},
    {"global-buffer-overflow", GlobalBufferOverflow},
    {"stack-use-after-scope", StackUseAfterScope},
    {"stack-use-after-return", StackUseAfterReturn},
    {"double-free", DoubleFree},
    {"bad-free", FreeOfWhatWasNotAllocated},
    {"alloc-dealloc-mismatch", AllocDeallocMismatch},
    {"negative-size", NegativeSize},
    {"overlapping-memcpy", OverlappingMemcpy},
    {"too-much-memory", TooMuchMemory},
    {"memory-without-end", MemoryWithoutEnd},
    {"stack-overflow", StackOverflow},
    {"null-pointer", NullPointer},
    {"leak", Leak},
    {"signed-integer-overflow", SignedIntegerOverflow},
    {"division-by-zero", DivisionByZero},
    {"shift-too-far", ShiftTooFar},
    {"index-out-of-bounds", IndexOutOfBounds},
    {"member-of-null", MemberOfNull},
    {"invalid-bool", InvalidBool},
    {"missing-return", MissingReturn},
    {"misaligned-pointer", MisalignedPointer},
    {"wrong-type", WrongType},
    {"null-to-memcpy", NullToMemcpy},
    {"data-race", DataRace},
    {"lock-order-inversion", LockOrderInversion},
    {"unlock-of-an-unlocked-mutex", UnlockOfAnUnlockedMutex},
};

}  // namespace

int main(int argc, char** argv) {
  const auto mistake = kMistakes.find(argc == 2 ? argv[1] : "");
  if (mistake == kMistakes.end()) {
    std::cerr << "usage: mistakes MISTAKE\n";
    return 2;
  }
  Sink(mistake->second());
  return 0;
}
