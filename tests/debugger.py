"""A debugger finds every fiber from one symbol: debugger.py PROGRAM"""

import shutil
import subprocess
import sys
import tempfile

WALK = """
import gdb
gdb.execute("run")
scheduler = gdb.parse_and_eval("jumpcut_schedulers")
while scheduler:
    fiber = scheduler["fibers_"]
    while fiber:
        if fiber["job_"]:
            print("fiber", fiber["job_"]["name"].string(), "parked at", fiber["saved_"]["pc"])
        fiber = fiber["next_"]
    scheduler = scheduler["next_scheduler_"]
gdb.execute("continue")
"""

gdb = shutil.which("gdb")
if gdb is None:
    print("left out: no gdb here")
    sys.exit(77)
with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
    script.write(WALK)
    script.flush()
    output = subprocess.run([gdb, "-nx", "-batch", "-x", script.name, sys.argv[1]], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
lines = [line for line in output.splitlines() if line.startswith("fiber ")]
if "Python" in output and not lines:
    print("left out: this gdb has no Python")
    sys.exit(77)
names = sorted(line.split()[1] for line in lines)
if names != ["reader", "stopper", "writer"] or "exited normally" not in output:
    print(output)
    sys.exit("the fibers found are " + str(names))
