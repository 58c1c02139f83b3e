// What exercises/02_user_management/README.md promises, one test per promise.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <latch>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/exercises/02_user_management/users_test.h"
#include "tests/support/exercise_test.h"
#include "tests/support/reflection.h"

namespace workshop::testing {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using grpc::StatusCode;

constexpr char kTheCalls[] = "exercises/02_user_management/README.md#the-calls";

class Task1_Design : public UsersTest {
 protected:
  // users.proto declares the call and its messages as the README does, and
  // `message` too.
  void ExpectDeclared(const std::string& call,
                      const std::string& message = "") {
    Promises(fmt::format(
        "users.proto declares {} as the table does: the call, its messages, "
        "and of each field the number, the type and the name.",
        call));
    Usually(
        "users.proto lacks something of the table, or has it otherwise. On the "
        "wire a field is its number and its type: with another one, two "
        "programs lose each other's values without any error.");
    const google::protobuf::ServiceDescriptor& wanted =
        *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            UserManagement::service_full_name());
    google::protobuf::DescriptorPool pool;
    const std::string sent =
        "your server was asked for its users.proto, by gRPC's reflection";
    const grpc::Status status = FetchContract(
        pool, std::chrono::system_clock::now() + Patience(kCallLimit));
    const auto* const actual = pool.FindServiceByName(wanted.full_name());
    if (!status.ok() || actual == nullptr) {
      Usually(
          "The package or the service has another name, main() does not "
          "register the service, or InitProtoReflectionServerBuilderPlugin() "
          "is gone from it.");
      if (status.error_code() == StatusCode::DEADLINE_EXCEEDED) LosePatience();
      Fail({sent},
           {fmt::format("no service {}: {}", wanted.full_name(),
                        status.ok() ? "the proto has none"
                                    : CodeName(status.error_code()) + ", " +
                                          status.error_message())});
    }
    std::vector<std::string> differences =
        Differences(*wanted.FindMethodByName(call), *actual);
    if (!message.empty()) {
      const std::string name = wanted.file()->package() + "." + message;
      for (std::string& difference :
           Differences(*wanted.file()->FindMessageTypeByName(message),
                       pool.FindMessageTypeByName(name))) {
        differences.push_back(std::move(difference));
      }
    }
    if (!differences.empty()) Fail({sent}, differences);
  }
};

TEST_F(Task1_Design, DeclaresAUserAndHowToCreateOne) {
  ExpectDeclared("CreateUser", "User");
}

TEST_F(Task1_Design, DeclaresGetUser) { ExpectDeclared("GetUser"); }

TEST_F(Task1_Design, DeclaresListUsers) { ExpectDeclared("ListUsers"); }

TEST_F(Task1_Design, DeclaresUpdateUser) { ExpectDeclared("UpdateUser"); }

TEST_F(Task1_Design, DeclaresDeleteUser) { ExpectDeclared("DeleteUser"); }

class Task2_Crud : public UsersTest {
 protected:
  // In milliseconds since 1970.
  static std::int64_t Now() {
    return TimeUtil::TimestampToMilliseconds(TimeUtil::GetCurrentTime());
  }

  // Adds `count` users behind the server's back, which is quicker.
  void Fill(int count) {
    try {
      SQLite::Database database(database_, SQLite::OPEN_READWRITE);
      SQLite::Transaction transaction(database);
      for (int i = 0; i < count; ++i) {
        SQLite::Statement insert(
            database,
            "INSERT INTO users (name, email, create_time) VALUES ('A', ?, 0)");
        insert.bind(1, fmt::format("a{}@example.com", i));
        insert.exec();
      }
      transaction.commit();
    } catch (const SQLite::Exception& error) {
      Usually("The server does not open its --database by UserRepository.");
      Fail({fmt::format("{} users were put into the database by hand", count)},
           {error.what()});
    }
  }
};

