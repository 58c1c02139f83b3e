#!/usr/bin/env python3
"""clangd_test.py FOLDER: an editor shows no error in its untouched programs.

What clangd finds in a file, it says on stderr; `clangd --check` ends with 1 if
that includes errors.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77
LIMIT_SECONDS = 240


def errors_in(source):
    """What clangd calls an error in a file, line by line."""
    done = subprocess.run(
        ["clangd", f"--check={source}", "--check-lines=1"], cwd=ROOT, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        timeout=LIMIT_SECONDS, check=False)
    errors = [line for line in done.stderr.splitlines()
              if line.startswith("E[")]
    if done.returncode != 0 and not errors:
        errors = [f"clangd ended with {done.returncode}:\n{done.stderr}"]
    return errors


def main():
    if not shutil.which("clangd"):
        print("skipped: clangd is not installed (apt-get install clangd)")
        return SKIPPED
    folder = ROOT / sys.argv[1]
    # What cannot fail proves nothing.
    with tempfile.TemporaryDirectory(dir=ROOT / "build/tests") as wrong:
        source = pathlib.Path(wrong) / "wrong.cc"
        source.write_text("int number = \"a text\";\n")
        if not errors_in(source):
            print("clangd sees no error where there is one")
            return 1
    sources = sorted(folder.glob("*.cc"))
    if not sources:
        print(f"there are no sources in {folder}")
        return 1
    failed = False
    for source in sources:
        errors = errors_in(os.path.relpath(source, ROOT))
        print(f"{source.name}: {len(errors)} errors")
        print("\n".join(errors))
        failed = failed or bool(errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
