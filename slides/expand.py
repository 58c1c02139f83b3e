#!/usr/bin/env python3
"""Puts what is quoted into the decks, and checks them against the plan.

expand.py [--root ROOT] --check       only says what is wrong
expand.py [--root ROOT] --output DIR  writes each deck for Marp, and index.html

A deck is ROOT/slides/NN_topic.md: slides in Marp's Markdown with `---` between
them. Nothing that a program is or prints is typed there. It is quoted, by a
code block of one of these kinds:

```quote lessons/01_unary/server.cc
builder.AddListeningPort .. builder.RegisterService
sigwait(
```
    lines of a file. Each line here names a piece of it by the text that the
    piece's first line begins with (and behind ` .. ` its last line). The first
    piece must begin on one line of the file only, and the next ones are looked
    for below it. Where more than comments is left out, `...` stands.

```output lessons/01_unary/README.md
$ build/lessons/01_unary/client Ada
```
    pieces of a ```console block, which must be one that `make test` runs. A
    command stands for itself and all that it prints.

```table lessons/02_errors/README.md
| code | when | retry
```
    the table with these columns, without its others.

```diagram lessons/01_unary/README.md
```
    the file's only Mermaid diagram, or those messages of it that are named.

Each slide has a title and a comment with its minutes and the speaker's notes:

<!--
2 minutes
Say: what it is about.
Ask: a question to the class.
Show: a command, or where to point.
-->

Minutes are held against plan.toml, which says what it means.
"""

import argparse
import dataclasses
import html
import pathlib
import re
import sys
import tomllib

MAX_CODE_LINES = 20
FRONT_MATTER = """---
marp: true
theme: workshop
paginate: true
title: {title}
footer: {footer}
---
"""
FENCE = re.compile(r"^(`{3,})\s*(\S*)\s*(.*)$")
LANGUAGES = {".cc": "cpp", ".h": "cpp", ".patch": "diff", ".proto": "protobuf",
             ".txt": "console", ".md": "console"}
NOTES = re.compile(r"(?s)<!--\n(\d+ minutes?\n.*?)-->")
COMMENT = re.compile(r"^\s*(//.*|#.*|)$")


class Problem(Exception):
    """What is wrong, as a sentence."""


# ------------------------------------------------------------------- quoting


def read(root, name):
    """The lines of a file that a slide names."""
    try:
        return (root / name).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Problem(f"{name} cannot be read: {error.strerror}") from None


def find_piece(lines, piece, start, end_of_last, match=str.startswith):
    """Where a piece begins and ends, or None; the end is behind it."""
    first, _, last = (text.strip() for text in piece.partition(" .. "))
    for i in range(start, len(lines)):
        if not match(lines[i].lstrip(), first):
            continue
        if not last:
            return i, end_of_last(lines, i)
        for j in range(i + 1, len(lines)):
            if lines[j].lstrip().startswith(last):
                return i, end_of_last(lines, j)
        return None
    return None


def one_line(lines, i):
    return i + 1


def with_output(lines, i):
    """A command goes on to the next one."""
    if not lines[i].startswith("$ "):
        return i + 1
    while i + 1 < len(lines) and not lines[i + 1].startswith("$ "):
        i += 1
    return i + 1


def dedent(lines):
    margin = min((len(line) - len(line.lstrip()) for line in lines
                  if line.strip()), default=0)
    return [line[margin:] for line in lines]


def quote(root, name, pieces):
    """The named pieces of a file, as a code block."""
    lines = read(root, name)
    if not pieces:
        raise Problem(f"{name}: nothing of it is named")
    first = pieces[0].partition(" .. ")[0].strip()
    count = sum(line.lstrip().startswith(first) for line in lines)
    if count > 1:
        raise Problem(f"{name}: {count} lines begin with `{first}`; one must")
    quoted = []
    end = None
    for piece in pieces:
        found = find_piece(lines, piece, end or 0, one_line)
        if found is None:
            raise Problem(f"{name} has no `{piece.strip()}`"
                          + (" below the piece before" if end else ""))
        left_out = lines[end:found[0]] if end else []
        if not all(COMMENT.match(line) for line in left_out):
            start = lines[found[0]]
            quoted.append(start[:len(start) - len(start.lstrip())] + "...")
        elif "" in left_out:
            quoted.append("")
        quoted += lines[found[0]:found[1]]
        end = found[1]
    return code_block(
        LANGUAGES.get(pathlib.Path(name).suffix, "text"), dedent(quoted), name)