TEST_F(Task2_Crud, CreatesAUserAndFindsItAgain) {
  Promises(
      "CreateUser answers with all of the new user: a positive id, the name "
      "and the email as they were sent, and the time of the call. GetUser "
      "finds just that.");
  Usually(
      "A field of the record never gets into the message, or another one does. "
      "One function that makes a User of a UserRecord serves all calls.");
  for (int i = 0; i < 2; ++i) {
    const std::string name = AnyName(), email = AnyEmail();
    const std::int64_t before = Now();
    const Outcome<CreateUserResponse> created = Create(name, email);
    const std::int64_t after = Now();
    const User& user = created.response.user();
    ExpectOf(created,
             user.id() > 0 && user.name() == name && user.email() == email);
    Usually(
        "create_time is not set, or in another unit: TimeUtil::"
        "MicrosecondsToTimestamp() makes a Timestamp of microseconds.");
    const std::int64_t at =
        TimeUtil::TimestampToMilliseconds(user.create_time());
    ExpectOf(created, at >= before - 1000 && at <= after + 1000);
    ExpectFound(user);
  }
}

TEST_F(Task2_Crud, NeverReusesAnId) {
  Promises("The id of a user who is gone is not given to another one.");
  Usually("The id is not the one that the repository has given.");
  const std::vector<User> users = NewUsers(2);
  ExpectOf(Delete(users[1].id()), true);
  const Outcome<CreateUserResponse> next = Create(AnyName(), AnyEmail());
  const std::int64_t id = next.response.user().id();
  ExpectOf(next, id > 0 && id != users[0].id() && id != users[1].id());
}

TEST_F(Task2_Crud, ListsUsersInTheOrderOfTheirIds) {
  Promises("ListUsers answers with all users in the order of their ids.");
  std::vector<User> users = NewUsers(5);
  ExpectPage(List(), users);
  const auto gone = users.begin() + Random(0, 4);
  ExpectOf(Delete(gone->id()), true);
  users.erase(gone);
  ExpectPage(List(), users);
}

TEST_F(Task2_Crud, ListsPageByPage) {
  Promises(
      "A page holds page_size users. Its next_page_token leads to the page "
      "behind it, and is empty if there is none.");
  const int size = static_cast<int>(Random(2, 4));
  std::vector<User> users = NewUsers(2 * size);
  const std::vector<User> first(users.begin(), users.begin() + size);
  const std::vector<User> second(users.begin() + size, users.end());
  std::string token = ExpectPage(List(size), first, true);
  Usually(
      "A page that is full may still be the last one: ask the repository for "
      "one user more than fits, to know.");
  ExpectPage(List(size, token), second);
  const User last = NewUser();
  token = ExpectPage(List(size, token), second, true);
  ExpectPage(List(size, token), {last});
}

TEST_F(Task2_Crud, KeepsItsPlaceBetweenPages) {
  Promises(
      "A user who is deleted or added between two pages neither hides another "
      "one nor shows it twice.");
  Usually(
      "The token counts users: when one of them goes, the others move up. Let "
      "it say behind which id to go on.");
  std::vector<User> users = NewUsers(6);
  const std::string token =
      ExpectPage(List(2), {users[0], users[1]}, /*more=*/true);
  const std::int64_t gone = users[Random(0, 1)].id();
  ExpectOf(Delete(gone), true);
  Outcome<ListUsersResponse> next = List(2, token);
  next.sent = fmt::format("after the first page, user {} was deleted; then\n{}",
                          gone, next.sent);
  ExpectPage(next, {users[2], users[3]}, true);
}

TEST_F(Task2_Crud, LimitsAPage) {
  Promises(
      "A page holds 50 users if page_size is 0, and 1000 if it is greater.");
  Usually(
      "page_size is used as it comes. 0 is what a caller sends who says "
      "nothing: the default is meant. Watch also for page_size + 1, which "
      "need not fit.");
  const int there = 1005;
  Fill(there);
  const auto first_ids = [](const ListUsersResponse& page, int count) {
    bool fine = page.users_size() == count;
    for (int i = 0; fine && i < count; ++i) fine = page.users(i).id() == i + 1;
    return fine && !page.next_page_token().empty();
  };
  for (const auto& [size, count] :
       {std::pair(0, 50), std::pair(1000, 1000),
        std::pair(static_cast<int>(Random(1001, 5000)), 1000),
        std::pair(std::numeric_limits<std::int32_t>::max(), 1000)}) {
    Outcome<ListUsersResponse> page = List(size);
    if (page.status.ok() && first_ids(page.response, count)) continue;
    if (!page.status.ok()) ExpectOf(page, false);
    Fail({fmt::format("{} users were put into the database", there), page.sent},
         {fmt::format(
              "OK, {} users, {} next_page_token", page.response.users_size(),
              page.response.next_page_token().empty() ? "an empty" : "a"),
          fmt::format("expected: the first {} users and a next_page_token",
                      count)});
  }
}

