#!/usr/bin/env python3
"""Debugs the exercises' programs in a terminal, by `make debug`: exercise 01's
untouched server, and solutions, since a test that is held up must still pass.
"""

import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT_SECONDS = 120
SERVER = ROOT / "exercises/01_calculator/server.cc"


def line_of(text, source=SERVER):
    """The number of the line of the server, or other source, with this text in
    it.
    """
    lines = source.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


class Terminal:
    """A command that runs in a terminal of its own."""

    def __init__(self, command, temporary):
        self.output = ""
        self.read_to = 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environment = {
                name: value for name, value in os.environ.items()
                if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
            environment.update(TERM="dumb", TMPDIR=temporary)
            os.execvpe(command[0], command, environment)

    def await_text(self, *texts, nudge=None):
        """Reads on until one of `texts` has come, sending `nudge` meanwhile."""
        text = re.compile("|".join(map(re.escape, texts)))
        deadline = time.monotonic() + LIMIT_SECONDS
        while not (found := text.search(self.output, self.read_to)):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {texts} in:\n{self.output}")
            ready, _, _ = select.select([self.terminal], [], [], 0.5)
            if ready:
                try:
                    read = os.read(self.terminal, 65536)
                except OSError:  # the other side has closed it
                    raise AssertionError(
                        f"the end, and no {texts} in:\n{self.output}")
                self.output += read.decode().replace("\r", "")
            elif nudge:
                os.write(self.terminal, nudge)
        self.read_to = found.end()

    def send(self, line):
        os.write(self.terminal, line.encode() + b"\n")

    def type(self, line):
        self.await_text("(gdb) ")
        self.send(line)

    def quit_at_the_end(self, *ends):
        """Leaves gdb when the program has ended in one of these ways.

        Does not wait for the prompt: gdb writes it letter by letter, and what
        the program has written may come between any two of them.
        """
        self.await_text(*ends)
        self.send("quit")

    def exit_status(self):
        """Reads all the rest and returns how the command ended."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.terminal], [], [], 1)[0]:
                try:
                    read = os.read(self.terminal, 65536)
                except OSError:
                    break
                self.output += read.decode().replace("\r", "")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ChildProcessError, ProcessLookupError):
            pass
        os.close(self.terminal)


class DebugTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.temporary = folder.name

    def start(self, *command):
        terminal = Terminal(command, self.temporary)
        self.addCleanup(terminal.close)
        return terminal

    def debug(self, *arguments):
        return self.start("make", "debug", *arguments)

    def expect_nothing_left(self):
        """No folder, and no process that names one."""
        self.assertEqual(os.listdir(self.temporary), [])
        for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = cmdline.read_bytes()
            except OSError:
                continue
            self.assertNotIn(self.temporary.encode(), command)

    def test_stops_where_it_is_told_and_tells_what_came_of_it(self):
        line = line_of('"TODO 7: Divide"')
        gdb = self.debug("E=01", "T=RejectsADivisionByZero")
        gdb.await_text("waits for it without limits")
        gdb.type(f"break server.cc:{line}")
        gdb.type("run")
        gdb.await_text("hit Breakpoint")
        gdb.await_text("CalculatorService::Divide")
        gdb.type("next")
        gdb.type("continue")
        gdb.quit_at_the_end("Program terminated with signal SIGKILL")
        self.assertEqual(gdb.exit_status(), 0)
        self.assertIn("FAIL  Task2_Errors.RejectsADivisionByZero", gdb.output)
        self.assertIn('came back  UNIMPLEMENTED: "TODO 7: Divide"', gdb.output)
        self.expect_nothing_left()

    def test_stops_by_ctrl_c_and_quits_in_the_middle(self):
        gdb = self.debug("E=1", "T=Task1_Arithmetic.AddsTwoNumbers", "P=server")
        gdb.type("start")
        gdb.await_text("main (argc=")
        gdb.type("call (int)pause()")
        gdb.await_text("received signal SIGINT", nudge=b"\x03")
        # Ctrl-Z stops all of it, until a shell would say `fg`.
        for _ in range(2):
            gdb.type("print 6 * 7")
            gdb.await_text("= 42")
            gdb.await_text("(gdb) ")
            os.write(gdb.terminal, b"\x1a")
            os.waitpid(gdb.pid, os.WUNTRACED)
            os.killpg(gdb.pid, signal.SIGCONT)
            gdb.send("")
        gdb.type("quit")
        self.assertEqual(gdb.exit_status(), 0)
        self.assertIn("The debugger is gone, and so are", gdb.output)
        self.expect_nothing_left()

    def test_debugs_the_client_where_the_test_runs_it(self):
        gdb = self.debug("E=01", "T=Prints the result")
        gdb.await_text("client is about to start")
        gdb.type("break main")
        gdb.type("run")
        gdb.await_text("Breakpoint")
        gdb.await_text("01_calculator/client.cc")
        gdb.type("continue")
        gdb.quit_at_the_end("exited with code 01")
        self.assertEqual(gdb.exit_status(), 0)
        self.assertIn("FAIL  Task3_Client.PrintsTheResult", gdb.output)

    def hold(self, exercise, test, source, text):
        """Debugs the solution, and stops it at the line of `source` with `text`
        in it.
        """
        gdb = self.debug(f"E={exercise}", f"T={test}",
                         f"SUBMISSION=solutions/{exercise}")
        gdb.type(f"break {source.name}:{line_of(text, source)}")
        gdb.type("run")
        gdb.await_text("hit Breakpoint")
        return gdb

    def test_waits_for_longer_than_usual(self):
        solutions = ROOT / "solutions"
        held = [
            # Its own limit in this test is a second.
            self.hold("01_calculator", "ReportsAServerThatIsNotThere",
                      solutions / "01_calculator/client.cc",
                      "grpc::Status status;"),
            # A call, an event, and the end of a server have 5 seconds.
            self.hold("02_user_management", "CreatesAUserAndFindsItAgain",
                      solutions / "02_user_management/server.cc",
                      "grpc::Status CreateUser("),
            self.hold("03_file_upload", "LeavesNothingOfACancelledUpload",
                      ROOT / "lessons/common/program.h", "->Shutdown("),
            self.hold("04_chat", "TellsAMemberThatItHasJoined",
                      solutions / "04_chat/server.cc", "join = request.join()"),
        ]
        time.sleep(6)
        for gdb in held:
            gdb.type("delete")
            gdb.type("continue")
            gdb.quit_at_the_end("exited with code 01", "exited normally",
                                "Program terminated with signal SIGKILL")
            self.assertEqual(gdb.exit_status(), 0)
            self.assertIn("\nPASS  Task", gdb.output)

    def test_debugs_every_run_of_the_learners_own_tests(self):
        gdb = self.debug("E=05", "T=AcceptsEveryCorrectService")
        gdb.type("run")
        gdb.quit_at_the_end("exited with code 01")
        gdb.await_text("is about to start once more")
        gdb.type("start")
        gdb.await_text("main ()")
        gdb.type("quit")
        self.assertEqual(gdb.exit_status(), 0)
        # It may come before gdb's prompt or behind it.
        self.assertIn("FAILED TEST", gdb.output)
        self.assertIn("The debugger is gone, and so are", gdb.output)
        self.expect_nothing_left()

    def test_lets_an_editor_attach(self):
        waiting = self.debug("E=01_calculator", "T=AddsTwoNumbers",
                             "EDITOR_ATTACHES=1")
        waiting.await_text("Waiting for the debugger: process ")
        # What VS Code's extension sends. It goes on by itself if the only stop
        # so far has no reason; any other one it shows as an exception.
        gdb = self.start("gdb", "-q", "--interpreter=mi")
        for command in (
                "-gdb-set mi-async on", "-gdb-set stop-on-solib-events 1",
                "-interpreter-exec console \"source build/debug/attach.gdb\"",
                f"-break-insert -f server.cc:{line_of('TODO 1: Add')}"):
            gdb.send(command)
            gdb.await_text("^done")
        self.assertEqual(gdb.output.count("*stopped,"), 1, gdb.output)
        self.assertIn("*stopped,frame=", gdb.output)
        gdb.send("-exec-continue")
        gdb.await_text('*stopped,reason="solib-event"')
        gdb.send("-gdb-set stop-on-solib-events 0")
        gdb.await_text("^done")
        gdb.send("-exec-continue")
        gdb.await_text('*stopped,reason="breakpoint-hit"')
        gdb.await_text("CalculatorService::Add")
        gdb.send("-exec-continue")
        gdb.await_text('*stopped,reason="exited-signalled"')
        gdb.send("-gdb-exit")
        self.assertEqual(waiting.exit_status(), 0)
        self.assertIn("FAIL  Task1_Arithmetic.AddsTwoNumbers", waiting.output)
        self.expect_nothing_left()

    def test_names_what_there_is(self):
        for arguments, told in (
                (["E=01"], r"Which test shall run\? There are:\n  T=AddsTwo"),
                (["E=01", "T=Adds.*"], r'There is no test "Adds\.\*"\. Which'),
                (["T=AddsTwoNumbers"], r"Which exercise\? There are:\n  E=01"),
                (["E=99", "T=A"], r'There is no exercise "99"\.'),
                (["E=01", "T=A", "P=x"], r"P=x is none .*: server client")):
            done = subprocess.run(
                [ROOT / ".make/debug"], text=True, stderr=subprocess.PIPE,
                env={**os.environ, **dict(a.split("=") for a in arguments)},
                timeout=LIMIT_SECONDS, check=False)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(re.search(told, done.stderr), done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
