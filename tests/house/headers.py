"""Every public header compiles alone, twice over, and in any order: headers.py BUILD_FOLDER
COMPILER... with each compiler that is found."""

import concurrent.futures
import os
import shutil
import subprocess
import sys

from house import ROOT, files, finish

FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
         "-Wold-style-cast", "-Wundef", "-Werror"]
C_FLAGS = [flag for flag in FLAGS if flag != "-Wold-style-cast"]

build, *compilers = sys.argv[1:]
includes = [f"-I{ROOT / 'include'}", f"-I{build}/include"]

headers = [str(path.relative_to("include")) for path in files("include", suffixes=(".hpp", ".h"))]
headers += [f"jumpcut/impl/{name}" for name in ("config.hpp", "switch.hpp")]  # Meson makes these
for_c = [name for name in headers if name.endswith(".h")]

# (what to say, language, the headers to include)
cases = [(f"<{name}> alone", "c++", [name, name]) for name in headers]
cases += [(f"<{name}> alone, as C", "c", [name, name]) for name in for_c]
cases += [("all headers from first to last", "c++", sorted(headers)),
          ("all headers from last to first", "c++", sorted(headers, reverse=True))]


def compile_case(compiler, case):
    what, language, names = case
    text = "".join(f"#include <{name}>\n" for name in names)
    standard = ["-std=c++20", *FLAGS] if language == "c++" else ["-std=c11", *C_FLAGS]
    result = subprocess.run([compiler, "-x", language, *standard, *includes, "-"], input=text,
                            capture_output=True, text=True)
    return f"{compiler}: {what}:\n{result.stderr}" if result.returncode else None


found = {shutil.which(name): name for name in compilers if shutil.which(name)}.values()
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    results = pool.map(compile_case, *zip(*((c, case) for c in found for case in cases)))
    finish([result for result in results if result])
