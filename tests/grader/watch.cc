#include "tests/grader/watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "tests/grader/hint.h"
#include "tests/grader/scorecard.h"
#include "tests/grader/terminal.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Exit;
using testing::Process;

// A save is over when nothing has happened for so long: many editors write a
// file in several steps.
constexpr milliseconds kSettled{150};
// How often files are looked at where no events tell of them.
constexpr milliseconds kPollInterval{500};
// What a run that is told to stop may take to clean up.
constexpr milliseconds kStopLimit{5000};

// Why file events cannot be relied on below `folder`; empty if they can. A
// change that another machine makes is seen by no kernel but its own.
std::string WithoutEvents(const fs::path& folder) {
  struct statfs info;
  if (statfs(folder.c_str(), &info) != 0) return "";
  static const std::map<std::uint64_t, const char*> kRemote = {
      {0x6969, "NFS"},        {0x517b, "SMB"},
      {0xff534d42, "CIFS"},   {0xfe534d42, "SMB"},
      {0x01021997, "9p"},     {0x65735546, "FUSE or virtiofs"},
      {0x786f4256, "vboxsf"}, {0xbacbacbc, "vmhgfs"},
      {0x00c36400, "Ceph"},   {0x5346414f, "AFS"},
      {0x73757245, "Coda"},   {0x0bd00bd0, "Lustre"},
      {0x01161970, "GFS2"},   {0x47504653, "GPFS"},
      {0x7c7c6673, "prl_fs"},
  };
  const auto type = kRemote.find(static_cast<std::uint32_t>(info.f_type));
  if (type == kRemote.end()) return "";
  return fmt::format("this folder is mounted or shared ({})", type->second);
}

// Tells which exercises have changed since the last time.
class Changes {
 public:
  // `why_poll`: why no events are to be expected; empty: they are.
  Changes(const std::vector<CourseExercise>& course, std::string why_poll)
      : course_(course), why_poll_(std::move(why_poll)) {
    for (const CourseExercise& exercise : course_) {
      stamps_.push_back(StampOf(exercise));
      if (why_poll_.empty()) why_poll_ = WithoutEvents(exercise.directory);
    }
    if (why_poll_.empty()) Listen();
  }
  ~Changes() { Close(); }
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  // What to poll() for; -1 if there will be no events.
  int events() const { return events_; }
  const std::string& why_poll() const { return why_poll_; }

