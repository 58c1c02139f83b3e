#!/usr/bin/env python3
"""What .vscode/tasks.json runs is there, and prints what it looks for.

It has been tried in the editor; this finds what has changed since.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXPECTED = ROOT / "tests/grader/expected"


def read(name):
    """One of the editor's files, which are JSON with comments."""
    text = (ROOT / ".vscode" / name).read_text()
    return json.loads(re.sub(r"^ *//.*$", "", text, flags=re.M))


class VscodeTest(unittest.TestCase):

    def setUp(self):
        self.tasks = read("tasks.json")
        self.by_label = {task["label"]: task for task in self.tasks["tasks"]}

    def found(self, pattern, text):
        """What a problem matcher's pattern finds in a text."""
        groups = re.search(pattern["regexp"], text, re.M)
        self.assertIsNotNone(groups, text)
        return {name: groups[number] for name, number in pattern.items()
                if isinstance(number, int)}

    def test_runs_what_is_there(self):
        for task in self.by_label.values():
            script = task["command"].replace("${workspaceFolder}", str(ROOT))
            self.assertTrue(os.access(script, os.X_OK), script)
        launched, = read("launch.json")["configurations"]
        self.assertIn(launched["preLaunchTask"], self.by_label)

    def test_finds_the_place_of_an_error(self):
        scorecard = (EXPECTED / "does_not_compile.txt").read_text()
        problem = self.found(self.tasks["problemMatcher"]["pattern"], scorecard)
        self.assertRegex(problem["file"], r"^[\w/]+/server\.cc$")
        self.assertRegex(problem["line"] + problem["column"], r"^\d+$")
        self.assertEqual(problem["severity"], "error")
        self.assertRegex(problem["message"], r"^expected ';'")

    def test_sees_that_nothing_can_be_debugged(self):
        done = subprocess.run(
            [ROOT / ".make/debug"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, check=False,
            env={**os.environ, "E": "99", "EDITOR_ATTACHES": "1"})
        self.assertEqual(done.returncode, 2, done.stdout)
        matcher = self.by_label["await the debugger"]["problemMatcher"]
        problem = self.found(matcher["pattern"], done.stdout)
        self.assertTrue((ROOT / problem["file"]).is_file(), problem)
        self.assertNotRegex(done.stdout, matcher["background"]["endsPattern"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
