"""For a machine without our assembly, `meson setup` stops and says for which ones there is some."""

import os
import subprocess
import tempfile

from house import ROOT, finish

with tempfile.TemporaryDirectory() as folder:
    setup = subprocess.run(["meson", "setup", folder, ROOT, f"--cross-file={ROOT}/tests/cross/riscv64.ini"],
                           stdout=subprocess.PIPE, text=True, env={**os.environ, "CC": "", "CXX": ""})

SENTENCE = "jumpcut switches stacks on x86_64 and aarch64 only, and has no assembly for riscv64"
refused = setup.returncode != 0 and SENTENCE in setup.stdout
finish([] if refused else [f"status {setup.returncode}, without `{SENTENCE}`:", setup.stdout])
