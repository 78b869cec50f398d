"""The base of the stories: what happens to VMs and locks on the lab's real hosts.

    tests/cluster/lab up
    /usr/bin/python3 -m unittest discover -v -s tests/cluster/stories -t tests/cluster [-k WORDS]

A story is a test named as a sentence. It finds every host as new, and the hook in its place. No call
of the hook may take long in it, unless it stops the hook itself and says so: `stops_hook = True`.
"""

import atexit
import os
import sys
import time
import unittest
from pathlib import Path

from hook_calls import HookCalls
from lab import REPOSITORY, Lab


FAILED = []  # a story's name, and why


@atexit.register
def tell_failures():
    """At the very end, below all the logs, where somebody with a long output before them looks."""
    for story, why in FAILED:
        print(f"\n=== {story}:\n{why[:3000].rstrip()}", flush=True)


class Story(unittest.TestCase):
    # The hook under test; a story without one says `hook = None`.
    hook = os.environ.get("START_GUARD_HOOK") or REPOSITORY / "build/hook/qemu"

    stops_hook = False  # set by the story, for its class or in its course

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
        """As ever; and when a story fails, the ends of the hosts' logs, as they are then."""
        result = result or self.defaultTestResult()
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
        """Waits until true() is, and says how many seconds that took."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > within:
                self.fail(f"not so within {within} s")
            time.sleep(every)
        return time.monotonic() - began
