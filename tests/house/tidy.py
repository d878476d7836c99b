"""clang-tidy has nothing to say of lib/: tidy.py BUILD_FOLDER, one that clang compiles."""

import concurrent.futures
import os
import shutil
import subprocess
import sys

from house import ROOT, files, finish, skip

tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy") or skip("clang-tidy is not here")


def tidy(path):
    run = subprocess.run([tool, "--quiet", "-p", sys.argv[1], str(ROOT / path)], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return f"{run.stdout}{run.stderr}" if run.returncode else None


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    finish([said for said in pool.map(tidy, files("lib", suffixes=(".c", ".cpp"))) if said])
