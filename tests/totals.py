"""Counts tests: `totals.py of TESTLOG.JSON FILE` after one meson test run, and `totals.py sum FILE...`
over several of those files. A test that prints its own totals (Catch2's, or a last line `N passed,
N failed`) counts as that many, any other as one. Ends with status 1 if anything failed."""

import json
import pathlib
import re
import sys

OURS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


def line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def printed_totals(output):
    """What a test program says of itself, or None."""
    last = output.rstrip().splitlines()[-1:] or [""]
    if ours := OURS.match(last[0]):
        return [int(n or 0) for n in ours.groups()]
    if catch2 := re.search(r"^All tests passed \(.* in (\d+) test cases?\)$", output, re.M):
        return [int(catch2[1]), 0, 0]
    if catch2 := re.search(r"^test cases: +(\d+)(.*)$", output, re.M):
        failed = re.search(r"(\d+) failed(?! as)", catch2[2])
        failed = int(failed[1]) if failed else 0
        return [int(catch2[1]) - failed, failed, 0]
    return None


def totals_of(test):
    if test["result"] == "SKIP":
        print(f"skipped: {test['name']}: {test.get('stdout', '').strip()}")
        return [0, 0, 1]
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    passed, failed, skipped = printed_totals(test.get("stdout", "")) or [int(good), 0, 0]
    if not good:
        print(f"failed: {test['name']} ({test['result']})")
        failed = max(failed, 1)  # a crash or a time limit leaves no totals behind
    return [passed, failed, skipped]


def main(command, *files):
    if command == "of":
        log, file = map(pathlib.Path, files)
        tests = [json.loads(text) for text in log.read_text().splitlines()] if log.exists() else []
        counts = [totals_of(test) for test in tests]
        totals = [sum(column) for column in zip(*counts)] or [0, 1, 0]  # no test at all is a failure
        file.write_text(line(*totals) + "\n")
    else:
        lines = [OURS.match(pathlib.Path(file).read_text().strip()) for file in files]
        totals = [sum(int(n or 0) for n in column) for column in zip(*(l.groups() for l in lines))]
        print(line(*totals))
    return 1 if totals[1] else 0


sys.exit(main(*sys.argv[1:]))
