"""How long a start waits for the hook: its whole process, beside programs that do less.

    tests/cluster/lab up
    /usr/bin/python3 tests/bench/test_hook_time.py

All of it is measured in a host of the lab, in turns, by one small C program (stopwatch.c).
"""

import os
import statistics
import sys
import unittest
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))
from stories.guarded import LOCK, UUID  # noqa: E402
from story import REPOSITORY, Story  # noqa: E402

PROGRAMS = Path(os.environ.get("START_GUARD_BENCH") or REPOSITORY / "build/tests/bench")
ROUNDS = 60
MOST_OF_C = 1.5  # times an empty C program and the file operations alone
LEAST_OF_PYTHON = 15  # times a granted prepare

BENCH = "/tmp/bench"
HOOK = "/etc/libvirt/hooks/qemu"
PYTHON = f"/usr/bin/python3 {BENCH}/hook_work.py"
BASH = f"/bin/bash {BENCH}/hook_work.bash"
ELSEWHERE = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"  # the VM that the other host holds

# (what the table calls it, its step, its exit status). Two that undo one another follow one another.
STEPS = [
    ("empty C program", f"web.xml {BENCH}/empty", 0),
    ("file operations of prepare", f"take {UUID} {LOCK}", 0),
    ("file operations of release", f"give-back {UUID} {LOCK}", 0),
    ("hook: prepare, granted", f"web.xml {HOOK} web prepare begin -", 0),
    ("hook: release", f"web.xml {HOOK} web release end -", 0),
    ("hook: prepare, denied", f"db.xml {HOOK} db prepare begin -", 1),
    ("bash: open", f"web.xml {BASH} web prepare begin -", 0),
    ("bash: unlink", f"web.xml {BASH} web release end -", 0),
    ("Python: open", f"web.xml {PYTHON} web prepare begin -", 0),
    ("Python: unlink", f"web.xml {PYTHON} web release end -", 0),
]


class HookTime(Story):
    def test_the_hook_takes_little_more_than_its_file_operations(self):
        self.set_the_table()
        times = self.measure()
        least = times["empty C program"] + times["file operations of prepare"]
        granted = times["hook: prepare, granted"]
        python = times["Python: open"]
        self.print_table(times, granted)
        print(f"\ngranted prepare: {granted / least:.2f} x (empty C program + its file operations); "
              f"the bar is {MOST_OF_C}\n"
              f"Python:         {python / granted:.1f} x a granted prepare; "
              f"the bar is {LEAST_OF_PYTHON}", flush=True)
        self.assertLessEqual(granted, MOST_OF_C * least)
        self.assertGreaterEqual(python, LEAST_OF_PYTHON * granted)

    def set_the_table(self):
        self.node1.sh(f"mkdir -p {BENCH}")
        for program in (PROGRAMS / "empty", PROGRAMS / "stopwatch", HERE / "hook_work.py",
                        HERE / "hook_work.bash"):
            self.node1.put(program, f"{BENCH}/{program.name}")
        template = (HERE / "domain.xml").read_text()
        for name, uuid in (("web", UUID), ("db", ELSEWHERE)):
            xml = template.replace("@NAME@", name).replace("@UUID@", uuid)
            for host in (self.node1, self.node2):
                host.sh(f"mkdir -p {BENCH} && cat >{BENCH}/{name}.xml", input=xml)
        self.node2.sh(f"cd / && {HOOK} db prepare begin - <{BENCH}/db.xml")
        denied = self.node1.run(f"cd / && {HOOK} db prepare begin - <{BENCH}/db.xml")
        self.assertIn("host node2 holds its lock", denied.err)

    def measure(self):
        """The median of each step, in nanoseconds."""
        steps = "".join(f"{number} {step}\n" for number, (_, step, _) in enumerate(STEPS))
        measured = self.node1.sh(f"cd {BENCH} && ./stopwatch {ROUNDS}", input=steps, timeout=300)
        times = defaultdict(list)
        for line in measured.splitlines():
            number, status, took = map(int, line.split())
            name, _, expected = STEPS[number]
            self.assertEqual(status, expected, name)
            times[name].append(took)
        return {name: statistics.median(taken) for name, taken in times.items()}

    def print_table(self, times, granted):
        empty = times["empty C program"]
        print(f"\n{'median of ' + str(ROUNDS):<30}{'ms':>10}{'x empty':>10}{'x granted':>11}")
        for name, took in times.items():
            print(f"{name:<30}{took / 1e6:>10.3f}{took / empty:>10.2f}{took / granted:>11.2f}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
