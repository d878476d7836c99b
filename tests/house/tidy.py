"""clang-tidy has nothing to say of lib/: tidy.py BUILD_FOLDER, one that clang compiles."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

from house import ROOT, files, finish, skip

tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy") or skip("clang-tidy is not here")
build = pathlib.Path(sys.argv[1])
commands = json.loads((build / "compile_commands.json").read_text())
compiled = {(build / command["file"]).resolve() for command in commands}
sources = [ROOT / path for path in files("lib", suffixes=(".c", ".cpp"))]


def tidy(path):
    run = subprocess.run([tool, "--quiet", "-p", build, path], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return f"{run.stdout}{run.stderr}" if run.returncode else None


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    finish([said for said in pool.map(tidy, sorted(compiled.intersection(sources))) if said])
