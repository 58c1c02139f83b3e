// await_debugger FOLDER PROGRAM [ARGUMENT...]
//
// Becomes PROGRAM, but first waits for a debugger: writes its process's number
// into the pipe FOLDER/started and stops. The first program of a run, by its
// file's name, is the one to be debugged, as FOLDER/debugged then says; others
// start at once. Links nothing, so that gdb attaches to it in no time.

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

// Whether `name` is what is debugged: nothing else has claimed it before.
bool Claims(const char* folder, const char* name) {
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/debugged", folder);
  if (symlink(name, path) == 0) return true;
  char claimed[NAME_MAX + 1] = "";
  return readlink(path, claimed, NAME_MAX) > 0 && strcmp(claimed, name) == 0;
}

void AwaitDebugger(const char* folder) {
  // Ubuntu lets nobody but a parent attach unless it is asked to.
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  char text[PATH_MAX];
  snprintf(text, sizeof(text), "%s/started", folder);
  const int started = open(text, O_WRONLY | O_CLOEXEC);
  const int size = snprintf(text, sizeof(text), "%d\n", getpid());
  if (started < 0 || write(started, text, size) != size) return;
  close(started);
  raise(SIGSTOP);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 127;
  char program[PATH_MAX];
  snprintf(program, sizeof(program), "%s", argv[2]);
  if (Claims(argv[1], basename(program))) AwaitDebugger(argv[1]);
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
