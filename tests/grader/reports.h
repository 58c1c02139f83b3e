// What `make check` leaves in build/report, for the eye and for machines.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/grader/grade.h"

namespace workshop::grader {

// The results in Exercism's format; see proto/workshop/grader/v1/grader.proto.
v1::Results ResultsOf(const Grade& grade);

// results.json, with every field by its name in the proto.
std::string ResultsJson(const Grade& grade);

// The results as JUnit XML, as most CI systems read it.
std::string JUnitXml(const Grade& grade);

// A page that shows the same as the scorecard, whole in one file.
std::string Html(const std::vector<Grade>& grades);

// Writes results.json and junit.xml of each exercise below `directory`, and
// index.html for all. Throws CannotGrade if that is not possible.
void WriteReports(const std::vector<Grade>& grades,
                  const std::filesystem::path& directory);

}  // namespace workshop::grader
