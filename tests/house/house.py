"""What the house tests share: the project's files, and how they report."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = (".c", ".cpp", ".h", ".hpp", ".S", ".py", ".sh")
SKIPPED = 77


def files(*folders, suffixes=CODE):
    """The files under these folders of the project, as paths from its top."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(path.relative_to(ROOT) for path in found if path.suffix in suffixes)


def lines(path):
    return (ROOT / path).read_text().splitlines()


def skip(why):
    print(why)
    sys.exit(SKIPPED)


def finish(complaints):
    """Prints them and ends the test."""
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
