"""A file does one thing: 400 lines at most, 600 for a test."""

from house import files, finish, lines

finish([
    f"{path}: {count} lines, and {cap} is the most: split it by idea"
    for path in files("lib", "include", "asm", "bench", "examples", "tests")
    for cap in [600 if path.parts[0] == "tests" else 400]
    for count in [len(lines(path))]
    if count > cap
])
