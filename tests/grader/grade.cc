#include "tests/grader/grade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "tests/grader/file_lock.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using testing::Process;

// Nothing is waited for without end; a compiler on a slow machine gets this.
constexpr std::chrono::minutes kBuildLimit{20};
constexpr std::chrono::seconds kEndLimit{10};

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Where the build puts what it makes of the sources in `submission`, as a path
// in the build tree.
fs::path BinaryDir(const Workshop& workshop, const fs::path& submission) {
  const fs::path in_build = submission.lexically_relative(workshop.build);
  if (!in_build.empty() && *in_build.begin() != "..") return in_build;
  return submission.lexically_relative(workshop.root);
}

struct NinjaRun {
  bool ok;
  std::string output;
};

NinjaRun Ninja(const fs::path& build, const std::vector<std::string>& targets,
               const Progress& progress) {
  std::vector<std::string> command = {"ninja", "-C", build.string(), "-k", "0"};
  command.insert(command.end(), targets.begin(), targets.end());
  Process::Options options;
  options.environment["NINJA_STATUS"] = "[%f/%t] ";
  // On large pages compilers are a tenth faster; .make/build does the same.
  options.environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1";
  options.on_line = [&](const std::string& line, bool /*is_stderr*/) {
    if (line.starts_with("[")) progress("building " + line);
  };
  Process ninja(std::move(command), std::move(options));
  const auto exit = ninja.WaitForExit(kBuildLimit);
  if (!exit) throw CannotGrade("The build did not end within 20 minutes.");
  if (exit->status == 127) {
    throw CannotGrade("ninja is not installed. `make setup` installs it.");
  }
  return {*exit == testing::Exit{0, 0}, ninja.Stdout() + ninja.Stderr()};
}

// Whether a line of ninja's output is its own or a command, and not what the
// compiler said.
bool IsNoise(std::string_view line) {
  for (const std::string_view begin : {"[", "FAILED: ", "ninja: ", ": && "}) {
    if (line.starts_with(begin)) return true;
  }
  const bool is_count = line.ends_with(" generated.");  // "2 errors generated."
  const bool is_command =
      (line.starts_with("/") && line.find(" -o ") != std::string_view::npos) ||
      (line.starts_with("cd /") && line.find(" && ") != std::string_view::npos);
  return is_count || is_command;
}

// What a compiler or linker said of a submission, from its first error on, with
// paths relative to the workshop.
std::string CompilerOutput(const std::string& ninja_output,
                           const fs::path& root, const fs::path& submission) {
  const std::string prefix = root.string() + "/";
  std::string text;
  std::istringstream lines(ninja_output);
  for (std::string line; std::getline(lines, line);) {
    if (IsNoise(line)) continue;
    for (auto at = line.find(prefix); at != std::string::npos;
         at = line.find(prefix)) {
      line.erase(at, prefix.size());
    }
    // protoc calls a contract of the learner's by its name alone.
    if (line.find(".proto:") < line.find('/')) {
      line.insert(0, submission.lexically_relative(root).string() + "/");
    }
    text += line + "\n";
  }
  const std::size_t error = text.find("error: ");
  if (error == std::string::npos) return text;
  const std::size_t line = text.rfind('\n', error);
  return line == std::string::npos ? text : text.substr(line + 1);
}

// Why a learner's source cannot even be compiled; empty if it can be tried.
std::string SourceProblem(const fs::path& source, const std::string& shown) {
  std::string problem;
  if (!fs::exists(source)) {
    problem = "is gone";
  } else if (ReadFile(source).find_first_not_of(" \t\r\n") ==
             std::string::npos) {
    problem = "is empty";
  } else {
    return "";
  }
  return fmt::format(
      "{0} {1}. Its last committed version comes back with\n"
      "  git checkout {0}\n",
      shown, problem);
}

// Whether this failure is the workshop's or the machine's and not one of the
// learner's code.
void ThrowIfMachineFailed(const std::string& output) {
  constexpr std::pair<std::string_view, std::string_view> kReasons[] = {
      {"No space left on device",
       "The disk is full. Free some space and try again."},
      {"Read-only file system",
       "The build folder is on a read-only file system. Use a copy of the "
       "workshop that you may write to."},
      {"Permission denied",
       "The build folder may not be written. `chmod -R u+w build`, or `make "
       "clean` as whoever owns it, and try again."},
      {"No such file or directory: 'clang++'",
       "clang++ is not installed. `make setup` installs it."},
      {"clang++: not found",
       "clang++ is not installed. `make setup` installs it."},
  };
  for (const auto& [sign, reason] : kReasons) {
    if (output.find(sign) != std::string::npos) {
      throw CannotGrade(std::string(reason));
    }
  }
}

