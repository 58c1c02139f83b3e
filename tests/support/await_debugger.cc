// await_debugger FOLDER PROGRAM [ARGUMENT...]
//
// Becomes PROGRAM, stopped before its first instruction, and writes its
// process's number into the pipe FOLDER/started: a debugger is to attach to it.
// The first program of a run, by its file's name, is the one to be debugged, as
// FOLDER/debugged then says; others start at once.

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
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

// Stops `process` when it becomes a program, and says so. Closes `ready` as
// soon as that cannot be missed.
void StopAtExec(pid_t process, int ready, const char* folder) {
  ptrace(PTRACE_SEIZE, process, nullptr, PTRACE_O_TRACEEXEC);
  close(ready);
  int status = 0;
  while (waitpid(process, &status, __WALL) == process && WIFSTOPPED(status)) {
    if (status >> 16 != PTRACE_EVENT_EXEC) {  // a signal, which it shall get
      ptrace(PTRACE_CONT, process, nullptr, WSTOPSIG(status));
      continue;
    }
    kill(process, SIGSTOP);
    ptrace(PTRACE_DETACH, process, nullptr, nullptr);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/started", folder);
    dprintf(open(path, O_WRONLY), "%d\n", process);
    return;
  }
}

void AwaitDebugger(const char* folder) {
  // Ubuntu lets nobody but a parent attach unless it is asked to.
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t process = getpid();
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return;
  // A child's child, so that the program has no child that it does not know.
  const pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) StopAtExec(process, ready[1], folder);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  close(ready[1]);
  char nothing;
  while (read(ready[0], &nothing, 1) > 0) {
  }
  close(ready[0]);
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