TEST_F(Task2_Crud, ChangesOnlyWhatTheMaskNames) {
  Promises(
      "UpdateUser changes the fields that update_mask names, leaves the others "
      "as they were, and answers with all of the user.");
  Usually(
      "The mask is not looked at: a field counts because update_mask names it, "
      "whatever else the message holds.");
  const User other = NewUser();
  User user = NewUser();
  const auto expect = [&](const User& sent,
                          const std::vector<std::string>& mask) {
    ExpectUser(Update(sent, mask), user);
    ExpectFound(user);
  };
  User sent = user;
  sent.set_email(AnyEmail());
  sent.set_name(AnyName());
  sent.mutable_create_time()->set_seconds(1);
  user.set_name(sent.name());
  expect(sent, {"name"});

  sent.set_name(AnyName());
  sent.set_email(AnyEmail());
  user.set_email(sent.email());
  expect(sent, {"email"});

  sent.set_name(AnyName());
  sent.set_email(AnyEmail());
  user.set_name(sent.name());
  user.set_email(sent.email());
  expect(sent, {"email", "name"});

  Usually("The change is made to every user, or to another one.");
  ExpectFound(other);
}

TEST_F(Task2_Crud, DeletesAUser) {
  Promises("DeleteUser removes the user with this id, and no other one.");
  const std::vector<User> users = NewUsers(3);
  ExpectOf(Delete(users[1].id()), true);
  ExpectPage(List(), {users[0], users[2]});
}

// Makes a file unusable for a while, by what stands in its first bytes.
class Garbage {
 public:
  explicit Garbage(const std::string& file)
      : file_(file, std::ios::in | std::ios::out | std::ios::binary) {
    file_.read(before_.data(), static_cast<std::streamsize>(before_.size()));
    Write(std::string(before_.size(), '?'));
  }
  ~Garbage() { Write(before_); }
  Garbage(const Garbage&) = delete;
  Garbage& operator=(const Garbage&) = delete;

 private:
  void Write(const std::string& text) {
    file_.seekp(0);
    file_ << text << std::flush;
  }

  std::fstream file_;
  std::string before_ = std::string(100, '\0');  // SQLite's header
};

class Task3_Validation : public UsersTest {
 protected:
  static User WithId(std::int64_t id) {
    User user;
    user.set_id(id);
    return user;
  }
};

TEST_F(Task3_Validation, ChecksTheLengthOfAName) {
  Read(kTheCalls);
  Promises(
      "A name has 1 to 100 characters (Unicode code points, however many bytes "
      "each has); others are INVALID_ARGUMENT, with a BadRequest for `name`.");
  UsuallyIf(StatusCode::OK, "The length of the name is not checked.");
  ExpectViolations(Create("", AnyEmail()), {"name"});
  ExpectViolations(Create(Word("", 101), AnyEmail()), {"name"});
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "The name is fine. Is it counted in bytes? In UTF-8 a character "
            "has up to four; the second and later ones are 10xxxxxx.");
  std::string umlauts, too_many;
  for (int i = 0; i < 100; ++i) umlauts += "ö";
  for (int i = 0; i < 101; ++i) too_many += "ö";
  NewUser(Word("", 1), AnyEmail());
  NewUser(Word("", 100), AnyEmail());
  NewUser(umlauts, AnyEmail());
  ExpectViolations(Create(too_many, AnyEmail()), {"name"});
}

