// Makes gRPC say what the table of usual causes explains: each entry is held
// against a status that gRPC itself has come up with.

#include "tests/support/usual_causes.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"
#include "workshop/greeter/v1/greeter.grpc.pb.h"

namespace workshop::testing {
namespace {

using calculator::v1::BinaryRequest;
using calculator::v1::Calculator;
using calculator::v1::NumberResponse;
using greeter::v1::Greeter;
using grpc::Status;
using grpc::StatusCode;
using std::chrono::milliseconds;
using std::chrono::system_clock;
using std::literals::operator""ms;
using std::literals::operator""s;

// ---------------------------------------------------------------- the caller

std::shared_ptr<grpc::Channel> Channel(const std::string& address,
                                       grpc::ChannelArguments arguments = {}) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

struct CallOptions {
  grpc::ChannelArguments arguments;
  milliseconds limit = 30s;
  std::string metadata;
  bool cancel = false;
};

// What a call of Add with 7 and 0 ends with.
Status Call(const std::string& address, const CallOptions& options = {}) {
  const auto stub = Calculator::NewStub(Channel(address, options.arguments));
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + options.limit);
  if (!options.metadata.empty()) {
    context.AddMetadata("metadata", options.metadata);
  }
  if (options.cancel) context.TryCancel();
  BinaryRequest request;
  request.set_a(7);
  NumberResponse response;
  return stub->Add(&context, request, &response);
}

// What a call of any method with any bytes ends with.
Status CallWithBytes(const std::string& address, const std::string& method,
                     const std::string& bytes) {
  grpc::GenericStub stub(Channel(address));
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + 30s);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const auto call = stub.PrepareUnaryCall(&context, method,
                                          grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  Status status;
  grpc::ByteBuffer response;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

// --------------------------------------------------------- servers of gRPC's

using Handler =
    std::function<Status(grpc::ServerContext*, NumberResponse* response)>;

class CalculatorService final : public Calculator::Service {
 public:
  explicit CalculatorService(Handler handler) : handler_(std::move(handler)) {}

 private:
  Status Add(grpc::ServerContext* context, const BinaryRequest* request,
             NumberResponse* response) override {
    return handler_(context, response);
  }

  const Handler handler_;
};

// Listens on a free port as long as it lives.
class Server {
 public:
  explicit Server(const std::function<void(grpc::ServerBuilder&)>& prepare) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    prepare(builder);
    server_ = builder.BuildAndStart();
    address_ = fmt::format("ipv4:127.0.0.1:{}", port);
  }
  ~Server() { Shutdown(); }

  void Shutdown() { server_->Shutdown(system_clock::now()); }
  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// What the call ends with if this handler answers it.
Status Answered(Handler handler, const CallOptions& options = {},
                const std::function<void(grpc::ServerBuilder&)>& prepare = {}) {
  CalculatorService service(std::move(handler));
  Server server([&](grpc::ServerBuilder& builder) {
    builder.RegisterService(&service);
    if (prepare) prepare(builder);
  });
  return Call(server.address(), options);
}

Status Ok(grpc::ServerContext* /*context*/, NumberResponse* response) {
  response->set_result(1'000'000);
  return Status::OK;
}

Status UntilCancelled(grpc::ServerContext* context,
                      NumberResponse* /*response*/) {
  while (!context->IsCancelled()) std::this_thread::sleep_for(1ms);
  return Status::OK;
}

Status AnsweredByAThrowingCallback() {
  class Service final : public Calculator::CallbackService {
    grpc::ServerUnaryReactor* Add(grpc::CallbackServerContext* /*context*/,
                                  const BinaryRequest* /*request*/,
                                  NumberResponse* /*response*/) override {
      throw std::runtime_error("not today");
    }
  } service;
  Server server(
      [&](grpc::ServerBuilder& builder) { builder.RegisterService(&service); });
  return Call(server.address());
}

// A server that answers every call with OK and these bytes.
Status AnsweredWithBytes(const std::string& bytes) {
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Reactor(const std::string& bytes) : slice_(bytes) {
      StartRead(&request_);
    }

   private:
    void OnReadDone(bool /*ok*/) override {
      StartWriteAndFinish(&response_, grpc::WriteOptions(), Status::OK);
    }
    void OnDone() override { delete this; }

    const grpc::Slice slice_;
    grpc::ByteBuffer request_;
    grpc::ByteBuffer response_{&slice_, 1};
  };
  class Service final : public grpc::CallbackGenericService {
   public:
    explicit Service(std::string bytes) : bytes_(std::move(bytes)) {}

   private:
    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext* /*context*/) override {
      return new Reactor(bytes_);
    }
    const std::string bytes_;
  } service(bytes);
  Server server([&](grpc::ServerBuilder& builder) {
    builder.RegisterCallbackGenericService(&service);
  });
  return Call(server.address());
}