def code_blocks(lines):
    """All code blocks of a Markdown file: (language, words behind it, lines)"""
    fence = None
    for line in lines:
        match = FENCE.match(line.lstrip())
        if fence is None and match:
            fence, block = match, []
        elif fence is not None and line.strip() == fence[1]:
            yield fence[2], fence[3].split(), dedent(block)
            fence = None
        elif fence is not None:
            block.append(line)


def pieces_of_output(block, pieces, match):
    """The pieces of a console block; None if it does not have them all."""
    lines = []
    end = 0
    for piece in pieces:
        span = find_piece(block, piece, end, with_output, match)
        if span is None:
            return None
        if lines and span[0] > end:
            lines.append("...")
        lines += block[span[0]:span[1]]
        end = span[1]
    return lines


def output(root, name, pieces):
    """The pieces of a transcript that `make test` has checked."""
    blocks = [block for language, words, block in code_blocks(read(root, name))
              if language == "console" and "norun" not in words]
    # Whole lines first: one command may be the beginning of another.
    for match in (str.__eq__, str.startswith):
        found = [lines for block in blocks
                 if (lines := pieces_of_output(block, pieces, match))]
        if len(found) == 1:
            break
    if len(found) != 1:
        raise Problem(
            f"{name} has {len(found) or 'no'} console blocks that are run and "
            f"hold `{'` and then `'.join(pieces)}`; there must be one")
    return code_block("console", found[0], name)


def code_block(language, lines, name):
    if len(lines) > MAX_CODE_LINES:
        raise Problem(f"{len(lines)} lines of {name} on a slide; "
                      f"{MAX_CODE_LINES} are the limit")
    return [f"```{language}", *lines, "```"]


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def table(root, name, pieces):
    """A table of a README, with the columns that are named."""
    lines = read(root, name)
    for wanted in map(cells, pieces[:1]):
        for i, line in enumerate(lines):
            header = cells(line)
            if line.startswith("|") and set(wanted) <= set(header):
                keep = [header.index(column) for column in wanted]
                rows = []
                while i < len(lines) and lines[i].startswith("|"):
                    # Without links, which lead nowhere from a slide.
                    row = cells(re.sub(r"\[(.*?)\]\(.*?\)", r"\1", lines[i]))
                    rows.append("| " + " | ".join(row[k] for k in keep) + " |")
                    i += 1
                return rows
    raise Problem(f"{name} has no table with the columns `{' '.join(pieces)}`")


def diagram(root, name, pieces):
    """The Mermaid diagram of a README."""
    found = [block for language, _, block in code_blocks(read(root, name))
             if language == "mermaid"]
    if len(found) != 1:
        raise Problem(f"{name} has {len(found)} diagrams; there must be one")
    lines = found[0]
    if pieces:
        kept = [line for line in lines if line == lines[0] or
                line.lstrip().startswith("participant ")]
        end = 0
        for piece in pieces:
            span = find_piece(lines, piece, end, one_line)
            if span is None:
                raise Problem(f"the diagram of {name} has no `{piece}`")
            kept += lines[span[0]:span[1]]
            end = span[1]
        lines = kept
    return ["```mermaid", *lines, "```"]


QUOTES = {"quote": quote, "output": output, "table": table, "diagram": diagram}

# --------------------------------------------------------------------- decks


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


# ------------------------------------------------------------------ the plan


def manifest(root, exercise):
    """Title and minutes of an exercise; None as long as it has no manifest."""
    path = root / "exercises" / exercise / "exercise.textproto"
    if not path.exists():
        return exercise, None
    text = path.read_text("utf-8")
    return (re.search(r'(?m)^title: "(.*)"', text)[1],
            int(re.search(r"(?m)^minutes: (\d+)", text)[1]))


def parts_of(plan):
    return [part for half_day in plan["half_day"] for part in half_day["parts"]]


def times(plan):
    """All minutes of the plan, and those of them that are for exercises."""
    parts = parts_of(plan)
    return (sum(part["minutes"] for part in parts),
            sum(part["minutes"] for part in parts if "exercise" in part))


def planned(plan, kind):
    """The minutes of each deck, or of each exercise."""
    minutes = {}
    for part in parts_of(plan) + plan["at_home"]:
        if kind in part:
            minutes.setdefault(part[kind], 0)
            minutes[part[kind]] += part["minutes"]
    return minutes