TEST_F(Task3_Validation, ChecksTheEmail) {
  Read(kTheCalls);
  Promises(
      "An email has one @ with something in front of it, and behind it a "
      "domain with a dot inside; no white space; at most 254 bytes. Others are "
      "INVALID_ARGUMENT, with a BadRequest for `email`.");
  UsuallyIf(StatusCode::OK, "The check lets through what it should not.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "The email is fine, and the check refuses it.");
  const std::string word = Word("a", 6);
  for (const std::string& email :
       {std::string(), word, "@" + word + ".com", word + "@",
        word + "@localhost", word + "@@example.com", word + "@a@example.com",
        word + " b@example.com", word + "@.com", word + "@example.",
        Word("a", 250) + "@example.com"}) {
    ExpectViolations(Create(AnyName(), email), {"email"});
  }
  for (const std::string& email :
       {word + "@example.com", word + "+x@mail.example.com",
        word + ".b@xn--bcher-kva.example", word + "@7.example.org",
        "O'" + word + "@example.co.uk"}) {
    NewUser(AnyName(), email);
  }
}

TEST_F(Task3_Validation, RefusesAnEmailThatIsVeryLong) {
  Read(kTheCalls);
  Promises(
      "An email of more than 254 bytes is INVALID_ARGUMENT, and the server "
      "goes on.");
  UsuallyIfKilledBy(
      SIGSEGV,
      "The stack is full: std::regex calls itself for every character. Look at "
      "the length first, or do without it.");
  UsuallyIf(StatusCode::OK, "The length of the email is not checked.");
  UsuallyIf(StatusCode::RESOURCE_EXHAUSTED,
            "The status repeats what was sent. A status travels as metadata, "
            "of which a client takes about 8 KB: say what is wanted, not what "
            "came.");
  const std::string email = Word("a", 20) + std::string(1'000'000, 'b');
  ExpectViolations(Create(AnyName(), email + "@example.com"), {"email"});
  ExpectViolations(Create(AnyName(), email), {"email"});
  NewUser();
}

TEST_F(Task3_Validation, TellsAllProblemsAtOnce) {
  Promises(
      "The details of INVALID_ARGUMENT are a google.rpc.BadRequest that names "
      "every field that is wrong, by its path in the request.");
  UsuallyIf(StatusCode::OK,
            "The request is not checked, or it is refused and has its effect "
            "anyway.");
  ExpectViolations(Create("", Word("a", 6)), {"name", "email"});
  User user = NewUser();
  const User before = user;
  user.set_name("");
  user.set_email(Word("a", 6));
  ExpectViolations(Update(user, {"name", "email"}),
                   {"user.name", "user.email"});
  ExpectViolations(List(-1, "no such page"), {"page_size", "page_token"});
  ExpectFound(before);
}

TEST_F(Task3_Validation, ChecksTheUpdateMask) {
  Read(kTheCalls);
  Promises(
      "An update_mask that is empty, or names anything but name and email, is "
      "INVALID_ARGUMENT, with a BadRequest for `update_mask`; nothing is "
      "changed then.");
  UsuallyIf(StatusCode::OK,
            "An empty mask, or a path that the handler does not know, is let "
            "through; or the paths that it knows have their effect although "
            "another one is refused.");
  const User user = NewUser();
  User sent = user;
  sent.set_name(AnyName());
  const std::vector<std::string> masks[] = {
      {}, {"nickname"}, {"id"}, {"create_time"}, {"name", Word("x", 5)}};
  for (const std::vector<std::string>& mask : masks) {
    ExpectViolations(Update(sent, mask), {"update_mask"});
  }
  ExpectFound(user);
}

TEST_F(Task3_Validation, ChecksOnlyWhatIsUpdated) {
  Read(kTheCalls);
  Promises(
      "UpdateUser checks the fields that update_mask names, and looks at no "
      "others.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "A field that the mask does not name is checked. A caller who "
            "changes a name sends no email.");
  User user = NewUser();
  User sent = WithId(user.id());
  sent.set_name(AnyName());
  user.set_name(sent.name());
  ExpectUser(Update(sent, {"name"}), user);
}

TEST_F(Task3_Validation, ChecksThePageSizeAndThePageToken) {
  Read(kTheCalls);
  Promises(
      "A negative page_size, and a page_token that no page has returned, are "
      "INVALID_ARGUMENT, with a BadRequest.");
  UsuallyIf(StatusCode::OK, "It is not checked: the caller gets some page.");
  UsuallyIf(StatusCode::UNKNOWN,
            "An exception left the handler: std::stoi and its relatives throw "
            "at what is no number. std::from_chars does not.");
  ExpectViolations(List(static_cast<int>(Random(-100, -1))), {"page_size"});
  for (const std::string& token :
       {std::string("no such page"), std::string("?"), Word("x-", 40)}) {
    ExpectViolations(List(0, token), {"page_token"});
  }
}

TEST_F(Task3_Validation, SaysThatThereIsNoSuchUser) {
  Read(kTheCalls);
  Promises("GetUser, UpdateUser and DeleteUser of an unknown id: NOT_FOUND.");
  UsuallyIf(StatusCode::OK,
            "The repository says that it has found nothing (std::nullopt, or "
            "false), and nobody looks.");
  User user = NewUser();
  const std::int64_t unknown = user.id() + Random(1, 1'000'000);
  ExpectRefusal(Get(unknown), StatusCode::NOT_FOUND);
  ExpectRefusal(Delete(unknown), StatusCode::NOT_FOUND);
  User sent = user;
  sent.set_id(unknown);
  ExpectRefusal(Update(sent, {"name"}), StatusCode::NOT_FOUND);
  ExpectOf(Delete(user.id()), true);
  ExpectRefusal(Get(user.id()), StatusCode::NOT_FOUND);
  ExpectRefusal(Delete(user.id()), StatusCode::NOT_FOUND);
}

TEST_F(Task3_Validation, RefusesATakenEmail) {
  Read(kTheCalls);
  Promises(
      "An email that another user has is ALREADY_EXISTS, for CreateUser and "
      "for UpdateUser. One's own is no other's, and a deleted user's is free.");
  UsuallyIf(StatusCode::INTERNAL,
            "UserRepository::EmailTaken is an exception of its own: catch it "
            "before std::exception.");
  const User first = NewUser();
  User second = NewUser();
  ExpectRefusal(Create(AnyName(), first.email()), StatusCode::ALREADY_EXISTS);
  User sent = second;
  sent.set_email(first.email());
  ExpectRefusal(Update(sent, {"email"}), StatusCode::ALREADY_EXISTS);
  UsuallyIf(StatusCode::ALREADY_EXISTS,
            "Nobody else has this email (any more): only the database knows "
            "for sure, by its unique index.");
  ExpectOf(Update(second, {"email"}), true);
  ExpectOf(Delete(first.id()), true);
  NewUser(AnyName(), first.email());
}

TEST_F(Task3_Validation, TellsCallersNothingOfAFailingDatabase) {
  Read("exercises/02_user_management/README.md#what-is-refused-and-how");
  Promises(
      "If the database does not work, a call ends with INTERNAL and a message "
      "that has nothing of the database in it: no file, no SQL, nothing that "
      "SQLite says. All that goes to stderr. Once the database works again, so "
      "does the server.");
  Usually(
      "A program that attacks the server learns from such a message, and one "
      "that calls it learns nothing. what() is for the log.");
  const User user = NewUser();
  {
    const Garbage garbage(database_);
    const auto expect_discreet = [&](auto outcome) {
      outcome.sent =
          "the first bytes of the database were overwritten, then\n" +
          outcome.sent;
      ExpectRefusal(outcome, StatusCode::INTERNAL);
      std::string told =
          outcome.status.error_message() + outcome.status.error_details();
      std::transform(told.begin(), told.end(), told.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      for (const std::string& word :
           {database_, std::string("sqlite"), std::string("not a database"),
            std::string("malformed"), std::string("select")}) {
        if (told.find(word) == std::string::npos) continue;
        Fail({outcome.sent},
             {fmt::format("INTERNAL: \"{}\"", outcome.status.error_message()),
              fmt::format("which gives away: {}", word)});
      }
    };
    expect_discreet(Get(user.id()));
    expect_discreet(Create(AnyName(), AnyEmail()));
    expect_discreet(List());
  }
  ExpectFound(user);

  const std::string nothing =
      "The exception is caught and forgotten. Whoever runs the server has to "
      "know: write its what() to std::cerr.";
  UsuallyIfKilledBy(SIGKILL, nothing);
  server().process().Kill();  // after which all that it wrote is here
  if (server().process().Stderr().find(database_) == std::string::npos) {
    Fail({"three calls while the database did not work"},
         {"INTERNAL each time, and not a word of the reason on stderr"});
  }
  Start();
}

class Task4_Authentication : public UsersTest {
 protected:
  void SetUp() override {
    UsersTest::SetUp();
    UsuallyIf(StatusCode::OK,
              "The call is answered without a look at the "
              "token.");
    const std::string late =
        "The request is looked at before the token. Whoever may not call at "
        "all must not learn what is in the database.";
    UsuallyIf(StatusCode::INVALID_ARGUMENT, late);
    UsuallyIf(StatusCode::NOT_FOUND, late);
    UsuallyIf(StatusCode::ALREADY_EXISTS, late);
    UsuallyIf(StatusCode::UNAUTHENTICATED,
              "The caller is known, and may not do this: PERMISSION_DENIED. "
              "UNAUTHENTICATED makes it look for another token.");
    UsuallyIf(StatusCode::PERMISSION_DENIED,
              "Nobody knows who calls: UNAUTHENTICATED. PERMISSION_DENIED is "
              "for a caller who is known and may not.");
  }

  // All five calls, with requests for `user` that are good.
  void ExpectAllRefused(const User& user, StatusCode code) {
    ExpectRefusal(Create(AnyName(), AnyEmail()), code);
    ExpectRefusal(Get(user.id()), code);
    ExpectRefusal(List(), code);
    ExpectRefusal(Update(user, {"name"}), code);
    ExpectRefusal(Delete(user.id()), code);
  }
};

TEST_F(Task4_Authentication, RefusesACallWithoutAToken) {
  Promises("A call without a token ends with UNAUTHENTICATED.");
  const User user = NewUser();
  SendMetadata({});
  ExpectAllRefused(user, StatusCode::UNAUTHENTICATED);
  As(writer_);
  ExpectFound(user);
}

TEST_F(Task4_Authentication, RefusesATokenThatNobodyKnows) {
  Promises(
      "A call ends with UNAUTHENTICATED unless its metadata say "
      "`authorization: Bearer TOKEN`, with a TOKEN of the file.");
  Usually(
      "Take the scheme off, and compare what is left with the known tokens as "
      "a whole: no beginning, and nothing behind it.");
  const User user = NewUser();
  for (const std::string& value :
       {"Bearer " + Word("w", 20), "Bearer " + writer_ + "x",
        "Bearer " + writer_.substr(0, 8), writer_, "Basic " + writer_,
        "Bearer" + writer_, std::string("Bearer"), std::string("Bearer "),
        "Bearer " + writer_ + " writer", std::string("Bearer #")}) {
    SendMetadata({{"authorization", value}});
    ExpectRefusal(Get(user.id()), StatusCode::UNAUTHENTICATED);
  }
  SendMetadata({{"token", writer_}});
  ExpectRefusal(Get(user.id()), StatusCode::UNAUTHENTICATED);
  As(writer_);
  ExpectFound(user);
}

TEST_F(Task4_Authentication, LetsAReaderReadAndNotWrite) {
  Promises(
      "A reader may call GetUser and ListUsers. CreateUser, UpdateUser and "
      "DeleteUser end with PERMISSION_DENIED, and do nothing.");
  const User user = NewUser();
  As(reader_);
  User sent = user;
  sent.set_name(AnyName());
  ExpectRefusal(Create(AnyName(), AnyEmail()), StatusCode::PERMISSION_DENIED);
  ExpectRefusal(Update(sent, {"name"}), StatusCode::PERMISSION_DENIED);
  ExpectRefusal(Delete(user.id()), StatusCode::PERMISSION_DENIED);
  UsuallyIf(StatusCode::OK, "The call is refused, and has its effect anyway.");
  ExpectFound(user);
  ExpectPage(List(), {user});
}

TEST_F(Task4_Authentication, LooksAtTheTokenBeforeTheRequest) {
  Promises(
      "Whether a caller may call is decided before the request is looked at.");
  const User user = NewUser();
  SendMetadata({});
  ExpectRefusal(Create("", ""), StatusCode::UNAUTHENTICATED);
  ExpectRefusal(Create(AnyName(), user.email()), StatusCode::UNAUTHENTICATED);
  ExpectRefusal(Get(user.id() + 1), StatusCode::UNAUTHENTICATED);
  ExpectRefusal(List(-1), StatusCode::UNAUTHENTICATED);
  As(reader_);
  ExpectRefusal(Create("", ""), StatusCode::PERMISSION_DENIED);
  ExpectRefusal(Update(user, {}), StatusCode::PERMISSION_DENIED);
  ExpectRefusal(Delete(user.id() + 1), StatusCode::PERMISSION_DENIED);
}

class Task5_UnderLoad : public UsersTest {
 protected:
  // Runs work(0), work(1), ... at the same time, `count` of them. Their calls
  // meet at the database: it is locked until they had time to get there.
  template <class Work>
  void AtTheSameTime(int count, const Work& work) {
    std::optional<SQLite::Database> lock;
    try {
      lock.emplace(database_, SQLite::OPEN_READWRITE);
      lock->exec("BEGIN EXCLUSIVE");
    } catch (const SQLite::Exception&) {
      lock.reset();  // they meet by chance, then
    }
    std::latch started(count + 1);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        started.arrive_and_wait();
        work(i);
      });
    }
    started.arrive_and_wait();
    // What is asked later, and needs no database, is answered later.
    const auto end =
        std::chrono::system_clock::now() + std::chrono::milliseconds(300);
    for (int i = 0; i < 20; ++i) {
      google::protobuf::DescriptorPool pool;
      if (!FetchContract(pool, end).ok()) break;
    }
    lock.reset();
    for (std::thread& thread : threads) thread.join();
  }

  // Kills the server as kill -9 does, and starts it on the same database.
  void KillAndStartAgain() {
    server().process().Kill();
    Start();
  }

  // Who is there, by id.
  std::map<std::int64_t, User> Everybody() {
    std::map<std::int64_t, User> everybody;
    std::string token;
    do {
      const Outcome<ListUsersResponse> page = List(1000, token);
      ExpectOf(page, page.response.next_page_token() != token || token.empty());
      for (const User& user : page.response.users()) {
        everybody[user.id()] = user;
      }
      token = page.response.next_page_token();
    } while (!token.empty());
    return everybody;
  }
};