Status CalledWithBytes(const std::string& method, const std::string& bytes) {
  class GreeterService final : public Greeter::Service {
  } service;
  Server server(
      [&](grpc::ServerBuilder& builder) { builder.RegisterService(&service); });
  return CallWithBytes(server.address(), method, bytes);
}

Status CutOffByShutdown() {
  std::promise<void> called;
  CalculatorService service(
      [&](grpc::ServerContext* context, NumberResponse* response) {
        called.set_value();
        return UntilCancelled(context, response);
      });
  Server server(
      [&](grpc::ServerBuilder& builder) { builder.RegisterService(&service); });
  std::thread stop([&] {
    called.get_future().wait();
    server.Shutdown();
  });
  const Status status = Call(server.address());
  stop.join();
  return status;
}

// ------------------------------------------------- peers that are no servers

// Accepts connections on a free port and speaks bytes.
class RawPeer {
 public:
  explicit RawPeer(std::function<void(int fd)> talk)
      : talk_(std::move(talk)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(name);
    auto* const generic = reinterpret_cast<sockaddr*>(&name);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this] {
      for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0;) {
        talk_(fd);
        close(fd);
      }
    });
  }
  // The caller is gone by now, so that talk_() comes to its end.
  ~RawPeer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string address() const {
    return fmt::format("ipv4:127.0.0.1:{}", port_);
  }

 private:
  const std::function<void(int fd)> talk_;
  const int listener_;
  int port_ = 0;
  std::thread thread_;
};

void Send(int fd, const std::string& bytes) {
  send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// Reads until the other side has ended the connection.
void ReadToTheEnd(int fd) {
  char buffer[4096];
  while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
  }
}

