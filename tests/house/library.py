"""What the libraries say of themselves: library.py libjumpcut.so libjumpcut.a ARCHITECTURE"""

import re
import subprocess
import sys

from house import finish

# Ours, what the compiler makes for ours, and the C symbols. Nothing of std: an instance of one of
# its templates that our library exports takes the place of the host's own.
OURS = re.compile(r"jumpcut::|jumpcut_\w+$|"
                  r"(typeinfo|typeinfo name|vtable|VTT|guard variable) for jumpcut::|"
                  r"(non-virtual|virtual) thunk to jumpcut::")
# Landing pads, which the assembly has; not shadow stacks, which it would break.
MARKS = {"x86_64": "IBT", "aarch64": "BTI"}

shared, static, arch = sys.argv[1:]
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

# The linker keeps a mark that every object has: here, what all of ours have. (Whether the library as
# a whole has one is up to the system's crti.o as well.)
objects = re.split(r"^File: .*\((.*)\)$", tool("readelf", "-nW", static), flags=re.M)[1:]
marks = {name: set(re.findall(r"(?<=[ ,])[A-Z]+(?=[,\n])", notes.partition("feature:")[2]))
         for name, notes in zip(objects[::2], objects[1::2])}
in_all = set.intersection(*marks.values())
if in_all != {MARKS[arch]}:
    complaints.append(f"all of its objects are marked {in_all}, not {MARKS[arch]}: {marks}")

finish(complaints)
