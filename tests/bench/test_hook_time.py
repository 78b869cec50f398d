"""How long a start waits for the hook: its whole process, beside programs that do less.

    /usr/bin/python3 tests/bench/test_hook_time.py

All of it is measured in a host of a lab, in turns, by one small C program (stopwatch.c).

The clock of these hosts counts instructions while they are busy, so the emulator's own work, which
differs by machine, does not count. By the machine's clock, a granted prepare took 1.3 times an empty
program on one machine and 1.8 times on another.
"""

import os
import statistics
import sys
import unittest
import uuid
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))
from host import Host  # noqa: E402
from lab import Lab  # noqa: E402
from stories.guarded import lock_name  # noqa: E402
from story import REPOSITORY, Story  # noqa: E402

KEEPER = os.environ.get("START_GUARD") or REPOSITORY / "build/guard/start-guard"
PROGRAMS = Path(os.environ.get("START_GUARD_BENCH") or REPOSITORY / "build/tests/bench")
ROUNDS = 30
MOST_OF_C = 1.5  # times an empty C program and the file operations alone
ATTEMPTS = 3  # the clock is the machine's while a host waits for the other one

BENCH = "/tmp/bench"
INSTALLED = "/etc/libvirt/hooks/qemu"
# A copy beside the empty program. In its own place the lab traces each call of the hook (trace_hook),
# and /etc is an overlay: both add a tenth to the hook's time, and nothing to the empty program's.
HOOK = f"{BENCH}/hook"
# `web` is this host's to take, `db` runs on the other one.
UUIDS = {"web": str(uuid.uuid4()), "db": str(uuid.uuid4())}
WEB = f"{UUIDS['web']} {lock_name(UUIDS['web'])}"

# (what the table calls it, its step, its exit status). Two that undo one another follow one another.
STEPS = [
    ("after a denial", f"web.xml {BENCH}/empty", 0),  # the kernel still works for the step before
    ("empty C program", f"web.xml {BENCH}/empty", 0),
    ("file operations of prepare", f"take {WEB}", 0),
    ("file operations of release", f"give-back {WEB}", 0),
    ("hook: prepare, granted", f"web.xml {HOOK} web prepare begin -", 0),
    ("hook: release", f"web.xml {HOOK} web release end -", 0),
    ("hook: prepare, denied", f"db.xml {HOOK} db prepare begin -", 1),
]

# What these programs open lies on the machine outside, and each open there takes a trip through the
# emulator, which no real host makes. Any change of a file, this one too, brings it into the RAM disk.
FETCH = """
chmod a+r $(readlink -f /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.?) /etc/ld.so.cache
[ ! -L /etc/localtime ] || cp --remove-destination "$(readlink -f /etc/localtime)" /etc/localtime
"""


class CountingHost(Host):
    def _command_line(self, port):
        # 4 ns for each instruction. With less, this host's time would be so much slower than the
        # other's that it would look dead there; with more, it would have more clock interrupts than a
        # real host.
        return [*super()._command_line(port), "-icount", "shift=2"]


class CountingLab(Lab):
    host_kind = CountingHost
    below = "counting"

    def kvm(self):
        return False  # cannot count


class HookTime(Story):
    lab = CountingLab()
    node1, node2 = lab.host(1), lab.host(2)

    @classmethod
    def setUpClass(cls):
        cls.lab.down_after(os.getpid())
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up()
        super().setUpClass()

    def test_the_hook_takes_little_more_than_its_file_operations(self):
        self.prepare_hosts()
        self.assert_in_time()

    def test_handing_over_to_the_keeper_takes_little_as_well(self):
        self.prepare_hosts()
        self.node1.install_keeper(KEEPER)
        self.node1.start_keeper()
        self.assert_in_time()

    def assert_in_time(self):
        for _ in range(ATTEMPTS):
            times = self.measure()
            least = times["empty C program"] + times["file operations of prepare"]
            of_c = times["hook: prepare, granted"] / least
            self.print_table(times)
            print(f"a granted prepare takes {of_c:.2f} x an empty C program and the file operations "
                  f"alone (at most {MOST_OF_C})", flush=True)
            if of_c <= MOST_OF_C:
                return
        self.fail(f"the bar was missed {ATTEMPTS} times")

    def prepare_hosts(self):
        self.node1.sh(FETCH)
        # The lab's log is there too, and its daemon writes on the hook's only processor.
        self.log_to("/run/bench.log")
        self.addCleanup(self.log_to, "/share/node1/syslog")
        self.node1.sh(f"mkdir -p {BENCH}")
        for program in (PROGRAMS / "empty", PROGRAMS / "stopwatch"):
            self.node1.put(program, f"{BENCH}/{program.name}")
        self.node1.sh(f"cp -p {INSTALLED} {HOOK}")
        template = (HERE / "domain.xml").read_text()
        for name, uuid_text in UUIDS.items():
            xml = template.replace("@NAME@", name).replace("@UUID@", uuid_text)
            for host in (self.node1, self.node2):
                host.sh(f"mkdir -p {BENCH} && cat >{BENCH}/{name}.xml", input=xml)
        self.node2.sh(f"cd / && {INSTALLED} db prepare begin - <{BENCH}/db.xml")
        denied = self.node1.run(f"cd / && {HOOK} db prepare begin - <{BENCH}/db.xml")
        self.assertIn("host node2 holds its lock", denied.err)

    def log_to(self, file):
        self.node1.sh("pkill -f '^/lab/busybox syslogd'; rm -f /dev/log; "
                      f"/lab/busybox syslogd -O {file}; until [ -S /dev/log ]; do sleep 0.1; done")

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

    def print_table(self, times):
        empty, granted = times["empty C program"], times["hook: prepare, granted"]
        print(f"\n{f'medians of {ROUNDS}':<30}{'ms':>10}{'x empty':>10}{'x granted':>11}")
        for name, took in times.items():
            print(f"{name:<30}{took / 1e6:>10.3f}{took / empty:>10.2f}{took / granted:>11.2f}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
