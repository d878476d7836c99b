"""tests/totals.py counts what it should."""

import json
import pathlib
import subprocess
import sys
import tempfile

from house import ROOT, finish

ALL_PASSED = "=====\nAll tests passed (4 assertions in 3 test cases)\n\n"
SOME_FAILED = "test cases:  7 |  4 passed | 2 failed | 1 failed as expected\nassertions: 9 | 9 passed\n"
CASES = [
    # result, output -> passed, failed, skipped
    ("OK", ALL_PASSED, (3, 0, 0)),
    ("OK", "no totals", (1, 0, 0)),
    ("OK", "words\n5 passed, 0 failed, 2 skipped\n", (5, 0, 2)),
    ("FAIL", SOME_FAILED, (5, 2, 0)),
    ("FAIL", "no totals", (0, 1, 0)),
    ("FAIL", ALL_PASSED, (3, 1, 0)),  # passed, and crashed at exit
    ("TIMEOUT", "", (0, 1, 0)),
    ("SKIP", "the tool is not here", (0, 0, 1)),
]


def totals(folder, *cases):
    log, file = pathlib.Path(folder, "log"), pathlib.Path(folder, "file")
    log.write_text("".join(json.dumps({"name": "x", "result": result, "stdout": output}) + "\n"
                           for result, output in cases))
    run = subprocess.run([sys.executable, ROOT / "tests/totals.py", "of", log, file],
                         stdout=subprocess.DEVNULL)
    return run.returncode, file.read_text().strip()


def line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


complaints = []
with tempfile.TemporaryDirectory() as folder:
    sums = [sum(column) for column in zip(*(counts for _, _, counts in CASES))]
    for cases, counts in [([], (0, 1, 0)), (CASES, sums)] + [([case], case[2]) for case in CASES]:
        got = totals(folder, *(case[:2] for case in cases))
        if got != (1 if counts[1] else 0, line(*counts)):
            complaints.append(f"{cases}: status {got[0]}, `{got[1]}`, not `{line(*counts)}`")
finish(complaints)
