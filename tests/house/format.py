"""All C and C++ is laid out as .clang-format says, by clang-format 14: versions differ."""

import re
import shutil
import subprocess

from house import ROOT, files, finish, skip

BY_HAND = ("asm/asm.h",)  # assembly, in truth


def clang_format():
    for name in ("clang-format-14", "clang-format"):
        if tool := shutil.which(name):
            version = subprocess.run([tool, "--version"], capture_output=True, text=True).stdout
            if re.search(r"version 14\.", version):
                return tool
    skip("clang-format 14 is not here")


sources = [str(path) for path in files("include", "lib", "asm", "tests", "bench", "examples",
                                       suffixes=(".c", ".cpp", ".h", ".hpp"))]
checked = subprocess.run([clang_format(), "--dry-run", "-Werror",
                          *(path for path in sources if path not in BY_HAND)], cwd=ROOT)
finish(["run clang-format-14 -i on these"] if checked.returncode else [])
