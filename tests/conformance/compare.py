#!/usr/bin/env python3
"""Compares the runner's traces with those recorded in files of programs.

usage: compare.py RUNNER FILE...

Each program that differs is named, with the first row that does; the status is 1 then.
"""

import json
import subprocess
import sys


def traces_of(runner, path, timeout=None):
    """What the runner says of each program in the file, in their order; [] once it has died."""
    ran = subprocess.run([runner, path], stdout=subprocess.PIPE, text=True, timeout=timeout)
    answers = list(map(json.loads, ran.stdout.splitlines()))
    return [answer["trace"] for answer in answers], ran.returncode


def difference(expected, trace):
    """The first row that differs, as text; None if there is none."""
    if expected == trace:
        return None
    row = next((row for row, (left, right) in enumerate(zip(expected, trace)) if left != right),
               min(len(expected), len(trace)))
    at = lambda rows: json.dumps(rows[row]) if row < len(rows) else "nothing"
    return f"row {row}: CPython has {at(expected)}, jumpcut {at(trace)}"


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    runner, *paths = arguments
    failed = False
    for path in paths:
        with open(path) as file:
            programs = list(map(json.loads, file))
        traces, status = traces_of(runner, path)
        different = 0
        for program, trace in zip(programs, traces):
            where = difference(program["trace"], trace)
            if where:
                different += 1
                print(f"{program['name']}: {where}")
        print(f"{path}: {len(programs)} programs, {different} differ")
        if status or len(traces) != len(programs):
            print(f"{runner} ended with status {status} after {len(traces)} programs")
        failed |= bool(different or status or len(traces) != len(programs))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
