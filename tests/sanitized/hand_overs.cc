// Tells ThreadSanitizer where gRPC hands something from one thread to another.
// It sees what it has compiled itself, and locks of pthreads; the
// distribution's gRPC is compiled without it, and has locks and queues of its
// own. So whatever a learner's program gets back from it in another thread
// would look like a race.
//
// All hand-overs to a program go through gRPC's completion queues, also where
// the synchronous or the callback API hides them: what a thread has done before
// it begins an operation with a tag, it has done before the tag comes back.
// What else gRPC orders in its inside is not told: a program must not rely on
// it.
//
// Each function here stands before the one of its name in libgrpc, which it
// calls: in a program that is linked with this, libgrpc++ finds it first.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

#include <cstddef>

namespace {

// The function of that name in a library, with the type of the one here.
template <class Function>
Function* Next(Function& /*here*/, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

grpc_call_error grpc_call_start_batch(grpc_call* call,
                                      const grpc_op* operations,
                                      std::size_t count, void* tag,
                                      void* reserved) {
  static auto* const next = Next(grpc_call_start_batch, __func__);
  __tsan_release(tag);
  return next(call, operations, count, tag, reserved);
}

grpc_call_error grpc_server_request_registered_call(
    grpc_server* server, void* method, grpc_call** call, gpr_timespec* deadline,
    grpc_metadata_array* metadata, grpc_byte_buffer** payload,
    grpc_completion_queue* queue_of_call,
    grpc_completion_queue* queue_of_notification, void* tag) {
  static auto* const next = Next(grpc_server_request_registered_call, __func__);
  __tsan_release(tag);
  return next(server, method, call, deadline, metadata, payload, queue_of_call,
              queue_of_notification, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue,
                                      gpr_timespec deadline, void* reserved) {
  static auto* const next = Next(grpc_completion_queue_next, __func__);
  const grpc_event event = next(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  static auto* const next = Next(grpc_completion_queue_pluck, __func__);
  const grpc_event event = next(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(tag);
  return event;
}
