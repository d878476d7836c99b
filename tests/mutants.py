#!/usr/bin/env python3
"""Damages the switch, one line at a time, and demands that a test notices.

    mutants.py BUILD SOURCE ARCHITECTURE [PROGRAM]

BUILD is a finished build folder: its own commands compile the damaged file and link it into copies
of the test programs. PROGRAM is not used: only where one is among a test's arguments does Meson set
MESON_EXE_WRAPPER. Prints what survived and "N mutants, N killed".
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

build, source, architecture = sys.argv[1:4]
wrapper = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))  # set for a cross build
build, source = os.path.abspath(build), os.path.abspath(source)

# Not damaged, because no test can tell: the CFI of a record's rbx (only clang's inlined form keeps it
# there), .cfi_same_value of r12-r15 (the parked frame below restores
# them from its own stack) and .cfi_register of rip (the popped word still lies below the stack).
# (what is damaged, regular expression, replacement, which occurrence or None for all)
X86_CALLED = [
    *[(f"save of {r}", rf"PUSH    %{r}\n(.*?)POP     %{r}\n",
       r"subq $8, %rsp; .cfi_adjust_cfa_offset 8\n\1addq $8, %rsp; .cfi_adjust_cfa_offset -8\n", 0)
      for r in ("rbx", "r12", "r13", "r14", "r15")],
    *[(f"save of {r} by jumpcut_on_top", rf"PUSH    %{r}\n((?:(?!PUSH    %{r}\n).)*?)POP     %{r}\n",
       r"subq $8, %rsp; .cfi_adjust_cfa_offset 8\n\1addq $8, %rsp; .cfi_adjust_cfa_offset -8\n", -1)
      for r in ("rbp", "rbx", "r12")],
    ("store of rbp", r"movq    %rbp, JC_FP\(%rdi\)", "", 0),
    ("load of rbp", r"movq    JC_FP\(%rsi\), %rbp", "", 0),
    ("store of mxcsr", r"stmxcsr JC_CONTROL\(%rdi\)", "", 0),
    ("store of the x87 control word", r"fnstcw  JC_CONTROL\+4\(%rdi\)", "", 0),
    ("compare of mxcsr", r"andl    \$~0x3f, %eax", "xorl %eax, %eax", 0),
    ("mask of the mxcsr flags", r"\$~0x3f", "$0x1f80", 0),
    ("compare of the x87 control word", r"orl     %ecx, %eax", "testl %eax, %eax", 0),
    ("load of mxcsr", r"ldmxcsr JC_CONTROL\(\\wanted\)", "", 0),
    ("load of the x87 control word", r"fldcw   JC_CONTROL\+4\(\\wanted\)", "", 0),
    ("clearing of the x87 flags", r"fclex\n", "\n", 0),
    ("message", r"movq    %rdx, %rax", "", 0),
    ("alignment of an entry function", r"movq    \(%rsp\), %rdi .*", "popq %rdi", 0),
    ("red zone under jumpcut_leave", r"subq    \$128 \+ 16, %rsp", "subq $16, %rsp", 0),
    ("red zone under jumpcut_on_top", r"subq    \$128, %rsp", "", 0),
    ("alignment under jumpcut_leave", r"andq    \$-16, %rsp", "", 0),
    ("alignment under jumpcut_on_top", r"andq    \$-16, %rsp", "", 1),
    ("mxcsr that jumpcut_leave reads", r"stmxcsr JC_CONTROL\(%rdi\)", "", 1),
    ("x87 control word that jumpcut_leave reads", r"fnstcw  JC_CONTROL\+4\(%rdi\)", "", 1),
    ("nop before the entry", r"        nop\n(jumpcut_entry:)", r"\1", 0),
    ("end of backtraces", r"\.cfi_undefined %rip.*", "", 0),
    ("CFI of PUSH, CFA", r"(pushq   \\reg\n) *\.cfi_adjust_cfa_offset 8\n", r"\1", 0),
    ("CFI of PUSH, register", r"\.cfi_rel_offset \\reg, 0", "", 0),
    ("CFI of POP", r"(popq    \\reg\n) *\.cfi_adjust_cfa_offset -8\n", r"\1", 0),
    ("CFI of a record, sp", r"\.cfi_escape 0x0f.*", "", 0),
    ("CFI of a record, pc", r"\.cfi_escape 0x10, 16.*", "", 0),
    ("CFI of a record, rbp", r"\.cfi_escape 0x10, 6.*", "", 0),
    ("CFI of a record, in jumpcut_leave", r"CALLER_IS_RECORD BREG_RBX", "", 0),
    ("CFI of a record, in jumpcut_on_top", r"CALLER_IS_RECORD BREG_RBX", "", 1),
    ("CFI after the swap, in jumpcut_switch", r"(GO_ON\n) *\.cfi_restore_state", r"\1", 0),
    ("CFI after the call, in jumpcut_on_top", r"(movq    %r12, %rsp\n) *\.cfi_restore_state", r"\1", 0),
    ("CFI of the last pop, CFA", r"\.cfi_adjust_cfa_offset -8       //.*", "", 0),
]

X86_INLINED = [
    ("store of rbp", r'"movq    %%rbp, 0x10\(%%rdi\)\\n\\t"', "", 0),
    ("load of rbp", r'"movq    0x10\(%%rsi\), %%rbp\\n\\t"', "", 0),
    ("store of mxcsr", r'"stmxcsr 0x20\(%%rdi\)\\n\\t"', "", 0),
    ("store of the x87 control word", r'"fnstcw  0x24\(%%rdi\)\\n\\t"', "", 0),
    ("compare of mxcsr", r"andl    \$~0x3f, %%eax", "xorl %%eax, %%eax", 0),
    ("compare of the x87 control word", r"orl     %%ecx, %%eax", "testl %%eax, %%eax", 0),
    ("load of mxcsr", r'"ldmxcsr 0x20\(%%rsi\)\\n\\t"', "", 0),
    ("load of the x87 control word", r'"fldcw   0x24\(%%rsi\)\\n\\t"', "", 0),
    ("CFI of the record", r'%%rbp\\n\\t" JUMPCUT_CFI_RECORD', r'%%rbp\\n\\t.cfi_remember_state\\n\\t"', 0),
    ("CFI of the record, sp", r'"\.cfi_escape 0x0f, 3.*?"', '""', 0),
    ("CFI of the record, pc", r'"\.cfi_escape 0x10, 16.*?"', '""', 0),
    ("CFI of the record, rbp", r'"\.cfi_escape 0x10, 6.*?"', '""', 0),
    ("CFI after the jump", r'define JUMPCUT_CFI_RESTORE "\.cfi_restore_state', r'define JUMPCUT_CFI_RESTORE "', 0),
    ("save of rbx", r'(#define JUMPCUT_STORE_RBX) "movq[^\n]*\n(.*?JUMPCUT_CLOBBER_RBX) "rbx",', r"\1\n\2", 0),
    *[(f"clobber of {r}", rf'"{r}",\s', "", 0) for r in ("r12", "r13", "r14", "r15", "xmm1")],
    ("clobber of xmm15", r'"xmm15",\s', "", 0),
]

PAIRS = [("x20", "x21"), ("x22", "x23"), ("x24", "x25"), ("x26", "x27"), ("x28", "x30"),
         ("d8", "d9"), ("d10", "d11"), ("d12", "d13"), ("d14", "d15")]
AARCH64_CALLED = [
    *[(f"save of {a}", rf"LOAD    {a}, {b}, (0x\w+)", rf"ldr {b}, [sp, #\1 + 8]", 0) for a, b in PAIRS],
    *[(f"save of {b}", rf"LOAD    {a}, {b}, (0x\w+)", rf"ldr {a}, [sp, #\1]", 0) for a, b in PAIRS],
    *[(f"store of {a}, {b}", rf"SAVE    {a}, {b}, 0x\w+", "", 0) for a, b in PAIRS],
    *[(f"save of {a}, {b} by jumpcut_on_top", rf"LOAD    {a}, {b}, 0x\w+", "", -1)
      for a, b in (("x19", "x20"), ("x29", "x30"))],
    ("store of x29 and x19", r"stp     x29, x19, \[x0, #JC_FP\]", "", 0),
    ("store of x29", r"stp     x29, x19, \[x0, #JC_FP\]", "str x19, [x0, #JC_BASE]", 0),
    ("store of x19", r"stp     x29, x19, \[x0, #JC_FP\]", "str x29, [x0, #JC_FP]", 0),
    ("load of x29", r"ldp     x29, x19, \[x1, #JC_FP\]", "ldr x19, [x1, #JC_BASE]", 0),
    ("load of x19", r"ldp     x29, x19, \[x1, #JC_FP\]", "ldr x29, [x1, #JC_FP]", 0),
    ("store of fpcr", r"str     x11, \[x0, #JC_CONTROL\]", "", 0),
    ("compare of fpcr", r"b\.ne    3f", "", 0),
    ("load of fpcr", r"msr     fpcr, x12", "", 0),
    ("message", r"mov     x0, x2\n        ret", "ret", 0),
    ("end of backtraces", r"\.cfi_undefined x30", "", 0),
    ("nop before the entry", r"        nop\n(jumpcut_entry:)", r"\1", 0),
    ("CFI of a record, in jumpcut_leave", r"CALLER_IS_RECORD BREG_X19", "", 0),
    ("CFI of a record, in jumpcut_on_top", r"CALLER_IS_RECORD BREG_X19", "", 1),
    ("landing pad of jumpcut_switch", r"hint    #34", "nop", 0),
    ("landing pad of jumpcut_on_top", r"(FUNCTION jumpcut_on_top, hidden\n) *hint    #34", r"\1 nop", 0),
    ("landing pad of a parked context", r"2:      hint    #36", "2: nop", 0),
    ("landing pad of the entry", r"hint    #36", "nop", 1),
]

PROGRAMS = {
    "x86_64": ["switch_test", "switch_step_test", "switch_live_test", "context_inside_test", "backtrace_test"],
    "aarch64": ["switch_test", "switch_bti_test", "backtrace_test"],
}


def damage(text, pattern, replacement, which):
    """`text` with one match replaced; a pattern that matches nothing is a mistake here."""
    if which is None:
        changed, count = re.subn(pattern, replacement, text)
        assert count, pattern
        return changed
    matches = list(re.finditer(pattern, text, re.S if "(.*?" in pattern or "(?!" in pattern else 0))
    assert matches and which < len(matches), pattern
    match = matches[which]
    return text[:match.start()] + match.expand(replacement) + text[match.end():]


def command_of(target):
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return without_cache(shlex.split(lines[-1]))


def without_cache(command):
    return command[1:] if os.path.basename(command[0]) == "ccache" else command


def redirected(command, changes, output):
    """A compile or link command with other inputs and another output, and no dependency file."""
    result, skip = [], False
    for word in command:
        if skip:
            skip = False
        elif word in ("-MD",):
            pass
        elif word in ("-MQ", "-MF"):
            skip = True
        elif word == "-o":
            result += ["-o", output]
            skip = True
        else:
            result.append(changes.get(word, word))
    return result


def run(command, **more):
    return subprocess.run(command, cwd=build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **more)


class Subject:
    """A file to damage: the objects that are made from it, and the programs that must notice."""

    def __init__(self, path, objects, programs, include=False):
        self.path, self.include = path, include
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        database = {}
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            for entry in json.load(file):
                database[entry["output"]] = without_cache(shlex.split(entry["command"]))
        names = [name for name in database if re.search(objects, name)]
        assert names, objects
        self.compile = {name: database[name] for name in names}
        self.link = {program: command_of(f"tests/{program}") for program in programs}

    def judge(self, text):
        """Why `text` fails, or None if every program passes with it."""
        with tempfile.TemporaryDirectory() as folder:
            damaged = os.path.join(folder, os.path.basename(self.path))
            with open(damaged, "w", encoding="utf-8") as file:
                file.write(text)
            changes = {}
            for number, (name, command) in enumerate(self.compile.items()):
                output = os.path.join(folder, f"{number}.o")
                if self.include:
                    command = redirected(command, {}, output)
                    command.insert(1, "-I" + folder)
                else:
                    inputs = {w: damaged for w in command if w.endswith(os.path.basename(self.path))}
                    command = redirected(command, inputs, output)
                    command.insert(1, "-I" + os.path.dirname(self.path))
                made = run(command)
                if made.returncode:
                    sys.exit(f"a mutant does not compile:\n{made.stdout}")
                changes[name] = output
            for program, command in self.link.items():
                output = os.path.join(folder, program)
                linked = run(redirected(command, changes, output))
                if linked.returncode:
                    sys.exit(f"a mutant does not link:\n{linked.stdout}")
                environment = dict(os.environ, JUMPCUT_TEST_ROUNDS="300", JUMPCUT_TEST_SEED="1")
                try:
                    done = run([*wrapper, output], env=environment, timeout=30 if wrapper else 10)
                except subprocess.TimeoutExpired:
                    return f"{program} hangs"
                if done.returncode not in (0, 77):
                    return f"{program} fails"
        return None


def main():
    asm = os.path.join(source, "asm")
    programs = PROGRAMS[architecture]
    called = Subject(os.path.join(asm, architecture + ".S"), rf"jumpcut-asm.*{architecture}\.S", programs)
    work = [(called, X86_CALLED if architecture == "x86_64" else AARCH64_CALLED)]
    if architecture == "x86_64":
        inlined = Subject(os.path.join(asm, "x86_64.hpp"), r"(live|pair)-(O0|O2_no_fp)\.",
                          ["switch_step_test", "switch_live_test"], include=True)
        work.append((inlined, X86_INLINED))
    count = killed = 0
    for subject, mutants in work:
        failure = subject.judge(subject.text)
        if failure:
            sys.exit(f"{subject.path} fails as it is: {failure}")
        damaged = [damage(subject.text, pattern, replacement, which)
                   for name, pattern, replacement, which in mutants]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as several:
            for (name, *_), failure in zip(mutants, several.map(subject.judge, damaged)):
                count += 1
                killed += failure is not None
                print(f"{os.path.basename(subject.path)}, {name}: {failure or 'SURVIVED'}", flush=True)
    print(f"{count} mutants, {killed} killed")
    return count != killed


if __name__ == "__main__":
    sys.exit(main())