// The last `size` bytes of a number, the highest first, as HTTP/2 has it.
std::string Bytes(unsigned number, int size) {
  std::string bytes;
  for (int i = size; i-- > 0;) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

// HTTP/2's frame types, and its flags for the last frame of a stream.
constexpr unsigned kData = 0, kHeaders = 1, kReset = 3, kSettings = 4,
                   kGoAway = 7;
constexpr unsigned kEndStream = 1, kEndHeaders = 4;

std::string Frame(unsigned type, unsigned flags, unsigned stream,
                  const std::string& payload) {
  return Bytes(static_cast<unsigned>(payload.size()), 3) + Bytes(type, 1) +
         Bytes(flags, 1) + Bytes(stream, 4) + payload;
}

// Reads frames, behind the 24 bytes with which a connection begins, up to the
// first of this type.
void AwaitFrame(int fd, unsigned type) {
  std::string skipped(24, ' ');
  recv(fd, skipped.data(), skipped.size(), MSG_WAITALL);
  for (unsigned char head[9]; recv(fd, head, 9, MSG_WAITALL) == 9;) {
    skipped.resize(head[0] << 16 | head[1] << 8 | head[2]);
    if (!skipped.empty()) {
      recv(fd, skipped.data(), skipped.size(), MSG_WAITALL);
    }
    if (head[3] == type) return;
  }
}

// What the call ends with if its peer says `greeting`, no more, and hears all.
Status Greeted(const std::string& greeting) {
  RawPeer peer([&](int fd) {
    AwaitFrame(fd, kSettings);
    Send(fd, greeting);
    shutdown(fd, SHUT_WR);
    ReadToTheEnd(fd);
  });
  return Call(peer.address());
}

// What the call ends with if its peer speaks HTTP/2 and then answers the call
// with these bytes.
Status AnsweredInHttp2(const std::string& frames,
                       const CallOptions& options = {}) {
  RawPeer peer([&](int fd) {
    Send(fd, Frame(kSettings, 0, 0, ""));
    AwaitFrame(fd, kHeaders);
    Send(fd, frames);
    ReadToTheEnd(fd);
  });
  return Call(peer.address(), options);
}

Status ResetWith(unsigned error_code) {
  return AnsweredInHttp2(Frame(kReset, 0, 1, Bytes(error_code, 4)));
}

// Says goodbye to every connection as soon as it carries a call. gRPC tries one
// time more, on a connection of its own, before it tells anybody.
Status SentAway() {
  RawPeer peer([&](int fd) {
    Send(fd, Frame(kSettings, 0, 0, ""));
    AwaitFrame(fd, kHeaders);
    Send(fd, Frame(kGoAway, 0, 0, Bytes(0, 4) + Bytes(0, 4)));
    shutdown(fd, SHUT_WR);
    ReadToTheEnd(fd);
  });
  return Call(peer.address());
}

// As the kernel ends the connections of a process that dies: in order, or by a
// reset if not all had been read.
Status CutOff(bool by_reset) {
  RawPeer peer([&](int fd) {
    Send(fd, Frame(kSettings, 0, 0, ""));
    AwaitFrame(fd, kHeaders);
    if (by_reset) {
      const linger at_once = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    } else {
      shutdown(fd, SHUT_WR);
      ReadToTheEnd(fd);
    }
  });
  return Call(peer.address());
}

CallOptions Pinging() {
  CallOptions options;
  options.arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 50);
  options.arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 50);
  return options;
}

// ------------------------------------------------------------------ the table

struct Case {
  std::string scene;
  std::function<Status()> provoke;
  // By which the entry that explains it is known.
  std::string_view words;
  std::string_view also = "";
};

