"""planted.py TOOL REPORT COMMAND...: runs a program of planted.cpp under a sanitizer or Valgrind.

REPORT is what the tool must say of it, a regular expression that need not match on one line, and
then the program must fail. An empty one: not a word, and the program must end well.
"""

import os
import re
import subprocess
import sys

tool, report, *command = sys.argv[1:]

environment = os.environ | {
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}
if tool == "valgrind":
    command = ["valgrind", "--error-exitcode=9", "--leak-check=full", *command]
# ThreadSanitizer of g++ 12 knows fewer random bits in addresses than kernels use.
if tool == "thread":
    fixed = ["setarch", "-R"]
    if subprocess.run([*fixed, "true"], capture_output=True).returncode == 0:
        command = [*fixed, *command]

# What is silent must be so with locals on the stack itself, too.
for fake_stacks in [1, 0] if tool == "address" and not report else [1]:
    environment["ASAN_OPTIONS"] = (
        f"detect_stack_use_after_return={fake_stacks}:detect_leaks=1:abort_on_error=0")
    ended = subprocess.run(command, env=environment, text=True, errors="replace",
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if report:
        good = ended.returncode != 0 and re.search(report, ended.stdout, re.DOTALL)
    else:
        # Of Valgrind, which greets, its warnings; errors it makes an exit code.
        usual = r"jumpcut: |==\d+== (?!Warning)" if tool == "valgrind" else "jumpcut: "
        said = [line for line in ended.stdout.splitlines() if not re.match(usual, line)]
        good = ended.returncode == 0 and not said
    if not good:
        print(ended.stdout)
        sys.exit(f"{' '.join(command)}: ended with {ended.returncode}; expected "
                 + (f"a report with '{report}'" if report else "silence and 0"))
