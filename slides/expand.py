#!/usr/bin/env python3
"""Makes the decks ready for Marp, or says what is wrong with them.

expand.py [--root ROOT] --check       only says what is wrong
expand.py [--root ROOT] --output DIR  writes each deck for Marp, and index.html

A deck is ROOT/slides/NN_topic.md: slides in Marp's Markdown with `---` between
them. quotes.py says how they quote programs. Each slide has a title, and a
comment with its minutes and the speaker's notes:

<!--
2 minutes
Say: what it is about.
Ask: a question to the class.
Show: a command, or where to point.
-->

plan.toml says what the minutes are held against.
"""

import argparse
import dataclasses
import pathlib
import re
import sys
import tomllib

import plan as plans
from quotes import FENCE, QUOTES, Problem

FRONT_MATTER = """---
marp: true
theme: workshop
paginate: true
title: {title}
footer: {footer}
---
"""
NOTES = re.compile(r"(?s)<!--\n(\d+ minutes?\n.*?)-->")


@dataclasses.dataclass
class Slide:
    number: int
    line: int       # where it begins in its deck
    source: list    # its lines
    lines: list = dataclasses.field(default_factory=list)  # with the quotes
    title: str = ""
    minutes: int = 0


def split(lines):
    """The slides of a deck."""
    slides = [Slide(1, 1, [])]
    fence = None
    for number, line in enumerate(lines, start=1):
        match = FENCE.match(line)
        if match and fence is None:
            fence = match[1]
        elif fence is not None and line.strip() == fence:
            fence = None
        if line == "---" and fence is None:
            slides.append(Slide(len(slides) + 1, number + 1, []))
        else:
            slides[-1].source.append(line)
    return slides


def expand(root, slide):
    """Puts the quotes in; yields what is wrong with them."""
    fence = None
    for line in slide.source:
        match = FENCE.match(line)
        if fence is None and match:
            fence, block = match, []
            if fence[2] not in QUOTES:
                slide.lines.append(line)
        elif fence is not None and line.strip() == fence[1]:
            if fence[2] in QUOTES:
                pieces = [piece for piece in block if piece.strip()]
                try:
                    slide.lines += QUOTES[fence[2]](root, fence[3], pieces)
                except Problem as problem:
                    yield str(problem)
            else:
                slide.lines += [*block, line]
            fence = None
        elif fence is not None:
            block.append(line)
        else:
            slide.lines.append(line)
    if fence is not None:
        yield "a code block does not end"


def inspect(root, slide):
    """Reads title, minutes and notes; yields what is missing."""
    text = "\n".join(slide.source)
    outside = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", text)
    notes = [note.strip() for note in
             re.findall(r"(?s)<!--(.*?)-->", outside)
             if not re.match(r"\s*_?(class|footer|paginate):", note)]
    titles = re.findall(r"(?m)^#{1,2} (.+)$",
                        re.sub(r"(?s)<!--.*?-->", "", outside))
    if len(titles) == 1:
        slide.title = titles[0]
    else:
        yield f"it has {len(titles)} titles; a slide has one"
    if not notes:
        yield "it has no notes and no minutes for the speaker"
        return
    if len(notes) > 1:
        yield "it has more than one comment with notes"
    first, _, rest = notes[0].partition("\n")
    minutes = re.fullmatch(r"(\d+) minutes?", first)
    if minutes and int(minutes[1]) > 0:
        slide.minutes = int(minutes[1])
    else:
        yield f"its notes begin with `{first}` and not with `N minutes`"
    for word in ("Say", "Ask", "Show"):
        if not re.search(rf"(?m)^{word}: \S", notes[0]):
            yield f"its notes have no `{word}:`"
    for path in re.findall(
            r"\b(?:exercises|lessons|proto|slides|solutions|tests)/[\w./]*\w",
            re.sub(r"\b(?:build|\.\.)/[\w./]*", "", rest)):
        if not (root / path).exists():
            yield f"its notes name {path}, which does not exist"


@dataclasses.dataclass
class Deck:
    name: str
    slides: list

    @property
    def title(self):
        return self.slides[0].title

    @property
    def label(self):
        return self.name.replace("_", " ")

    @property
    def minutes(self):
        return sum(slide.minutes for slide in self.slides)


def load_deck(root, path, problems):
    deck = Deck(path.stem, split(path.read_text("utf-8").splitlines()))
    for slide in deck.slides:
        found = [*inspect(root, slide), *expand(root, slide)]
        problems += [f"slides/{path.name}:{slide.line}: slide {slide.number}"
                     f" ({slide.title or 'no title'}): {problem}"
                     for problem in found]
    return deck


def unfold(notes):
    """Notes as paragraphs, which the presenter's window folds by itself."""
    paragraphs = re.split(r"\n(?=(?:Say|Ask|Show):)", notes[1].strip())
    return "\n\n".join(
        ["<!--", *(" ".join(text.split()) for text in paragraphs), "-->"])


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=here)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--check", action="store_true")
    group.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.root

    problems = []
    decks = [load_deck(root, path, problems)
             for path in sorted((root / "slides").glob("[0-9]*.md"))]
    plan = tomllib.loads((root / "slides/plan.toml").read_text("utf-8"))
    problems += [f"slides/plan.toml: {problem}"
                 for problem in plans.check(root, plan, decks)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        for old in arguments.output.glob("*.md"):
            if old.stem not in [deck.name for deck in decks]:
                old.unlink()
        for deck in decks:
            text = "\n---\n".join("\n".join(s.lines) for s in deck.slides)
            text = NOTES.sub(unfold, text)
            (arguments.output / f"{deck.name}.md").write_text(
                FRONT_MATTER.format(
                    title=f'"{deck.title}"',
                    footer=f'"gRPC C++ Workshop · {deck.label}"') + text,
                encoding="utf-8")
        (arguments.output / "index.html").write_text(
            plans.page(root, plan, decks), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
