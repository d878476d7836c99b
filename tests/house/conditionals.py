"""No `#if` on a platform or a compiler, but in the few files that exist to hide one.

Everywhere else these are fine: JUMPCUT_... macros, which Meson defines; NDEBUG; __cplusplus in a
header for C; and `#ifndef NAME` right above `#define NAME`, for what older system headers lack.
"""

import re

from house import files, finish, lines

MAY_ASK = ("lib/base/sanitizers.hpp", "lib/context/*", "lib/loop/poller*", "asm/*")


def asks(text, number):
    condition = re.match(r"\s*#\s*(?:if|ifdef|ifndef|elif)\b(.*)", text[number])
    if not condition:
        return False
    name = re.fullmatch(r"\s*#\s*ifndef\s+(\w+)\s*", text[number])
    if name and re.match(rf"\s*#\s*define\s+{name[1]}\b", (text + [""])[number + 1]):
        return False
    words = re.findall(r"[A-Za-z_]\w*", condition[1].split("//")[0])
    return not all(re.fullmatch(r"JUMPCUT_\w+|NDEBUG|__cplusplus|defined", word) for word in words)


finish([
    f"{path}:{number + 1}: {text[number].strip()}: only {', '.join(MAY_ASK)} may ask"
    for path in files("include", "lib", "examples", suffixes=(".c", ".cpp", ".h", ".hpp", ".in"))
    if not any(path.match(pattern) for pattern in MAY_ASK)
    for text in [lines(path)]
    for number in range(len(text))
    if asks(text, number)
])
