"""A program of somebody else's (tests/consumer) builds with jumpcut and runs: as a Meson subproject,
and with an installed one through pkg-config, shared and static. consumer.py BUILD_FOLDER C++"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from house import ROOT, files, finish

WRAP = "[wrap-file]\ndirectory = jumpcut\n[provide]\ndependency_names = jumpcut\n"

build, cpp = sys.argv[1:]
consumer = ROOT / "tests/consumer"


def run(*command, **environment):
    """Runs it, and ends the test if it fails; returns what it prints."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, env={**os.environ, **environment})
    if done.returncode:
        finish([f"{shlex.join(map(str, command))} ended with {done.returncode}:", done.stdout])
    return done.stdout


def as_subproject(scratch):
    project = shutil.copytree(consumer, scratch / "project")
    (project / "subprojects").mkdir()
    (project / "subprojects/jumpcut.wrap").write_text(WRAP)
    (project / "subprojects/jumpcut").symlink_to(ROOT)
    run("meson", "setup", project / "build", project, "--force-fallback-for=jumpcut", CXX=cpp)
    run("ninja", "-C", project / "build")
    run(project / "build/consumer")
    return [f"a subproject builds {path.name}" for path in (project / "build").rglob("*_test")]


def installed(scratch):
    to = scratch / "installed"
    run("meson", "install", "-C", build, "--no-rebuild", f"--destdir={to}")
    pc = next(to.rglob("jumpcut.pc"))
    environment = {"PKG_CONFIG_LIBDIR": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(to)}
    lib = pc.parent.parent

    def link(program, *options):
        flags = run("pkg-config", "--cflags", "--libs", *options, "jumpcut", **environment)
        run(cpp, "-std=c++20", consumer / "main.cpp", "-o", program, *shlex.split(flags))
        return re.findall(r"NEEDED.*\[(libjumpcut.*)\]", run("readelf", "-dW", program))

    program = scratch / "with_shared"
    if (needed := link(program)) != ["libjumpcut.so.0"]:
        yield f"a program linked with the shared library needs {needed}"
    run(program, LD_LIBRARY_PATH=str(lib))

    for shared in lib.glob("libjumpcut.so*"):
        shared.unlink()
    program = scratch / "with_static"
    if needed := link(program, "--static"):
        yield f"a program linked with the static library needs {needed}"
    run(program)

    include = next(to.rglob("jumpcut/error.hpp")).parent.parent
    there = {str(path.relative_to(include)) for path in include.rglob("*") if path.is_file()}
    ours = {str(path.relative_to("include")) for path in files("include", suffixes=(".hpp", ".h"))}
    made = {f"jumpcut/impl/{name}.hpp" for name in ("config", "switch")}
    if wrong := there ^ (ours | made):
        yield f"installed but should not be, or the other way: {sorted(wrong)}"


with tempfile.TemporaryDirectory() as folder:
    scratch = pathlib.Path(folder)
    finish([*installed(scratch), *as_subproject(scratch)])
