"""Quotes programs, and what they print, for a slide.

Nothing of that kind is typed in a deck. It is quoted, by a code block of one of
these kinds:

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
"""

import pathlib
import re

MAX_CODE_LINES = 20
FENCE = re.compile(r"^(`{3,})\s*(\S*)\s*(.*)$")
LANGUAGES = {".cc": "cpp", ".h": "cpp", ".patch": "diff", ".proto": "protobuf",
             ".txt": "console", ".md": "console"}
COMMENT = re.compile(r"^\s*(//.*|#.*|)$")


class Problem(Exception):
    """What is wrong, as a sentence."""


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