  // Takes the events that have come.
  void Drain() {
    alignas(inotify_event) std::array<char, 16 << 10> buffer;
    bool lost = false;
    ssize_t size = 0;
    while ((size = read(events_, buffer.data(), buffer.size())) > 0) {
      for (ssize_t at = 0; at < size;) {
        const auto* const event =
            reinterpret_cast<const inotify_event*>(buffer.data() + at);
        lost = lost || (event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    // A folder that is not the one we listened to: begin anew.
    if (lost) {
      Close();
      Listen();
    }
  }

  // The first exercise that has changed since it was last returned.
  const CourseExercise* Next() {
    for (std::size_t i = 0; i < course_.size(); ++i) {
      const std::string stamp = StampOf(course_[i]);
      if (stamp == stamps_[i]) continue;
      stamps_[i] = stamp;
      return &course_[i];
    }
    return nullptr;
  }

 private:
  void Listen() {
    events_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    std::set<fs::path> folders;
    for (const CourseExercise& exercise : course_) {
      for (const fs::path& file : LearnerFiles(exercise, exercise.directory)) {
        folders.insert(file.parent_path());
      }
    }
    for (const fs::path& folder : folders) {
      if (events_ >= 0 &&
          inotify_add_watch(events_, folder.c_str(),
                            IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE |
                                IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF |
                                IN_DELETE_SELF) >= 0) {
        continue;
      }
      why_poll_ = fmt::format("the system sends no file events for {} ({})",
                              folder.string(), std::strerror(errno));
      Close();
      return;
    }
  }

  void Close() {
    if (events_ >= 0) close(events_);
    events_ = -1;
  }

  // Differs after every save, also of the same content. The contents count as
  // well as the times: some file systems have these in whole seconds, and
  // opening a remote file is what brings news of it.
  static std::string StampOf(const CourseExercise& exercise) {
    const std::vector<fs::path> files =
        LearnerFiles(exercise, exercise.directory);
    std::string stamp = DigestOf(files);
    for (const fs::path& file : files) {
      struct stat info = {};
      if (stat(file.c_str(), &info) != 0) continue;
      stamp += fmt::format(" {}.{}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    }
    return stamp;
  }

  const std::vector<CourseExercise>& course_;
  std::string why_poll_;
  std::vector<std::string> stamps_;
  int events_ = -1;
};

// `make check` of one exercise, in processes of its own.
class GradingRun {
 public:
  // `wake` is an eventfd that is written to when there is news.
  GradingRun(const Workshop& workshop, const CourseExercise& exercise, int wake)
      : exercise_(exercise),
        sources_(DigestOf(LearnerFiles(exercise, exercise.directory))) {
    Process::Options options;
    options.directory = workshop.root.string();
    options.environment = {
        {"E", exercise.number()}, {"V", ""}, {kStatusLines, "1"}};
    options.on_line = [this, wake](const std::string& line, bool is_stderr) {
      constexpr std::string_view kMark = kStatusMark;
      if (!is_stderr || !line.starts_with(kMark)) return;
      const std::lock_guard lock(mutex_);
      doing_ = line.substr(kMark.size());
      const std::uint64_t one = 1;
      if (write(wake, &one, sizeof(one)) < 0) return;  // it is awake
    };
    process_ = std::make_unique<Process>(
        std::vector<std::string>{(workshop.root / ".make/check").string()},
        std::move(options));
    ended_ = static_cast<int>(syscall(SYS_pidfd_open, process_->pid(), 0));
    if (ended_ < 0) {
      throw CannotGrade(fmt::format("The system is too old to watch on: {}.",
                                    std::strerror(errno)));
    }
  }

  // Stops it, if it still runs. Ninja and the grader clean up when they are
  // told to; whoever is left after that is killed.
  ~GradingRun() {
    close(ended_);
    if (!process_->WaitForExit(milliseconds(0))) {
      kill(-process_->pid(), SIGTERM);
      process_->WaitForExit(kStopLimit);
    }
    process_.reset();
    testing::KillDescendants();
  }
  GradingRun(const GradingRun&) = delete;
  GradingRun& operator=(const GradingRun&) = delete;

  // What to poll() for.
  int ended() const { return ended_; }

  const CourseExercise& exercise() const { return exercise_; }
  const std::string& sources() const { return sources_; }

  std::string Doing() const {
    const std::lock_guard lock(mutex_);
    return doing_;
  }

  // Valid once it has ended: its exit status, and what it said about that.
  Exit Status() { return process_->WaitForExit(kStopLimit).value_or(Exit()); }
  std::string Output() const { return process_->Stdout(); }
  std::string Errors() const {
    std::string errors;
    std::istringstream lines(process_->Stderr());
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(kStatusMark)) errors += line + "\n";
    }
    return errors;
  }

 private:
  const CourseExercise& exercise_;
  const std::string sources_;
  mutable std::mutex mutex_;
  std::string doing_ = "starting";  // guarded by mutex_
  std::unique_ptr<Process> process_;
  int ended_ = -1;
};

// Tells one build of the grader from another.
std::string GraderBuild(const Workshop& workshop) {
  struct stat info = {};
  stat((workshop.build / "tests/grader/grader").c_str(), &info);
  return fmt::format("{}:{} {}.{}", info.st_dev, info.st_ino,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

class Watcher {
 public:
  Watcher(const Workshop& workshop, const std::vector<CourseExercise>& course,
          const CourseExercise& first, const Memory& memory, const Paint& paint,
          bool keys, bool poll)
      : workshop_(workshop),
        course_(course),
        memory_(memory),
        paint_(paint),
        keys_(keys),
        clears_(isatty(STDOUT_FILENO) != 0),
        shown_(&first),
        changes_(course, poll ? "POLL=1 asks for it" : ""),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) throw CannotGrade("There are no file descriptors left.");
  }
  ~Watcher() {
    run_.reset();
    close(wake_);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  int Run() {
    Start(*shown_);
    while (!quit_) {
      Await();
      if (due_ && steady_clock::now() >= *due_) LookForChanges();
    }
    return 0;
  }

 private:
  // Waits for what comes next, and sees to it.
  void Await() {
    pollfd polled[] = {{keys_ ? STDIN_FILENO : -1, POLLIN, 0},
                       {changes_.events(), POLLIN, 0},
                       {run_ ? run_->ended() : -1, POLLIN, 0},
                       {wake_, POLLIN, 0}};
    if (changes_.events() < 0 && !due_) {
      due_ = steady_clock::now() + kPollInterval;
    }
    int wait = -1;
    if (due_) {
      const auto left =
          std::chrono::ceil<milliseconds>(*due_ - steady_clock::now());
      wait = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    if (poll(polled, 4, wait) < 0) return;  // EINTR
    if (polled[3].revents != 0) {
      std::uint64_t count = 0;
      if (read(wake_, &count, sizeof(count)) > 0 && run_) ShowDoing();
    }
    if (polled[1].revents != 0) {
      changes_.Drain();
      due_ = steady_clock::now() + kSettled;
    }
    if (polled[2].revents != 0) Ended();
    if (polled[0].revents != 0) Keys();
  }

  void LookForChanges() {
    due_.reset();
    const CourseExercise* const changed = changes_.Next();
    if (changed == nullptr) return;
    // If another one has changed too, its turn comes next.
    due_ = steady_clock::now();
    const std::string sources =
        DigestOf(LearnerFiles(*changed, changed->directory));
    const bool covered =
        run_ && &run_->exercise() == changed && run_->sources() == sources;
    if (!covered) Start(*changed);
  }

  void Start(const CourseExercise& exercise) {
    run_.reset();
    status_.Clear();
    run_ = std::make_unique<GradingRun>(workshop_, exercise, wake_);
    ShowDoing();
  }

  void ShowDoing() { status_.Show(run_->Doing()); }

  // Shows what a run has found.
  void Ended() {
    const std::unique_ptr<GradingRun> run = std::move(run_);
    const Exit exit = run->Status();
    shown_ = &run->exercise();
    // The first run may have built it.
    if (grader_build_.empty()) grader_build_ = GraderBuild(workshop_);
    const bool graded = exit == Exit{0, 0} || exit == Exit{1, 0};
    Clear();
    if (graded && run->Errors().empty()) {
      Show(/*verbose=*/false);
    } else {
      std::cout << run->Output() << run->Errors();
      if (!graded && run->Errors().empty()) {
        std::cout << "`make check` " << Describe(exit) << ".\n";
      }
    }
    Footer();
  }

  // The scorecard, from what the run has left to be remembered.
  void Show(bool verbose) {
    Grade grade = RememberedGrade(*shown_, memory_.Load(*shown_));
    grade.remembered = false;
    const std::string next = grade.passed()
                                 ? DoneText(*shown_) + "\n" + GoOn()
                                 : NextStep({grade}, /*watching=*/true);
    std::cout << Scorecard({grade}, {paint_.colour(), verbose, next});
  }

  // What to do after the exercise that is shown: the next one that is not done,
  // or an earlier one.
  std::string GoOn() const {
    const CourseExercise* next = nullptr;
    for (const CourseExercise& exercise : course_) {
      if (RememberedGrade(exercise, memory_.Load(exercise)).passed()) continue;
      const bool first_after = exercise.name > shown_->name &&
                               (next == nullptr || next->name < shown_->name);
      if (next == nullptr || first_after) next = &exercise;
    }
    if (next == nullptr) return NextStep({}, /*watching=*/true);
    const Grade grade = RememberedGrade(*next, memory_.Load(*next));
    if (!grade.started) return NextStep({grade}, /*watching=*/true);
    return fmt::format("Go on with exercises/{}: save, and it is graded.",
                       next->name);
  }

  void Footer() {
    std::string text = "\n";
    if (!changes_.why_poll().empty()) {
      text += Wrap(fmt::format("Looking for changes every half second, since "
                               "{}.",
                               changes_.why_poll()),
                   0);
    }
    if (GraderBuild(workshop_) != grader_build_) {
      text +=
          "The workshop itself has changed: stop this and `make watch` "
          "again.\n";
    }
    text += keys_ ? "Waiting for a save.  h: next hint  a: all failures in full"
                    "  q: quit\n"
                  : "Waiting for a save; Ctrl-C ends it.\n";
    std::cout << paint_.Dim(text) << std::flush;
  }

  void Clear() {
    status_.Clear();
    if (clears_) {
      std::cout << "\033[H\033[2J";
    } else {
      std::cout << "\n";
    }
  }

  void Keys() {
    std::array<char, 64> typed;
    const ssize_t size = read(STDIN_FILENO, typed.data(), typed.size());
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) quit_ = true;  // the terminal is gone
    for (ssize_t i = 0; i < size; ++i) Key(typed[static_cast<std::size_t>(i)]);
  }

  void Key(char key) {
    constexpr char kEndOfInput = 4;  // Ctrl-D
    if (key == 'q' || key == 'Q' || key == kEndOfInput) {
      quit_ = true;
    } else if (key == 'h' || key == 'H') {
      status_.Clear();
      std::cout << "\n" << NextHint(*shown_, memory_, paint_) << std::flush;
      if (run_) ShowDoing();
    } else if ((key == 'a' || key == 'A') && !run_) {
      Clear();
      Show(/*verbose=*/true);
      Footer();
    }
  }

  const Workshop& workshop_;
  const std::vector<CourseExercise>& course_;
  const Memory& memory_;
  const Paint paint_;
  const bool keys_;
  const bool clears_;
  const CourseExercise* shown_;
  std::string grader_build_;  // that this began with
  Changes changes_;
  const int wake_;
  StatusLine status_;
  std::unique_ptr<GradingRun> run_;
  // When to look for changes: a while after the last event.
  std::optional<steady_clock::time_point> due_;
  bool quit_ = false;
};

}  // namespace

int Watch(const Workshop& workshop, const std::vector<CourseExercise>& course,
          const CourseExercise& first, const Memory& memory, const Paint& paint,
          bool keys, bool poll) {
  Watcher watcher(workshop, course, first, memory, paint, keys, poll);
  std::cout << "Watching. Grading " << first.name << " first.\n" << std::flush;
  return watcher.Run();
}

}  // namespace workshop::grader
