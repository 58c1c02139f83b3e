#include "tests/support/usual_causes.h"

#include <signal.h>

namespace workshop::testing {
namespace {

using grpc::StatusCode;

constexpr CauseOfStatus kCausesOfStatuses[] = {
    {StatusCode::UNIMPLEMENTED, "TODO", "", kSkeletonCause},
    {StatusCode::UNIMPLEMENTED, kNoMessage, "",
     "The server does not have this call: the method is not overridden (a "
     "wrong signature without `override` compiles and overrides nothing), or "
     "the service is not registered. On the callback API, also an exception "
     "in the handler, or a handler that returns no reactor."},
    {StatusCode::UNIMPLEMENTED, "No message returned for unary request", "",
     "The call ended with OK and without a response that could be read: "
     "Finish() before the response was written, or a response of another "
     "type than the contract's .proto has."},
    {std::nullopt, "Received http2 header with status", "",
     "What answers at that address is an ordinary web server or a proxy: "
     "another program has the port, or http_proxy is set."},

    // Connections that never came to be...
    {StatusCode::UNAVAILABLE, "failed to connect", "Connection refused",
     "Nobody listens on that port (any more): the server has ended, or has "
     "been told to Shutdown(), or listens on another one."},
    {StatusCode::UNAVAILABLE, "failed to connect", "No such file or directory",
     "Nobody has made that socket: the server listens elsewhere, or has been "
     "told to Shutdown(), which removes it."},
    {StatusCode::UNAVAILABLE, "failed to connect", "http1.x",
     "What answers at that address is an ordinary web server: another program "
     "has the port."},
    {StatusCode::UNAVAILABLE, "failed to connect", "Failed parsing HTTP/2",
     "What answers at that address does not speak HTTP/2, and so is no gRPC "
     "server: another program has the port, or something writes into the "
     "server's socket."},
    {StatusCode::UNAVAILABLE, "failed to connect", "Socket closed",
     "The connection was accepted and closed at once. One side speaks TLS and "
     "the other does not: compare the credentials of both. Or the server is "
     "just ending."},
    {StatusCode::UNAVAILABLE, "DNS resolution failed", "",
     "The host's name is not known: is it misspelled, or an address without "
     "its scheme (unix:PATH)?"},
    // ... and those that broke.
    {StatusCode::UNAVAILABLE, "Socket closed", "",
     "The connection ended in the middle of the call: the server's process "
     "has ended, by a signal, an abort or an exit(), or is about to."},
    {StatusCode::UNAVAILABLE, "Connection reset by peer", "",
     "The connection ended in the middle of the call, before the server had "
     "read all that was sent: its process has ended, by a signal, an abort or "
     "an exit(), or is about to."},
    {StatusCode::UNAVAILABLE, "keepalive watchdog timeout", "",
     "The server did not answer the client's ping in time: its machine or its "
     "process hangs, or the network is gone."},
    {StatusCode::UNAVAILABLE, "GOAWAY received", "",
     "The server closes this connection: it is shutting down, or the client "
     "pings more often than the server permits (keepalive)."},
    {StatusCode::UNAVAILABLE, "Cancelling all calls", "",
     "Shutdown() was called while this call ran, and the grace that it gives "
     "to running calls was over before the handler was."},
    {StatusCode::UNAVAILABLE, "RST_STREAM with error code 7", "",
     "The server refused the stream before any handler saw it: it is shutting "
     "down, or the connection carries as many calls as it permits."},

    // Calls that were broken off.
    {StatusCode::CANCELLED, "Cancelled on the server side", "",
     "The server cancelled the call with TryCancel(), or destroyed it "
     "unfinished. Then the client never sees the status that the handler "
     "returns: return one instead."},
    {StatusCode::CANCELLED, "RST_STREAM with error code 8", "",
     "The other side cancelled the stream and sent no status. In C++ that is "
     "TryCancel(), or a call that was destroyed unfinished."},
    {StatusCode::CANCELLED, kNoMessage, "",
     "The handler itself returned CANCELLED: does it take IsCancelled() for "
     "true, or pass on the status of a call of its own?"},
    {StatusCode::CANCELLED, "CANCELLED", "",
     "The caller cancelled the call itself: TryCancel() on its context, or a "
     "context that did not live as long as its call."},
    {StatusCode::DEADLINE_EXCEEDED, "", "",
     "The handler did not come to its end: an endless loop, a lock that is "
     "never released, or (callback API and completion queue) a Finish() that "
     "is never called."},

    // Limits.
    {StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max", "",
     "A message is larger than its receiver takes, which is 4 MiB unless "
     "SetMaxReceiveMessageSize() says otherwise. Send less at a time: pages, "
     "or a stream of chunks."},
    {StatusCode::RESOURCE_EXHAUSTED, "Sent message larger than max", "",
     "A message is larger than its sender may send: SetMaxSendMessageSize() "
     "was called, with too little."},
    {StatusCode::RESOURCE_EXHAUSTED, "Server Threadpool Exhausted", "",
     "No thread was free for the handler: a ResourceQuota with "
     "SetMaxThreads(n) serves n - 1 calls at a time, and on the synchronous "
     "API every open stream holds a thread."},
    {StatusCode::RESOURCE_EXHAUSTED, "metadata size exceeds limit", "",
     "More than 8 KiB of metadata. The message and the details of a status "
     "count, since they travel in the trailing metadata."},
    {StatusCode::RESOURCE_EXHAUSTED, "RST_STREAM with error code 11", "",
     "The other side asks to be called less: more pings, resets or calls came "
     "than it permits."},

    // What neither side meant.
    {StatusCode::UNKNOWN, "Unexpected error in RPC handling", "",
     "An exception left the handler: gRPC catches it and answers UNKNOWN. "
     "Return a grpc::Status instead of throwing."},
    {StatusCode::UNKNOWN, "Stream removed", "",
     "The server ended the stream and sent no status: it was destroyed "
     "unfinished, or is no gRPC server."},
    {StatusCode::INTERNAL, kNoMessage, "",
     "The server could not parse the request: its .proto is another one than "
     "the contract's, or a string field was sent what is not UTF-8."},
    {std::nullopt, "Received RST_STREAM with error code", "",
     "The other side broke the stream off below gRPC: a breach of HTTP/2, "
     "whose number this is, by a server that is not gRPC's or a proxy on the "
     "way."},
};

// What a learner's client says if it fails where it should not. It prints the
// code by its name, and most likely the message.
constexpr struct {
  std::string_view words;
  std::string_view cause;
} kCausesOfClients[] = {
    {"failed to connect to all addresses",
     "The client calls another address than its --address, where nobody "
     "listens."},
    {"DNS resolution failed",
     "The client does not pass its --address on as it is: the server's would "
     "be found."},
    {"DEADLINE_EXCEEDED",
     "The server would have answered at once. Is the deadline a point in time, "
     "system_clock::now() plus the timeout, and in the right unit?"},
    {"CANCELLED",
     "The client cancels the call itself: TryCancel(), or a context that does "
     "not live as long as its call."},
    {"UNIMPLEMENTED",
     "The client calls something that the contract does not have: another "
     "service, or another method."},
    {"UNAVAILABLE",
     "The server was there and would have answered: is the channel made for "
     "--address, without TLS?"},
};

bool Fits(const CauseOfStatus& known, const grpc::Status& status) {
  const std::string& message = status.error_message();
  if (status.ok() || (known.code && known.code != status.error_code())) {
    return false;
  }
  if (known.words == kNoMessage) return message.empty();
  return message.find(known.words) != std::string::npos &&
         message.find(known.also) != std::string::npos;
}

}  // namespace

std::span<const CauseOfStatus> CausesOfStatuses() { return kCausesOfStatuses; }

std::string UsualCause(const grpc::Status& status) {
  for (const CauseOfStatus& known : kCausesOfStatuses) {
    if (Fits(known, status)) return std::string(known.cause);
  }
  return "";
}

std::string UsualCauseOfClient(const std::string& err) {
  for (const auto& [words, cause] : kCausesOfClients) {
    if (err.find(words) != std::string::npos) return std::string(cause);
  }
  return "";
}

std::string UsualCause(const Exit& exit, const std::string& err) {
  if (err.find("std::bad_alloc") != std::string::npos) {
    return "The program asked for more memory than it may have (2 GiB): "
           "something grows without end.";
  }
  switch (exit.signal) {
    case 0:
      return "The program ended by itself: main() returned, or something "
             "called exit(). A server must serve until it is told to stop.";
    case SIGFPE:
      return "In spite of its name: an integer division by zero, or of the "
             "smallest integer by -1. In C++ neither throws: both kill the "
             "process.";
    case SIGSEGV:
    case SIGBUS:
      return "A null or dangling pointer. Run the program under gdb, or build "
             "it with -fsanitize=address, to see where.";
    case SIGABRT:
      return "An assertion failed, or an exception left a thread; stderr says "
             "which. gRPC itself asserts when a ClientContext is used twice.";
    case SIGKILL:
      return "Something killed it: most often the system, for its memory.";
    default:
      return "";
  }
}

}  // namespace workshop::testing