TEST_F(Task5_UnderLoad, GivesAnEmailToOneOfFifty) {
  Promises(
      "Of 50 calls at the same time that create a user with one email, one "
      "succeeds and 49 end with ALREADY_EXISTS.");
  Usually(
      "Somebody else comes between the look whether an email is free and the "
      "insertion. Let the database decide: insert, and catch EmailTaken.");
  const std::string name = AnyName(), email = AnyEmail();
  std::vector<Outcome<CreateUserResponse>> outcomes(50);
  AtTheSameTime(50, [&](int i) { outcomes[i] = Create(name, email); });
  std::map<std::string, int> counts;
  User created;
  for (const auto& outcome : outcomes) {
    ++counts[CodeName(outcome.status.error_code())];
    if (outcome.status.ok()) created = outcome.response.user();
  }
  const std::map<std::string, int> expected = {{"OK", 1},
                                               {"ALREADY_EXISTS", 49}};
  if (counts != expected) {
    std::vector<std::string> came_back;
    for (const auto& [code, count] : counts) {
      came_back.push_back(fmt::format("{} times {}", count, code));
    }
    if (counts.contains("DEADLINE_EXCEEDED")) LosePatience();
    Fail({fmt::format("{} times at once: {}\nwhile another process locked the "
                      "database, until all of them waited for it",
                      outcomes.size(), outcomes[0].sent)},
         came_back);
  }
  ExpectPage(List(), {created});
}

