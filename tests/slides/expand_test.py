#!/usr/bin/env python3
"""Tests slides/*.py: the decks as they are, and decks with mistakes."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

NOTES = """
<!--
2 minutes
Say: it.
Ask: why?
Show: lessons/01_a/server.cc
-->
"""
FILES = {
    "lessons/01_a/server.cc": """\
int main() {
  int port = 0;
  // A comment.
  Listen(port);
  if (port == 0) {
    return 1;
  }
  Serve();
}
""",
    "lessons/01_a/README.md": """\
```console
$ server --port 1 &
listening on 1
$ client
hello
```

```console norun
$ client never
```

| a | b |
|---|---|
| 1 | [2](x.md) |
""",
    "exercises/01_a/exercise.textproto": 'title: "An exercise"\nminutes: 30\n',
    "slides/index.html": "{{days}}{{home}}{{decks}}{{share}}",
    "slides/plan.toml": """\
half_day_minutes = 60
at_home = []
[[half_day]]
title = "Morning"
start = "9:00"
parts = [
  { deck = "01_a", minutes = 10 },
  { minutes = 10 },
  { exercise = "01_a", part = "task 1", minutes = 20 },
  { exercise = "01_a", part = "task 2", minutes = 10 },
]
""",
    "slides/01_a.md": "# One\n" + NOTES + "\n---\n\n## Two\n" + NOTES,
}


def expand(root, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "slides/expand.py", "--root", root, *arguments],
        text=True, capture_output=True, check=False)


class DecksTest(unittest.TestCase):
    def test_the_decks_are_right(self):
        done = expand(ROOT, "--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class ExpandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in FILES.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def deck(self, slide):
        """What becomes of a deck whose third slide is `slide`."""
        (self.root / "slides/01_a.md").write_text(
            f"{FILES['slides/01_a.md']}\n---\n\n{slide}")
        done = expand(self.root, "--output", self.root / "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.root / "out/01_a.md").read_text()

    def quote(self, kind, *pieces):
        return self.deck("\n".join(
            ["## Three", f"```{kind}", *pieces, "```", NOTES]))

    def refuse(self, slide, message, where="slides/01_a.md:"):
        """Expects that the deck is refused, for this reason alone."""
        (self.root / "slides/01_a.md").write_text(
            f"{FILES['slides/01_a.md']}\n---\n\n{slide}")
        self.refuse_root(message, where)

    def refuse_quote(self, kind, piece, message):
        self.refuse(f"## Three\n```{kind}\n{piece}\n```\n{NOTES}", message,
                    "slides/01_a.md:22: slide 3 (Three): ")

    def refuse_root(self, message, where):
        done = expand(self.root, "--output", self.root / "out")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith(where), done.stderr)
        self.assertIn(message, done.stderr)
        self.assertFalse((self.root / "out").exists())

    def plan(self, old, new):
        plan = self.root / "slides/plan.toml"
        self.assertIn(old, plan.read_text())
        plan.write_text(plan.read_text().replace(old, new))

    # Quoting.

    def test_quotes_pieces_of_a_source(self):
        self.assertIn(
            "```cpp\nint port = 0;\nListen(port);\n...\nServe();\n```",
            self.quote("quote lessons/01_a/server.cc",
                       "int port", "Listen(", "Serve("))

    def test_quotes_from_a_line_to_another(self):
        self.assertIn(
            "```cpp\nif (port == 0) {\n  return 1;\n}\n```",
            self.quote("quote lessons/01_a/server.cc", "if (port .. }"))

    def test_refuses_a_region_that_is_not_there(self):
        self.refuse_quote("quote lessons/01_a/server.cc", "Stop();",
                          "lessons/01_a/server.cc has no `Stop();`")

    def test_refuses_a_region_that_does_not_end(self):
        self.refuse_quote("quote lessons/01_a/server.cc", "Serve(); .. Stop",
                          "lessons/01_a/server.cc has no `Serve(); .. Stop`")

    def test_refuses_a_region_that_begins_in_two_places(self):
        self.refuse_quote("quote lessons/01_a/README.md", "$ client",
                          "2 lines begin with `$ client`")

    def test_refuses_a_file_that_is_not_there(self):
        self.refuse_quote("quote lessons/01_a/client.cc", "int",
                          "lessons/01_a/client.cc cannot be read")

    def test_refuses_more_than_twenty_lines(self):
        (self.root / "lessons/01_a/long.cc").write_text(
            "begin\n" + "x\n" * 19 + "end\n")
        self.refuse_quote("quote lessons/01_a/long.cc", "begin .. end",
                          "21 lines of lessons/01_a/long.cc on a slide")

    def test_quotes_what_a_command_prints(self):
        self.assertIn(
            "```console\n$ client\nhello\n```",
            self.quote("output lessons/01_a/README.md", "$ client"))

    def test_refuses_output_that_nobody_has_checked(self):
        self.refuse_quote("output lessons/01_a/README.md", "$ client never",
                          "has no console blocks that are run and hold")

    def test_refuses_output_of_two_blocks(self):
        readme = self.root / "lessons/01_a/README.md"
        readme.write_text(readme.read_text() + "```console\n$ client\n```\n")
        self.refuse_quote("output lessons/01_a/README.md", "$ client",
                          "has 2 console blocks that are run and hold")

    def test_quotes_columns_of_a_table_without_links(self):
        self.assertIn("| b |\n| --- |\n| 2 |",
                      self.quote("table lessons/01_a/README.md", "| b |"))

    def test_refuses_a_table_that_is_not_there(self):
        self.refuse_quote("table lessons/01_a/README.md", "| c |",
                          "has no table with the columns `| c |`")

    def test_refuses_a_diagram_that_is_not_there(self):
        self.refuse_quote("diagram lessons/01_a/README.md", "",
                          "has 0 diagrams")

    # Slides.

    def test_makes_paragraphs_of_notes(self):
        deck = self.deck("## Three\n" + NOTES.replace("it.", "it,\nand it."))
        self.assertIn("2 minutes\n\nSay: it, and it.\n\nAsk: why?\n\n", deck)

    def test_refuses_a_slide_without_notes(self):
        self.refuse("## Three\n", "it has no notes and no minutes")

    def test_refuses_a_slide_without_minutes(self):
        self.refuse("## Three\n" + NOTES.replace("2 minutes\n", ""),
                    "and not with `N minutes`")

    def test_refuses_notes_that_say_nothing(self):
        for word in ("Say", "Ask", "Show"):
            self.refuse("## Three\n" + NOTES.replace(f"{word}:", "And:"),
                        f"its notes have no `{word}:`")

    def test_refuses_notes_that_name_what_is_not_there(self):
        self.refuse("## Three\n" + NOTES.replace("server.cc", "client.cc"),
                    "its notes name lessons/01_a/client.cc")

    def test_refuses_a_slide_without_a_title(self):
        self.refuse("Three\n" + NOTES, "it has 0 titles")

    def test_refuses_a_code_block_that_does_not_end(self):
        self.refuse("## Three\n" + NOTES + "```cpp\nint x;\n",
                    "a code block does not end")

    # The plan.

    def test_prints_the_plan(self):
        self.deck("## Three\n" + NOTES)
        index = (self.root / "out/index.html").read_text()
        self.assertIn("<td>9:20</td><td>Exercise 01: An exercise, task 1</td>"
                      "<td>20</td>", index)
        self.assertIn("<td>9:50</td><td>End; 30 minutes of it in exercises",
                      index)
        self.assertIn("30 of 50 minutes (60 %)", index)
        self.assertIn("<td>3</td><td>6</td>", index)  # slides and minutes

    def test_refuses_a_deck_that_takes_too_long(self):
        self.refuse(
            "## Three\n" + NOTES.replace("2 minutes", "7 minutes"),
            "slides/01_a.md takes 11 minutes, and 10 are planned",
            "slides/plan.toml:")

    def test_refuses_minutes_that_the_exercise_does_not_have(self):
        self.plan('"task 1", minutes = 20', '"task 1", minutes = 25')
        self.refuse_root("exercises/01_a has 35 minutes here, and 30 in",
                         "slides/plan.toml:")

    def test_refuses_a_half_day_that_is_too_long(self):
        self.plan("half_day_minutes = 60", "half_day_minutes = 45")
        self.refuse_root("Morning takes 50 minutes, 45 are the limit",
                         "slides/plan.toml:")

    def test_refuses_less_than_half_of_the_time_for_exercises(self):
        # 30 of 60 would do.
        self.plan("{ minutes = 10 },", "{ minutes = 21 },")
        self.plan("half_day_minutes = 60", "half_day_minutes = 90")
        self.refuse_root("exercises have 30 of 61 minutes",
                         "slides/plan.toml:")

    def test_refuses_a_deck_that_is_not_planned(self):
        (self.root / "slides/02_b.md").write_text(FILES["slides/01_a.md"])
        self.refuse_root("slides/02_b.md is in no half day",
                         "slides/plan.toml:")

    def test_refuses_an_exercise_that_is_not_planned(self):
        (self.root / "exercises/02_b").mkdir()
        (self.root / "exercises/02_b/exercise.textproto").write_text(
            FILES["exercises/01_a/exercise.textproto"])
        self.refuse_root("exercises/02_b is in no half day",
                         "slides/plan.toml:")

    def test_refuses_a_slide_that_gives_an_exercise_other_minutes(self):
        self.plan("  { minutes = 10 },\n", "")
        (self.root / "slides/01_a.md").write_text(
            "# One\n**20 minutes.**\n" + NOTES)
        self.assertEqual(expand(self.root, "--check").stderr, "")
        (self.root / "slides/01_a.md").write_text(
            "# One\n**15 minutes.**\n" + NOTES)
        self.refuse_root('does not say "**20 minutes"', "slides/plan.toml:")

    def test_refuses_a_planned_deck_that_is_not_there(self):
        self.plan('{ deck = "01_a"', '{ deck = "02_b", minutes = 1 },\n'
                  '  { deck = "01_a"')
        self.refuse_root("there is no slides/02_b.md", "slides/plan.toml:")


if __name__ == "__main__":
    unittest.main()
