"""An example prints what its head comment promises: example_output.py SOURCE PROGRAM. The comment
has, once or more often, `//   $ ./name arguments` and then the output, indented alike. There, `...`
stands for what is another in each build, such as an address: on a line of its own for any lines,
elsewhere for any text."""

import difflib
import os
import pathlib
import re
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


def matches(wanted, output):
    pattern = "".join("(?:.*\\n)*?" if line.strip() == "..." else
                      ".*?".join(map(re.escape, line.split("..."))) + "\\n"
                      for line in wanted.splitlines())
    return re.fullmatch(pattern, output) is not None


def keeps(command, wanted):
    arguments = shlex.split(command)[1:]
    run = subprocess.run([*around, program, *arguments], stdout=subprocess.PIPE, text=True)
    if run.returncode:
        print(f"{command}: ended with status {run.returncode}")
    if matches(wanted, run.stdout):
        return run.returncode == 0
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), run.stdout.splitlines(True),
                                               "the comment", "the program"))
    return False


wanted = promises(pathlib.Path(source).read_text())
if not wanted:
    print(f"{source}: no `//   $ ./{pathlib.Path(program).name}` in its head comment")
sys.exit(0 if wanted and all([keeps(*promise) for promise in wanted]) else 1)