TEST_F(Task5_UnderLoad, AnswersEveryCallerWithItsOwnUser) {
  Promises(
      "20 calls at the same time that create different users all succeed, each "
      "answer is about the caller's own user, and all users are there.");
  Usually(
      "Something that belongs to one call is kept in a member of the service, "
      "which all calls share.");
  constexpr int kCallers = 20;  // who all wait for the disk
  std::vector<std::pair<std::string, std::string>> wanted;
  for (int i = 0; i < kCallers; ++i) wanted.emplace_back(AnyName(), AnyEmail());
  std::vector<Outcome<CreateUserResponse>> outcomes(kCallers);
  AtTheSameTime(kCallers, [&](int i) {
    outcomes[i] = Create(wanted[i].first, wanted[i].second);
  });
  for (int i = 0; i < kCallers; ++i) {
    const User& user = outcomes[i].response.user();
    ExpectOf(outcomes[i], user.name() == wanted[i].first &&
                              user.email() == wanted[i].second);
  }
  std::map<std::int64_t, User> everybody = Everybody();
  for (const auto& outcome : outcomes) {
    const User& user = outcome.response.user();
    if (MessageDifferencer::Equals(everybody[user.id()], user)) continue;
    ExpectFound(user);
  }
}

TEST_F(Task5_UnderLoad, LosesNoUpdate) {
  Promises(
      "One caller changes the name of a user, and at the same time another one "
      "the email: neither undoes what the other has done.");
  Usually(
      "The handler reads the user, changes a field, and writes all of it back: "
      "what came in between is lost. UserRepository::Update() changes in one "
      "step what it is given, and nothing else.");
  User user = NewUser();
  for (int round = 0; round < 3; ++round) {
    user.set_name(AnyName());
    user.set_email(AnyEmail());
    Outcome<UpdateUserResponse> outcomes[2];
    AtTheSameTime(2, [&](int i) {
      outcomes[i] = Update(user, {i == 0 ? "name" : "email"});
    });
    for (const auto& outcome : outcomes) ExpectOf(outcome, true);
    Outcome<GetUserResponse> found = Get(user.id());
    found.sent = outcomes[0].sent + "\nand at the same time " +
                 outcomes[1].sent + "\nand then " + found.sent;
    ExpectUser(found, user);
  }
}

