#!/usr/bin/env python3
"""A learner's branch takes a new version of the workshop, as README.md says.

The new version changes lessons, suites and READMEs, and what hurts most: a
skeleton that the learner has edited, in the same lines and in others.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXERCISE = pathlib.Path("exercises/01_calculator")
SERVER = EXERCISE / "server.cc"
CLIENT = EXERCISE / "client.cc"
MANIFEST = EXERCISE / "exercise.textproto"
LESSON = pathlib.Path("lessons/01_unary/README.md")
SUITE = pathlib.Path("tests/exercises/01_calculator_test.cc")
NEW = pathlib.Path("exercises/98_new/server.cc")

TODO = "    // TODO 1: answer a + b (task 1).\n"
ANSWER = "    response->set_result(request->a() + request->b());\n"


def documented_commands():
    """The commands of the section: to begin, to commit, to take a version."""
    section = (ROOT / "README.md").read_text().split("## Keep your work\n")[1]
    block = re.search(r"```console norun\n(.*?)```", section, re.S).group(1)
    return [line.removeprefix("$ ") for line in block.splitlines()]


class Repository:

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def run(self, command, status=0):
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith("GIT_")}
        environment.update(
            GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.org",
            GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@example.org",
            GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull,
            GIT_CONFIG_COUNT="2",
            # Nothing tidies up in a folder that is about to be removed.
            GIT_CONFIG_KEY_0="maintenance.auto", GIT_CONFIG_VALUE_0="false",
            # The workshop's folder may be somebody else's, as in CI.
            GIT_CONFIG_KEY_1="safe.directory", GIT_CONFIG_VALUE_1=str(ROOT),
            # Nobody is there to write a message.
            GIT_EDITOR="false")
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, timeout=120, check=False)
        assert done.returncode == status, \
            f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def read(self, path):
        return (self.folder / path).read_text()

    def replace(self, path, old, new):
        text = self.read(path)
        assert old in text, f"{path} has no {old!r}"
        (self.folder / path).write_text(text.replace(old, new, 1))

    def blob(self, path):
        return self.run(f"git hash-object {path}").strip()


class OwnBranchTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.workshop = Repository(pathlib.Path(folder.name) / "workshop")
        self.workshop.folder.mkdir()
        self.workshop.run(
            f"git -C '{ROOT}' ls-files -z --cached --others --exclude-standard"
            f" | (cd '{ROOT}' && while IFS= read -r -d '' name; do"
            "   [[ ! -f $name ]] || printf '%s\\0' \"$name\"; done |"
            "   tar --create --null --files-from=-) | tar --extract"
            " && git init --quiet --initial-branch=main && git add --all"
            " && git commit --quiet -m 'The workshop'")
        self.workshop.run("git clone --quiet . ../learner")
        self.learner = Repository(pathlib.Path(folder.name) / "learner")
        self.begin, self.commit, self.update = documented_commands()

    def publish_a_new_version(self):
        new = self.workshop
        new.replace(SERVER, TODO, "    // TODO 1: answer the sum (task 1).\n")
        new.replace(SERVER, '"Calculates with 64-bit integers."',
                    '"Calculates with integers of 64 bits."')
        new.replace(CLIENT, '"Asks a calculator for one result."',
                    '"Asks a calculator."')
        new.replace(LESSON, "## Traps\n", "## Traps\n\nOne more.\n")
        new.replace(SUITE, "namespace workshop::testing {",
                    "// One more.\nnamespace workshop::testing {")
        (new.folder / NEW).parent.mkdir()
        (new.folder / NEW).write_text("// TODO 1: everything.\n")
        manifest = re.sub(
            r'(name: "(\S+)" skeleton: )"[0-9a-f]+"',
            lambda file: f'{file[1]}"{new.blob(EXERCISE / file[2])}"',
            new.read(MANIFEST))
        (new.folder / MANIFEST).write_text(manifest)
        new.run("git add --all && git commit --quiet -m 'The next version'")

    def test_brings_both_together(self):
        mine = self.learner
        mine.run(self.begin)
        mine.replace(SERVER, TODO, ANSWER)
        mine.run(self.commit)
        self.publish_a_new_version()
        mine.run(self.update)

        self.assertEqual(mine.run("git status --porcelain"), "")
        self.assertEqual(mine.run("git branch --show-current"), "mine\n")
        server = mine.read(SERVER)
        self.assertNotIn("<<<<<<<", server)
        self.assertIn(ANSWER, server)
        self.assertNotIn("TODO 1:", server.split("return")[0])
        self.assertIn("Calculates with integers of 64 bits.", server)
        for path in (CLIENT, LESSON, SUITE, NEW, MANIFEST):
            self.assertEqual(mine.read(path), self.workshop.read(path), path)
        # For the grader: the client is untouched, the server is not.
        self.assertIn(mine.blob(CLIENT), mine.read(MANIFEST))
        self.assertNotIn(mine.blob(SERVER), mine.read(MANIFEST))
        changed = mine.run("git diff --name-only origin/main exercises")
        self.assertEqual(changed, f"{SERVER}\n")

        # And again, with nothing new.
        self.assertIn("up to date", mine.run(self.update))

    def test_refuses_before_it_loses_what_is_not_committed(self):
        mine = self.learner
        mine.run(self.begin)
        mine.replace(SERVER, TODO, ANSWER)
        self.publish_a_new_version()
        said = mine.run(self.update, status=1)
        self.assertIn("commit your changes", said)
        self.assertIn(ANSWER, mine.read(SERVER))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
