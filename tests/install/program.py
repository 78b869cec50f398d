"""Reads the verbs and options of start-guard from its --help."""

import os
import re
import subprocess
from itertools import takewhile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = os.environ["START_GUARD"]

# Verbs that are documented and completed but not in the program yet. Remove a verb from this list when
# it is added to the program.
NOT_YET = set()


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def verbs():
    listed = re.split(r"(?i)^subcommands:\s*$", run("--help"), flags=re.MULTILINE)[1]
    return set(re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE))


def options(*verb):
    """Returns the short and long options, without -h and --help."""
    shown = set()
    for line in run(*verb, "--help").splitlines():
        if re.match(r" +-", line):
            shown |= set(takewhile(lambda word: word[0] == "-", line.replace(",", " ").split()))
    return shown - {"-h", "--help"}