std::vector<Case> Cases() {
  const auto with = [](auto change) {
    CallOptions options;
    change(options);
    return options;
  };
  return {
      {"a skeleton's handler",
       [] {
         return Answered([](auto*, auto*) {
           return Status(StatusCode::UNIMPLEMENTED, "TODO 1: Add");
         });
       },
       "TODO"},
      {"a service that is not registered",
       [] {
         return CalledWithBytes("/workshop.calculator.v1.Calculator/Add", "");
       },
       kNoMessage},
      {"a method that is not overridden",
       [] {
         class Empty final : public Calculator::Service {
         } service;
         Server server(
             [&](auto& builder) { builder.RegisterService(&service); });
         return Call(server.address());
       },
       kNoMessage},
      {"an exception in a callback handler", AnsweredByAThrowingCallback,
       kNoMessage},
      {"a response of another type",
       [] { return AnsweredWithBytes("\xff\xff\xff"); },
       "No message returned for unary request"},
      {"a web server that speaks HTTP/2: 404",
       // Entry 13 of HPACK's table is ":status: 404".
       [] {
         return AnsweredInHttp2(
             Frame(kHeaders, kEndStream | kEndHeaders, 1, "\x8d"));
       },
       "Received http2 header with status"},
      {"a proxy's 502",
       [] {
         return AnsweredInHttp2(Frame(kHeaders, kEndStream | kEndHeaders, 1,
                                      "\x08\x03"
                                      "502"));
       },
       "Received http2 header with status"},

      {"a port without a listener",
       [] {
         std::string address;
         {
           const RawPeer peer(ReadToTheEnd);
           address = peer.address();
         }
         return Call(address);
       },
       "failed to connect", "Connection refused"},
      {"a socket that does not exist",
       [] { return Call("unix:no_server.sock"); }, "failed to connect",
       "No such file or directory"},
      {"a web server",
       [] { return Greeted("HTTP/1.1 400 Bad Request\r\n\r\n"); },
       "failed to connect", "http1.x"},
      {"a server of another kind",
       [] { return Greeted("SSH-2.0-OpenSSH_9.2\r\n"); }, "failed to connect",
       "Failed parsing HTTP/2"},
      {"a server that expects TLS",
       // Its answer to what is none: a fatal alert, "unexpected message".
       [] { return Greeted(std::string("\x15\x03\x01\x00\x02\x02\x0a", 7)); },
       "failed to connect", "Socket closed"},
      {"a server that is just ending", [] { return Greeted(""); },
       "failed to connect", "Socket closed"},
      {"a host that does not exist", [] { return Call("no..such.host:50051"); },
       "DNS resolution failed"},

      {"a server that dies", [] { return CutOff(false); }, "Socket closed"},
      {"a server that dies before it has read all", [] { return CutOff(true); },
       "Connection reset by peer"},
      {"a server that hangs", [] { return AnsweredInHttp2("", Pinging()); },
       "keepalive watchdog timeout"},
      {"a server that says goodbye", SentAway, "GOAWAY received"},
      {"a server whose grace is over", CutOffByShutdown,
       "Cancelling all calls"},
      {"a refused stream", [] { return ResetWith(7); },
       "RST_STREAM with error code 7"},

      {"TryCancel() in the handler",
       [] {
         return Answered([](grpc::ServerContext* context, auto*) {
           context->TryCancel();
           return Status::OK;
         });
       },
       "Cancelled on the server side"},
      {"a cancelled stream", [] { return ResetWith(8); },
       "RST_STREAM with error code 8"},
      {"a handler that returns CANCELLED",
       [] { return Answered([](auto*, auto*) { return Status::CANCELLED; }); },
       kNoMessage},
      {"a caller that cancels",
       [&] {
         return Answered(UntilCancelled,
                         with([](auto& options) { options.cancel = true; }));
       },
       "CANCELLED"},
      {"a handler that does not end",
       [&] {
         return Answered(UntilCancelled,
                         with([](auto& options) { options.limit = 100ms; }));
       },
       ""},

      {"a request that is too large",
       [] {
         return Answered(Ok, {}, [](grpc::ServerBuilder& builder) {
           builder.SetMaxReceiveMessageSize(1);
         });
       },
       "Received message larger than max"},
      {"a response that is too large",
       [&] {
         return Answered(Ok, with([](auto& options) {
                           options.arguments.SetMaxReceiveMessageSize(1);
                         }));
       },
       "Received message larger than max"},
      {"a response over the server's own limit",
       [] {
         return Answered(Ok, {}, [](grpc::ServerBuilder& builder) {
           builder.SetMaxSendMessageSize(1);
         });
       },
       "Sent message larger than max"},
      {"a server without a free thread",
       [] {
         return Answered(Ok, {}, [](grpc::ServerBuilder& builder) {
           grpc::ResourceQuota quota;
           quota.SetMaxThreads(1);
           builder.SetResourceQuota(quota);
         });
       },
       "Server Threadpool Exhausted"},
      {"a status with long details",
       [] {
         return Answered([](auto*, auto*) {
           return Status(StatusCode::INTERNAL, "see the details",
                         std::string(20'000, 'd'));
         });
       },
       "metadata size exceeds limit"},
      {"a call with long metadata",
       [&] {
         return Answered(Ok, with([](auto& options) {
                           options.metadata.assign(20'000, 'm');
                         }));
       },
       "metadata size exceeds limit"},
      {"a server that wants less", [] { return ResetWith(11); },
       "RST_STREAM with error code 11"},

      {"an exception in a handler",
       [] {
         return Answered([](auto*, auto*) -> Status {
           throw std::runtime_error("not today");
         });
       },
       "Unexpected error in RPC handling"},
      {"a stream that ends without a status",
       [] {
         return AnsweredInHttp2(Frame(kHeaders, kEndHeaders, 1, "\x88") +
                                Frame(kData, kEndStream, 1, ""));
       },
       "Stream removed"},
      {"a request that is not UTF-8",
       [] {
         return CalledWithBytes("/workshop.greeter.v1.Greeter/SayHello",
                                "\x0a\x02\xff\xff");
       },
       kNoMessage},
      {"a breach of HTTP/2", [] { return ResetWith(1); },
       "Received RST_STREAM with error code"},
      {"a proxy that gives up", [] { return ResetWith(2); },
       "Received RST_STREAM with error code"},
      {"a connection that is not safe enough", [] { return ResetWith(12); },
       "Received RST_STREAM with error code"},
  };
}

TEST(UsualCausesTest, ExplainsEachStatusThatGrpcComesUpWith) {
  std::set<const CauseOfStatus*> unproven;
  for (const CauseOfStatus& known : CausesOfStatuses()) {
    unproven.insert(&known);
  }
  for (const Case& one : Cases()) {
    const Status status = one.provoke();
    SCOPED_TRACE(fmt::format("{}: {} \"{}\"", one.scene,
                             CodeName(status.error_code()),
                             status.error_message()));
    const std::string cause = UsualCause(status);
    bool explained = false;
    for (const CauseOfStatus& known : CausesOfStatuses()) {
      if (known.cause != cause) continue;
      explained = true;
      unproven.erase(&known);
      EXPECT_EQ(known.words, one.words);
      EXPECT_EQ(known.also, one.also);
    }
    EXPECT_TRUE(explained);
  }
  for (const CauseOfStatus* const known : unproven) {
    ADD_FAILURE() << "nothing has made gRPC say \"" << known->words << "\", \""
                  << known->also << "\"";
  }
}

std::string CauseOf(StatusCode code, const std::string& message = "") {
  return UsualCause(Status(code, message));
}

// A client of a learner's that reports what it was answered with.
std::string CauseOfClient(const Status& status) {
  return UsualCauseOfClient(CodeName(status.error_code()) + ": " +
                            status.error_message() + "\n");
}

TEST(UsualCausesTest, ExplainsWhyAClientIsNotAnswered) {
  EXPECT_NE(CauseOfClient(Call("unix:no_server.sock")).find("--address"),
            std::string::npos);
  EXPECT_NE(CauseOfClient(Call("unix..no_server.sock")).find("as it is"),
            std::string::npos);
  CallOptions options;
  options.limit = 1ms;
  EXPECT_NE(CauseOfClient(Answered(UntilCancelled, options)).find("the right"),
            std::string::npos);
  options.cancel = true;
  options.limit = 30s;
  EXPECT_NE(CauseOfClient(Answered(Ok, options)).find("TryCancel"),
            std::string::npos);
  EXPECT_NE(CauseOfClient(CalledWithBytes("/Nobody/Knows", "")).find("method"),
            std::string::npos);
  EXPECT_NE(CauseOfClient(CutOff(false)).find("was there"), std::string::npos);
  EXPECT_EQ(UsualCauseOfClient("the calculator is closed"), "");
}

TEST(UsualCausesTest, SaysNothingOfWhatOnlyTheLearnerCanKnow) {
  EXPECT_EQ(CauseOf(StatusCode::NOT_FOUND), "");
  EXPECT_EQ(CauseOf(StatusCode::UNAVAILABLE, "closed on Sundays"), "");
  EXPECT_EQ(UsualCause(Status::OK), "");
}

TEST(UsualCausesTest, KnowsHowProgramsEnd) {
  EXPECT_NE(UsualCause(Exit{0, 0}, "").find("ended by itself"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGFPE}, "").find("division"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGSEGV}, "").find("pointer"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGABRT}, "").find("assertion failed"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGKILL}, "").find("killed it"),
            std::string::npos);
  EXPECT_NE(UsualCause(Exit{0, SIGABRT},
                       "terminate called after throwing an instance of "
                       "'std::bad_alloc'")
                .find("2 GiB"),
            std::string::npos);
}

}  // namespace
}  // namespace workshop::testing