TEST_F(Task5_UnderLoad, OutlivesAKill) {
  Promises(
      "What a caller has been told is so after `kill -9` and a restart: "
      "created, updated and deleted users.");
  const std::string kept =
      "The users are kept in memory and not in the file of --database, or "
      "they are answered first and written later.";
  Usually(kept);
  UsuallyIf(StatusCode::NOT_FOUND, kept);
  std::vector<User> users = NewUsers(3);
  users[0].set_name(AnyName());
  ExpectOf(Update(users[0], {"name"}), true);
  ExpectOf(Delete(users[2].id()), true);
  KillAndStartAgain();
  ExpectPage(List(), {users[0], users[1]});
  const User next = NewUser();
  Usually("A deleted user's id is given to another one after a restart.");
  ExpectOf(Get(next.id()), next.id() != users[2].id());
}

TEST_F(Task5_UnderLoad, KeepsWhatItHasAcknowledged) {
  Promises(
      "A user whose creation has been answered with OK is there after `kill "
      "-9` in the middle of the work, and a restart.");
  Usually(
      "The answer goes out before the user is in the database: from another "
      "thread, or from a cache that is written now and then.");
  constexpr std::size_t kEnough = 40;
  constexpr int kThreads = 8;
  const std::string base = Word("k", 6);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<User> acknowledged;                 // guarded by mutex
  std::vector<Outcome<CreateUserResponse>> ends;  // guarded by mutex
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0;; ++n) {
        Outcome<CreateUserResponse> created =
            Create(base, fmt::format("{}.{}.{}@example.com", base, i, n));
        const std::lock_guard lock(mutex);
        if (created.status.ok()) {
          acknowledged.push_back(created.response.user());
        } else {
          ends.push_back(std::move(created));
        }
        changed.notify_all();
        if (!ends.empty()) return;
      }
    });
  }
  bool enough = false;
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, Patience(2 * kCallLimit), [&] {
      return acknowledged.size() >= kEnough || !ends.empty();
    });
    enough = acknowledged.size() >= kEnough;
  }
  if (enough) server().process().Kill();
  // One that goes on creating for ever is stopped all the same.
  for (std::thread& thread : threads) thread.join();
  if (!enough) ExpectOf(ends.at(0), false);
  Start();
  const std::map<std::int64_t, User> everybody = Everybody();
  for (const User& user : acknowledged) {
    const auto found = everybody.find(user.id());
    if (found != everybody.end() &&
        MessageDifferencer::Equals(found->second, user)) {
      continue;
    }
    Fail({fmt::format("{} callers create users; after {} answers: kill -9, "
                      "restart, ListUsers",
                      kThreads, acknowledged.size())},
         {fmt::format("{} users are there; one is gone or another: id {}, {}",
                      everybody.size(), user.id(), user.email())});
  }
}

}  // namespace
}  // namespace workshop::testing
