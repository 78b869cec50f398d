"""What start-guard itself says that it can do."""

import os
import re
import subprocess
from itertools import takewhile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = os.environ["START_GUARD"]

# Documented and completed, and not in the program yet. Comes off this list with the verb.
NOT_YET = set()


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def verbs():
    listed = re.split(r"(?i)^subcommands:\s*$", run("--help"), flags=re.MULTILINE)[1]
    return set(re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE))


def options(*verb):
    """Short and long ones, but for those to ask for help."""
    shown = set()
    for line in run(*verb, "--help").splitlines():
        if re.match(r" +-", line):
            shown |= set(takewhile(lambda word: word[0] == "-", line.replace(",", " ").split()))
    return shown - {"-h", "--help"}
