"""The base class of the stories: tests with real VMs and locks on the lab's hosts.

    tests/cluster/lab up
    /usr/bin/python3 -m unittest discover -v -s tests/cluster/stories -t tests/cluster [-k WORDS]

A story is a test whose name is a sentence. Before it begins, every host is reset and the hook is
installed. A story fails if a call of the hook takes too long, unless the story stops the hook itself
and sets `stops_hook = True`.
"""

import atexit
import os
import sys
import time
import unittest
from pathlib import Path

from hook_calls import HookCalls
from lab import REPOSITORY, Lab


FAILED = []  # (name of the story, reason)


@atexit.register
def tell_failures():
    """Prints the failures at the very end, below all logs, where the reader of a long output looks
    first."""
    for story, why in FAILED:
        print(f"\n=== {story}:\n{why[:3000].rstrip()}", flush=True)


class Story(unittest.TestCase):
    # The hook under test; None for stories without a hook.
    hook = os.environ.get("START_GUARD_HOOK") or REPOSITORY / "build/hook/qemu"

    stops_hook = False  # a story sets it, for its class or while it runs

    lab = Lab()
    node1, node2 = lab.host(1), lab.host(2)

    @classmethod
    def setUpClass(cls):
        if cls.hook and not Path(cls.hook).exists():
            raise FileNotFoundError(f"no hook at {cls.hook}: build it, or set START_GUARD_HOOK")
        cls.lab.occupy()

    def setUp(self):
        self.lab.reset(hook=self.hook)

    def run(self, result=None):
        """Runs the story and prints how long it took. If it fails, prints the last lines of the hosts'
        logs."""
        result = result or self.defaultTestResult()
        began = time.monotonic()
        self.addCleanup(lambda: print(f"({time.monotonic() - began:.0f} s)", end=" ", flush=True))
        failures, errors = len(result.failures), len(result.errors)
        calls = HookCalls(self.lab)
        super().run(result)
        try:
            self.assertEqual(calls.end(self.id(), self.stops_hook), "")
        except AssertionError:
            result.addFailure(self, sys.exc_info())
        new = result.failures[failures:] + result.errors[errors:]
        if new:
            FAILED.extend((self.id(), why) for _, why in new)
            print(f"\n=== {self.id()} failed; the hosts' logs:", flush=True)
            for host in self.lab.hosts():
                print(host.tail(), flush=True)
        return result

    def eventually(self, true, within, every=0.5):
        """Waits until true() returns true. Returns how many seconds that took."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > within:
                self.fail(f"not so within {within} s")
            time.sleep(every)
        return time.monotonic() - began
