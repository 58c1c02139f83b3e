#!/usr/bin/env python3
"""Makes an exercise by `make new-exercise` and proves it, in a copy.

The copy is below build/ and is kept, so that the next run has little to build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COPY = ROOT / "build/tests/new_exercise"
NAME = "97_rate_limits"
LIMIT_SECONDS = 1500


def run(*command, status=0, **variables):
    done = subprocess.run(
        command, cwd=COPY, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS, check=False,
        env={**os.environ, **variables})
    assert done.returncode == status, \
        f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def update_copy():
    """Makes the copy what the workshop is, and touches what is the same not."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        cwd=ROOT, check=True, text=True,
        stdout=subprocess.PIPE).stdout.split("\0")
    wanted = {COPY / name for name in names if name and (ROOT / name).is_file()}
    # The innermost first: an empty folder still looks like an exercise.
    for old in sorted(COPY.rglob("*"), reverse=True):
        if COPY / "build" in [old, *old.parents]:
            continue
        if old.is_dir():
            if not any(old.iterdir()):
                old.rmdir()
        elif old not in wanted:
            old.unlink()
    for file in wanted:
        source = ROOT / file.relative_to(COPY)
        if file.exists() and file.read_bytes() == source.read_bytes():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, file)


class NewExerciseTest(unittest.TestCase):

    def test_makes_one_that_is_proven_as_it_stands(self):
        update_copy()
        self.addCleanup(update_copy)
        run(".make/new-exercise", N="97", NAME="rate_limits")
        run("cmake", "--preset", "dev", "-DWORKSHOP_PROOFS=ON")
        targets = [
            target.split(":")[0]
            for target in run("ninja", "-C", "build", "-t", "targets",
                              "all").splitlines()
            if target.startswith(NAME) and ": phony" in target
            and not any(kind in target for kind in
                        ("_address_", "_undefined_", "_thread_"))]
        run("ninja", "-C", "build", "prove", "course_test", "grader", *targets)

        proofs = run("ctest", "--test-dir", "build", "--no-tests=error",
                     "--timeout", "300", "--output-on-failure",
                     "--tests-regex", f"^{NAME}/|^course/.*{NAME}|EveryLink")
        for proof in ("skeleton", "solution", "mutants/accepts_zero",
                      "mutants/repeats_once_too_often",
                      "alternatives/repeats_into_the_response"):
            self.assertIn(f"{NAME}/{proof} ", proofs)
        self.assertIn("IsProvenByMutantsAndAlternatives", proofs)

        untouched = run(".make/check", status=1, E="97")
        self.assertIn("NOT_STARTED  0 of 100", untouched)
        shutil.copy(COPY / "solutions" / NAME / "server.cc",
                    COPY / "exercises" / NAME / "server.cc")
        self.assertIn("DONE         100 of 100", run(".make/check", E="97"))
        # Asked for by nobody, a draft is nobody's task.
        course = COPY / "build/only_a_draft"
        shutil.copytree(COPY / "exercises" / NAME, course / "exercises" / NAME,
                        dirs_exist_ok=True)
        self.assertNotIn(NAME, run("build/tests/grader/grader", "--root",
                                   str(course), "--build", "build"))

        made = [
            str(path.relative_to(COPY)) for path in COPY.rglob("*")
            if "rate_limits" in path.name or NAME in path.parts
            if path.is_file() and COPY / "build" not in path.parents]
        self.assertGreaterEqual(len(made), 5)
        run("clang-format", "--dry-run", "--Werror",
            *(name for name in made if name.endswith((".cc", ".proto"))))
        run("cmake-format", "--check", "CMakeLists.txt", "proto/CMakeLists.txt")
        run(".make/check-text", *made)

    def test_says_what_is_wrong_with_a_number_or_a_name(self):
        update_copy()
        for number, name, told in (
                ("", "", "N is its number"),
                ("0", "foo", "N=0 is no such number"),
                ("100", "foo", "N=100 is no such number"),
                ("eleven", "foo", "N=eleven is no such number"),
                ("97", "", "NAME what it is about"),
                ("97", "Foo", "NAME=Foo is not lower-case"),
                ("97", "a-b", "NAME=a-b is not lower-case"),
                ("97", "a__b", "NAME=a__b is not lower-case"),
                ("97", "a" * 19, "18 at most"),
                ("1", "foo", "There is exercises/01_calculator already"),
                ("97", "calculator", "There is exercises/01_calculator")):
            said = run(".make/new-exercise", status=2, N=number, NAME=name)
            self.assertIn(told, said.replace("\n", " "))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