// The libraries that a suite loads while it runs.
std::vector<fs::path> LibrariesOf(const fs::path& suite_folder) {
  std::vector<fs::path> libraries;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(suite_folder, error), end;
       !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".so") libraries.push_back(entry->path());
  }
  std::sort(libraries.begin(), libraries.end());
  return libraries;
}

// What the suite must know of programs that a sanitizer was built into.
std::vector<std::string> SuiteArguments(const Workshop& workshop,
                                        const fs::path& submission) {
  if (workshop.sanitizer.empty()) return {};
  return {"--patience",
          "4",
          "--sanitized-root",
          workshop.root.string(),
          "--sanitized-sources",
          submission.lexically_relative(workshop.root).string()};
}

v1::BuildFailure Failure(const std::string& program, const std::string& text) {
  v1::BuildFailure failure;
  failure.set_program(program);
  failure.set_text(text);
  return failure;
}

v1::TestReport Lost(v1::TestReport listed) {
  listed.set_verdict(v1::FAIL);
  listed.mutable_explanation()->add_came_back(
      "no result: the suite was stopped before it could report this test");
  return listed;
}

}  // namespace

int TaskGrade::passed() const {
  return static_cast<int>(std::count_if(
      tests.begin(), tests.end(),
      [](const auto& test) { return test.verdict() == v1::PASS; }));
}

bool TaskGrade::done() const {
  return !tests.empty() && passed() == static_cast<int>(tests.size());
}

bool Grade::passed() const {
  return !tasks.empty() &&
         std::all_of(tasks.begin(), tasks.end(),
                     [](const TaskGrade& task) { return task.done(); });
}

int Grade::score() const {
  return std::accumulate(
      tasks.begin(), tasks.end(), 0,
      [](int sum, const TaskGrade& task) { return sum + task.score(); });
}

std::vector<v1::TestReport> RunSuite(
    const fs::path& suite, const std::map<std::string, fs::path>& programs,
    std::uint64_t seed, const OnReport& on_report,
    const std::vector<std::string>& more_arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw CannotGrade("There are no pipes left.");
  std::vector<std::string> command = {suite.string(), "--seed",
                                      std::to_string(seed), "--report",
                                      std::to_string(ends[1])};
  for (const auto& [name, path] : programs) {
    command.insert(command.end(), {"--program", name + "=" + path.string()});
  }
  command.insert(command.end(), more_arguments.begin(), more_arguments.end());
  // Whatever the programs leave in their temporary folders goes with this.
  const testing::TempDir temporary;
  Process::Options options;
  options.environment["TMPDIR"] = temporary.path();
  options.inherit = {ends[1]};
  Process process(std::move(command), std::move(options));
  close(ends[1]);

  // The list comes first, a report without a verdict for each test; then the
  // reports in the order in which the tests end. Each test has its own time
  // limit in the suite, so that the end of the pipe comes in bounded time.
  std::vector<v1::TestReport> tests;
  bool enough = false;
  google::protobuf::io::FileInputStream in(ends[0]);
  in.SetCloseOnDelete(true);
  v1::TestReport report;
  bool clean_end = false;
  while (!enough && google::protobuf::util::ParseDelimitedFromZeroCopyStream(
                        &report, &in, &clean_end)) {
    const auto known = std::find_if(
        tests.begin(), tests.end(),
        [&](const auto& test) { return test.name() == report.name(); });
    if (known == tests.end()) {
      tests.push_back(report);
    } else {
      *known = report;
      enough = on_report(tests);
    }
    report.Clear();
  }
  if (enough) return tests;
  process.WaitForExit(kEndLimit);
  if (tests.empty()) {
    throw CannotGrade("The suite " + suite.string() + " does not run:\n" +
                      process.Stderr());
  }
  for (v1::TestReport& test : tests) {
    if (test.verdict() == v1::VERDICT_UNSPECIFIED) test = Lost(test);
  }
  return tests;
}

