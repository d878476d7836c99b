"""What the libraries say of themselves: library.py libjumpcut.so libjumpcut.a COMPILER..."""

import pathlib
import re
import subprocess
import sys
import tempfile

from house import finish

# Ours, what the compiler makes for ours, and the C symbols. Nothing of std: an instance of one of
# its templates that our library exports takes the place of the host's own.
OURS = re.compile(r"jumpcut::|jumpcut_\w+$|"
                  r"(typeinfo|typeinfo name|vtable|VTT|guard variable) for jumpcut::|"
                  r"(non-virtual|virtual) thunk to jumpcut::")
# Landing pads, which the assembly has; not shadow stacks, which it would break.
MARKS = {"x86_64": "x86 feature: IBT", "aarch64": "AArch64 feature: BTI"}

shared, static, arch, *compiler = sys.argv[1:]
complaints = []


def tool(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


soname = re.search(r"SONAME.*\[(.*)\]", tool("readelf", "-dW", shared))
if not soname or soname[1] != "libjumpcut.so.0":
    complaints.append(f"its soname is {soname and soname[1]}")

for line in tool("nm", "-DC", "--defined-only", shared).splitlines():
    name = line.split(maxsplit=2)[2]
    if not OURS.match(name):
        complaints.append(f"exported: {name}")

if not re.search(r"GNU_STACK .* RW +0x", tool("readelf", "-lW", shared)):
    complaints.append("it asks for an executable stack")

# The linker keeps a mark that every object has. Debian's crti.o and parts of libgcc have none, so the
# library is linked once more without them.
with tempfile.TemporaryDirectory() as folder:
    alone = str(pathlib.Path(folder, "alone.so"))
    tool(*compiler, "-shared", "-nostdlib", "-Wl,--whole-archive", static,
         "-Wl,--no-whole-archive", "-o", alone)
    marks = re.findall(r"Properties: (.*)", tool("readelf", "-nW", alone))
    if marks != [MARKS[arch]]:
        complaints.append(f"its objects are marked {marks}, not {MARKS[arch]}")

finish(complaints)
