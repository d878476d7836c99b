"""Guards speed by counting instructions, which repeat where times do not:

    count.py BUILD             compares those of the build folder BUILD with counts.txt
    count.py --update BUILD    writes them there

counts.txt has a line for each measure and each way to build: the measure, its instructions, the
build. More than 2 % above fails; a build that has no line is skipped. Whoever changes a count on
purpose updates the file in the same commit and says why.
"""

import pathlib
import re
import shutil
import subprocess
import sys

MEASURES = ["switch.round_trip", "fiber.yield", "fiber.park_wake_round_trip", "fiber.spawn_join",
            "fiber.spawn_1000_join", "task.sleep0", "task.create_await", "task.gather_1000",
            "task.future_round_trip", "task.channel_round_trip", "sync.lock_unlock",
            "sync.queue_put_get", "loop.call_soon", "loop.call_later_cancel"]
FILE = pathlib.Path(__file__).with_name("counts.txt")
TOLERANCE = 0.02
SKIPPED = 77


def skip(why):
    print(why)
    sys.exit(SKIPPED)


def instructions(program, measure, times):
    """How many the whole program takes."""
    run = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=no",
                          "--cachegrind-out-file=/dev/null", program, measure, str(times)],
                         capture_output=True, text=True)
    refs = re.search(r"I\s+refs:\s+([\d,]+)", run.stderr)
    if run.returncode or not refs:
        sys.exit(f"{program} {measure} under valgrind:\n{run.stdout}{run.stderr}")
    return int(refs[1].replace(",", ""))


def count(program, measure):
    """Instructions of one, the start and the end of the program left out."""
    few, many = 2_000, 12_000
    return (instructions(program, measure, many) - instructions(program, measure, few)) / (many - few)


def recorded():
    """{build: {measure: count}}"""
    builds = {}
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            measure, number, build = line.split(maxsplit=2)
            builds.setdefault(build, {})[measure] = float(number)
    return builds


def update(builds):
    comments = [line for line in FILE.read_text().splitlines() if line.startswith("#")]
    FILE.write_text("\n".join(comments + [
        f"{measure:<28}{counts[measure]:>8.1f}  {build}"
        for measure in MEASURES for build, counts in sorted(builds.items()) if measure in counts
    ]) + "\n")


def compare(known, counts):
    """Prints each, and returns whether none is too high."""
    good = True
    for measure, now in counts.items():
        change = now / known[measure] - 1 if measure in known else None
        verdict = "not in counts.txt" if change is None else f"{change:+.1%}"
        if change is None or change > TOLERANCE:
            good = False
            verdict += "  <-- if that is meant, write it down: count.py --update"
        elif change < -TOLERANCE:
            verdict += "  (better: write it down by count.py --update)"
        print(f"{measure:<28}{now:>8.1f}  {verdict}")
    return good


def main():
    *options, folder = sys.argv[1:]
    program = pathlib.Path(folder, "bench", "count_main")
    build = subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()
    known = recorded()
    updating = options == ["--update"]
    if not shutil.which("valgrind"):
        skip("valgrind is not here")
    if build not in known and not updating:
        skip(f"counts.txt has no lines for this build: {build}")
    print(f"Instructions, {build}:")
    counts = {measure: count(program, measure) for measure in MEASURES}
    good = compare(known.get(build, {}), counts)
    if updating:
        update(known | {build: counts})
    elif not good:
        sys.exit(1)


main()