Grade GradeExercise(const Workshop& workshop, const CourseExercise& exercise,
                    const fs::path& submission, std::uint64_t seed,
                    const Progress& progress, const v1::Run& known) {
  const bool started = !IsUntouched(exercise, submission);
  const std::string sources = DigestOf(LearnerFiles(exercise, submission));

  // There is nothing to find, and these programs take long to build.
  if (!started && !workshop.sanitizer.empty()) return GradeOf(exercise, {});

  const fs::path binary_dir = BinaryDir(workshop, submission);
  const std::string suite = "tests/exercises/" + exercise.name + "_test";
  const auto target = [&](const std::string& program) {
    return (binary_dir / workshop.sanitizer / program).string();
  };

  // What is no program's own source, such as a .proto, is part of all of them.
  const auto problem_of = [&](const std::string& file) {
    const fs::path source = submission / file;
    return SourceProblem(source,
                         source.lexically_relative(workshop.root).string());
  };
  std::string shared_problem;
  for (const v1::File& file : exercise.manifest.files()) {
    if (!file.name().ends_with(".cc"))
      shared_problem += problem_of(file.name());
  }
  std::vector<v1::BuildFailure> failures;
  std::vector<std::string> to_build;
  for (const std::string& program : exercise.manifest.programs()) {
    std::string problem = shared_problem + problem_of(program + ".cc");
    if (problem.empty()) {
      to_build.push_back(program);
    } else {
      failures.push_back(Failure(program, problem));
    }
  }
  std::vector<std::string> targets = {suite};
  for (const std::string& program : to_build)
    targets.push_back(target(program));
  std::vector<std::string> built = to_build;
  // Ninja does not look whether another one runs in the same folder.
  std::optional<FileLock> lock(
      std::in_place, workshop.build / ".building",
      [&] { progress("waiting for another build to end"); });
  if (!Ninja(workshop.build, targets, progress).ok) {
    // Something does not build. One by one, so that it costs only itself.
    const NinjaRun suite_run = Ninja(workshop.build, {suite}, progress);
    ThrowIfMachineFailed(suite_run.output);
    if (!suite_run.ok) {
      throw CannotGrade(
          "The suite " + suite + " does not build:\n" +
          CompilerOutput(suite_run.output, workshop.root, submission));
    }
    built.clear();
    for (const std::string& program : to_build) {
      const NinjaRun run = Ninja(workshop.build, {target(program)}, progress);
      ThrowIfMachineFailed(run.output);
      if (run.ok) {
        built.push_back(program);
      } else {
        failures.push_back(Failure(
            program, CompilerOutput(run.output, workshop.root, submission)));
      }
    }
  }
  lock.reset();

  if (!started) return GradeOf(exercise, {});

  std::map<std::string, fs::path> programs;
  std::vector<fs::path> decisive =
      LibrariesOf(workshop.build / "tests/exercises" / exercise.name);
  decisive.push_back(workshop.build / suite);
  decisive.push_back(exercise.directory / "exercise.textproto");
  for (const std::string& program : built) {
    programs[program] = workshop.build / target(program);
    decisive.push_back(programs[program]);
  }
  v1::Run run;
  run.set_sources(sources);
  run.set_programs(DigestOf(decisive));
  if (run.sources() == known.sources() && run.programs() == known.programs()) {
    run = known;
    run.mutable_build_failures()->Assign(failures.begin(), failures.end());
    Grade grade = GradeOf(exercise, run);
    grade.remembered = true;
    return grade;
  }
  const auto start = steady_clock::now();
  const auto show_progress = [&](const std::vector<v1::TestReport>& tests) {
    const auto done =
        std::count_if(tests.begin(), tests.end(), [](const auto& test) {
          return test.verdict() != v1::VERDICT_UNSPECIFIED;
        });
    progress(fmt::format("running test {} of {}", done, tests.size()));
    return false;
  };
  const std::vector<v1::TestReport> tests =
      RunSuite(workshop.build / suite, programs, seed, show_progress,
               SuiteArguments(workshop, submission));
  run.set_suite_seconds(SecondsSince(start));
  *run.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  run.set_seed(seed);
  run.mutable_tests()->Assign(tests.begin(), tests.end());
  run.mutable_build_failures()->Assign(failures.begin(), failures.end());
  if (DigestOf(decisive) != run.programs()) run.clear_programs();
  Grade grade = GradeOf(exercise, run);
  for (const TaskGrade& task : grade.tasks) {
    if (task.tests.empty()) {
      throw CannotGrade(fmt::format("The suite {} has no test for {}.", suite,
                                    task.task.suite()));
    }
  }
  return grade;
}

Grade GradeOf(const CourseExercise& exercise, const v1::Run& run) {
  Grade grade;
  grade.exercise = exercise;
  grade.run = run;
  grade.started = run.has_time();
  grade.suite_seconds = run.suite_seconds();
  for (const v1::BuildFailure& failure : run.build_failures()) {
    grade.build_errors.push_back({failure.program(), failure.text()});
  }
  for (const v1::Task& task : exercise.manifest.tasks()) {
    TaskGrade task_grade = {task, {}};
    for (const v1::TestReport& test : run.tests()) {
      if (test.name().starts_with(task.suite() + ".")) {
        task_grade.tests.push_back(test);
      }
    }
    grade.tasks.push_back(std::move(task_grade));
  }
  return grade;
}

}  // namespace workshop::grader
