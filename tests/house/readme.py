"""Every block of C++ in the README is a region of an example, word for word, whatever its
indentation there; and the README's command for the tests is the one that CI runs."""

import re
import textwrap

from house import ROOT, files, finish, lines, skip

if not (ROOT / "README.md").exists():
    skip("there is no README yet")

readme = (ROOT / "README.md").read_text()
examples = [lines(path) for path in files("examples", suffixes=(".c", ".cpp", ".hpp"))]


def is_region(block):
    wanted = textwrap.dedent(block).strip("\n").splitlines()
    return any(textwrap.dedent("\n".join(text[start:start + len(wanted)])).splitlines() == wanted
               for text in examples for start in range(len(text) - len(wanted) + 1))


blocks = re.findall(r"^```cpp\n(.*?)^```", readme, re.M | re.S)
complaints = [f"not a region of any example:\n{block}" for block in blocks if not is_region(block)]
for place in ("README.md", ".ci/run"):
    if "sh tests/run.sh" not in (ROOT / place).read_text():
        complaints.append(f"{place} does not run `sh tests/run.sh`")
finish(complaints)