def check_plan(root, plan, decks):
    """Yields where the plan and what is there disagree."""
    for half_day in plan["half_day"]:
        total = sum(part["minutes"] for part in half_day["parts"])
        if total > plan["half_day_minutes"]:
            yield (f"{half_day['title']} takes {total} minutes, "
                   f"{plan['half_day_minutes']} are the limit")
    everything, exercising = times(plan)
    if 2 * exercising < everything:
        yield (f"exercises have {exercising} of {everything} minutes, "
               "which is less than half")

    minutes = planned(plan, "deck")
    for deck in decks:
        if deck.name not in minutes:
            yield f"slides/{deck.name}.md is in no half day"
        elif deck.minutes > minutes[deck.name]:
            yield (f"slides/{deck.name}.md takes {deck.minutes} minutes, "
                   f"and {minutes[deck.name]} are planned")
    for name in minutes.keys() - {deck.name for deck in decks}:
        yield f"there is no slides/{name}.md"

    minutes = planned(plan, "exercise")
    for path in sorted((root / "exercises").glob("*/exercise.textproto")):
        if path.parent.name not in minutes:
            yield (f"exercises/{path.parent.name} is in no half day, and not "
                   "at home either")
    for name, has in minutes.items():
        needs = manifest(root, name)[1]
        if needs not in (None, has):
            yield (f"exercises/{name} has {has} minutes here, and {needs} in "
                   "its exercise.textproto")


# ----------------------------------------------------------------- the index


def clock(start, minutes):
    hours, rest = divmod(start + minutes, 60)
    return f"{hours}:{rest:02}"


def page(root, plan, decks):
    """The index page: the days, and the decks."""
    by_name = {deck.name: deck for deck in decks}
    days = ""
    for half_day in plan["half_day"]:
        hours, minutes = map(int, half_day["start"].split(":"))
        now, spent = hours * 60 + minutes, 0
        rows = ""
        for part in half_day["parts"]:
            if "deck" in part:
                kind, what = "deck", by_name[part["deck"]].title
                what = (f'<a href="{part["deck"]}.html">'
                        f'{part["deck"][:2]} {html.escape(what)}</a>')
            elif "exercise" in part:
                name = part["exercise"]
                kind = "exercise"
                what = html.escape(f"Exercise {name[:2]}: "
                                   f"{manifest(root, name)[0]}")
                if "part" in part:
                    what += f", {html.escape(part['part'])}"
                spent += part["minutes"]
            else:
                kind, what = "break", "Break"
            rows += (f'<tr class="{kind}"><td>{clock(now, 0)}</td>'
                     f"<td>{what}</td><td>{part['minutes']}</td></tr>\n")
            now += part["minutes"]
        total = now - hours * 60 - minutes
        days += (f"<h2>{html.escape(half_day['title'])}</h2>\n<table>\n"
                 "<tr><th>at</th><th>what</th><th>minutes</th></tr>\n"
                 f"{rows}<tr class=\"sum\"><td>{clock(now, 0)}</td><td>End; "
                 f"{spent} minutes of it in exercises</td><td>{total}</td>"
                 "</tr>\n</table>\n")
    home = "".join(
        f"<li>Exercise {e['exercise'][:2]}: "
        f"{html.escape(manifest(root, e['exercise'])[0])}, "
        f"{e['minutes']} minutes</li>" for e in plan["at_home"])
    rows = "".join(
        f'<tr><td><a href="{deck.name}.html">{deck.name[:2]} '
        f"{html.escape(deck.title)}</a></td><td>"
        f'<a href="{deck.name}.pdf">PDF</a></td><td>{len(deck.slides)}</td>'
        f"<td>{deck.minutes}</td></tr>\n" for deck in decks)
    everything, exercising = times(plan)
    template = (root / "slides/index.html").read_text("utf-8")
    for name, value in {
            "days": days, "home": home, "decks": rows,
            "slides": sum(len(deck.slides) for deck in decks),
            "minutes": sum(deck.minutes for deck in decks),
            "share": f"{exercising} of {everything} minutes "
                     f"({exercising * 100 // everything} %)"}.items():
        template = template.replace("{{" + name + "}}", str(value))
    return template


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
                 for problem in check_plan(root, plan, decks)]
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
            page(root, plan, decks), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
