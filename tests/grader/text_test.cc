#include "tests/grader/text.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/grader/course.h"
#include "tests/grader/reports.h"

namespace workshop::grader {
namespace {

TEST(TextTest, MakesASentenceOfATestName) {
  EXPECT_EQ(TestTitle("Task2_Errors.RejectsADivisionByZero"),
            "Rejects a division by zero");
  EXPECT_EQ(TestTitle("Task1_Arithmetic.KeepsAll64Bits"), "Keeps all 64 bits");
}

TEST(TextTest, WrapsAtSpaces) {
  const std::string words(3, 'x');
  std::string text = words;
  for (int i = 0; i < 40; ++i) text += " " + words;
  std::size_t begin = 0;
  const std::string wrapped = Wrap(text, 6);
  while (begin < wrapped.size()) {
    const std::size_t end = wrapped.find('\n', begin);
    EXPECT_LE(end - begin, kColumns);
    EXPECT_EQ(wrapped.substr(begin, 7), "      x");
    begin = end + 1;
  }
}

TEST(TextTest, KeepsLineBreaksAndLongWords) {
  const std::string word(100, 'x');
  EXPECT_EQ(Wrap("a\n" + word + " b", 2), "  a\n  " + word + "\n  b\n");
}

TEST(TextTest, KeepsCodeInOnePiece) {
  const std::string text = std::string(70, 'x') + " `make check E=01`";
  EXPECT_EQ(Wrap(text, 0), std::string(70, 'x') + "\n`make check E=01`\n");
}

TEST(TextTest, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("a\033[2Jb\r\tc\n"),
            "a\xef\xbf\xbd[2Jb\xef\xbf\xbd\tc\n");
  EXPECT_EQ(Printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(Printable("\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(CourseTest, ComputesGitsBlobId) {
  // `printf 'hello\n' | git hash-object --stdin`
  EXPECT_EQ(GitBlobId("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(ReportsTest, EscapesWhatAProgramPrinted) {
  Grade grade;
  grade.exercise.name = "01_test";
  grade.started = true;
  TaskGrade& task = grade.tasks.emplace_back();
  v1::TestReport& test = task.tests.emplace_back();
  test.set_name("Task1_A.Works");
  test.set_verdict(v1::FAIL);
  test.mutable_explanation()->set_output(
      "<script>alert('1')</script>&\x01\xff");
  const std::string escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;";
  EXPECT_NE(Html({grade}).find(escaped), std::string::npos);
  EXPECT_NE(JUnitXml(grade).find(escaped), std::string::npos);
  EXPECT_EQ(Html({grade}).find("<script"), std::string::npos);
  EXPECT_NE(ResultsJson(grade).find("\"status\": \"fail\""), std::string::npos);
}

TEST(AgoTest, CountsInTheLargestUnitThatFits) {
  EXPECT_EQ(Ago(-5), "just now");  // the clock was set back
  EXPECT_EQ(Ago(59), "just now");
  EXPECT_EQ(Ago(60), "1 minute ago");
  EXPECT_EQ(Ago(59 * 60 + 59), "59 minutes ago");
  EXPECT_EQ(Ago(3600), "1 hour ago");
  EXPECT_EQ(Ago(47 * 3600), "47 hours ago");
  EXPECT_EQ(Ago(48 * 3600), "2 days ago");
}

}  // namespace
}  // namespace workshop::grader
