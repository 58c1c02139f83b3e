#include "tests/grader/course.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <system_error>

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// Remembers the first mistake that the parser finds in a manifest.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  std::string text;

 private:
  void AddError(int line, int column, const std::string& message) override {
    if (!text.empty()) return;
    text = fmt::format("line {}, column {}: {}", line + 1, column + 1, message);
  }
};

v1::Exercise LoadManifest(const fs::path& path) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  v1::Exercise exercise;
  if (!parser.ParseFromString(ReadFile(path), &exercise)) {
    throw CannotGrade(
        fmt::format("{} cannot be read: {}. `git checkout {}` brings it back.",
                    path.string(), error.text, path.string()));
  }
  if (exercise.tasks().empty() || exercise.programs().empty()) {
    throw CannotGrade(fmt::format(
        "{} names no task or no program. `git checkout {}` brings it back.",
        path.string(), path.string()));
  }
  return exercise;
}

std::string Digest(const std::string& text, const EVP_MD& algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, &algorithm,
                 nullptr) != 1) {
    throw CannotGrade("OpenSSL cannot compute a digest.");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace

std::vector<CourseExercise> LoadCourse(const fs::path& root) {
  std::vector<CourseExercise> course;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "exercises", error)) {
    const fs::path manifest = entry.path() / "exercise.textproto";
    if (!entry.is_directory() || !fs::exists(manifest)) continue;
    course.push_back({entry.path().filename().string(), entry.path(),
                      LoadManifest(manifest)});
  }
  if (course.empty()) {
    throw CannotGrade("There are no exercises below " + root.string() +
                      ". Run this in the workshop's folder.");
  }
  std::sort(course.begin(), course.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return course;
}

const CourseExercise& Find(const std::vector<CourseExercise>& course,
                           const std::string& wanted) {
  int number = 0;
  const char* const end = wanted.data() + wanted.size();
  const auto parsed = std::from_chars(wanted.data(), end, number);
  for (const CourseExercise& exercise : course) {
    if (exercise.name == wanted) return exercise;
    if (parsed.ec == std::errc() && parsed.ptr == end &&
        exercise.number() == fmt::format("{:02}", number)) {
      return exercise;
    }
  }
  std::string known;
  for (const CourseExercise& exercise : course) {
    known += fmt::format("\n  E={}  {}", exercise.number(), exercise.name);
  }
  throw CannotGrade(
      fmt::format("There is no exercise \"{}\". There are:{}", wanted, known));
}

bool IsUntouched(const CourseExercise& exercise, const fs::path& directory) {
  return std::all_of(
      exercise.manifest.files().begin(), exercise.manifest.files().end(),
      [&](const v1::File& file) {
        const fs::path path = directory / file.name();
        return fs::exists(path) && GitBlobId(ReadFile(path)) == file.skeleton();
      });
}

std::vector<fs::path> LearnerFiles(const CourseExercise& exercise,
                                   const fs::path& directory) {
  std::set<fs::path> files;
  for (const v1::File& file : exercise.manifest.files()) {
    files.insert(directory / file.name());
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string type = entry.path().extension();
    if (type == ".cc" || type == ".h" || type == ".proto") {
      files.insert(entry.path());
    }
  }
  return {files.begin(), files.end()};
}

std::string DigestOf(const std::vector<fs::path>& files) {
  std::string contents;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    contents += file.filename().string() + "=" +
                (in ? Digest(content.str(), *EVP_sha256()) : "none") + "\n";
  }
  return Digest(contents, *EVP_sha256());
}

std::string GitBlobId(const std::string& content) {
  std::string blob = fmt::format("blob {}", content.size());
  blob.push_back('\0');
  return Digest(blob + content, *EVP_sha1());
}

int MaxScore(const v1::Exercise& exercise) {
  int score = 0;
  for (const v1::Task& task : exercise.tasks()) score += task.points();
  return score;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  if (!in) {
    throw CannotGrade(fmt::format("{} cannot be read: {}.", path.string(),
                                  std::strerror(errno)));
  }
  return content.str();
}

void WriteFile(const fs::path& path, const std::string& content) {
  const fs::path next = path.string() + ".next";
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  errno = 0;
  std::ofstream out(next, std::ios::binary);
  out << content;
  out.close();
  if (out) fs::rename(next, path, error);
  if (!out || error) {
    const std::string why = error ? error.message() : std::strerror(errno);
    fs::remove(next, error);
    throw CannotGrade(fmt::format(
        "{} cannot be written: {}. Is the disk full, or the folder read-only? "
        "Free some space or `chmod -R u+w {}`, and try again.",
        path.string(), why, path.parent_path().string()));
  }
}

}  // namespace workshop::grader
