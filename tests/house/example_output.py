"""An example prints what its head comment promises: example_output.py SOURCE PROGRAM. The comment
has, once or more often, `//   $ ./name arguments` and then the output, indented alike."""

import difflib
import os
import pathlib
import shlex
import subprocess
import sys

source, program = sys.argv[1:]
around = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))


def promises(text):
    """Pairs of a command and the lines it prints."""
    found, inside = [], False
    for line in text.splitlines():
        if line.startswith("//   $ ./"):
            inside = True
            found.append((line.removeprefix("//   $ "), []))
        elif inside and (line.startswith("//   ") or line == "//"):
            found[-1][1].append(line[5:])
        else:
            inside = False
    return [(command, "\n".join(lines).rstrip() + "\n") for command, lines in found]


def keeps(command, wanted):
    arguments = shlex.split(command)[1:]
    run = subprocess.run([*around, program, *arguments], stdout=subprocess.PIPE, text=True)
    if run.returncode:
        print(f"{command}: ended with status {run.returncode}")
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), run.stdout.splitlines(True),
                                               "the comment", "the program"))
    return run.returncode == 0 and run.stdout == wanted


wanted = promises(pathlib.Path(source).read_text())
if not wanted:
    print(f"{source}: no `//   $ ./{pathlib.Path(program).name}` in its head comment")
sys.exit(0 if wanted and all([keeps(*promise) for promise in wanted]) else 1)
