"""Base classes for stories of a guarded VM: they define the VM and query the hosts about it."""

import base64
import os
import re
import time
import uuid
from pathlib import Path

import vm
from story import Story

from lab import REPOSITORY, in_parallel

STATE = "/run/start-guard"
CONFIGURATION = "/etc/libvirt/start-guard.toml"

# Lists the hook's processes, without those that have ended: the hosts' init reaps these once a second.
PGREP_HOOKS = "pgrep -x -r D,R,S,T qemu"

# What `check` says of checks that have reached their limit of some seconds, on a busy machine.
LATE = re.compile("no answer within|did not answer in time")

# A further hook. libvirt runs it after the guard's hook at each operation, and waits for it.
HOLD = """#!/bin/sh
[ -e /run/lab/hold-$2 ] || exit 0
touch /run/lab/held-$2
while [ -e /run/lab/hold-$2 ]; do sleep 0.05; done
rm /run/lab/held-$2
"""


def lock_name(text):
    """Returns the lock's name for a UUID: its first 23 characters, then its last 6 bytes in
    base64url."""
    return text[:23] + base64.urlsafe_b64encode(bytes.fromhex(text[24:])).decode()


class GuardedVm(Story):
    """Stories of the VM `web`, which is defined on both hosts and runs on none. Its UUID is new in each
    story: for an old UUID the cluster may still have a master of the lock and a text in the bell."""

    xml = vm.XML

    def setUp(self):
        super().setUp()
        self.uuid = str(uuid.uuid4())
        self.lock = lock_name(self.uuid)
        self.lab.define_vm("web", self.uuid, xml=self.xml)

    def configure(self, host, text):
        host.sh(f"cat >{CONFIGURATION}", input=text)

    def start(self, host, timeout=60):
        return host.run("virsh start web", timeout=timeout)

    def starts(self, host):
        """Starts the VM on a host. Fails with virsh's output if it does not start."""
        result = self.start(host)
        self.assertEqual(result.status, 0, result)
        return result

    def denied(self, result, *words):
        """Asserts that a start was denied with exactly one message of the guard that has these words.
        Returns the message."""
        self.assertNotEqual(result.status, 0, result)
        self.assertEqual(result.err.count("start-guard: "), 1, result)
        sentence = result.err.partition("start-guard: ")[2]
        self.assertIn("VM 'web'", sentence)
        for word in words:
            self.assertIn(word, sentence)
        return sentence

    def runs_on(self, host):
        return host.sh("virsh domstate web").strip() == "running"

    def assert_runs_only_on(self, host):
        self.assertEqual([h.name for h in self.lab.hosts() if h.is_up() and self.runs_on(h)],
                         [host.name])

    def assert_holds(self, host):
        self.assertEqual(host.holds(), [self.lock], host.name)
        self.assertIn(self.uuid, host.sh(f"ls {STATE}"))

    def assert_clean(self, host, *but):
        """Asserts that the host has no lock, bell, record or other file of the VM, except `but`."""
        self.assertEqual(self.left_on(host, *but), [], host.name)

    def left_on(self, host, *but):
        """Returns the names of locks, bells and files in the state directory, except `but`. Omits files
        that do not belong to a VM: those of the keeper, the counters, the log and the hook's last
        call."""
        left = host.sh(f"ls /dlm/vms /dlm/vms-bell {STATE} 2>/dev/null || :").split()
        return [name for name in left if not name.endswith(":") and
                not name.startswith(("keeper.", "count.", "hook.", "log.")) and name not in but]

    def forget_lock(self, host):
        """Removes lock, bell and record of the running VM, as an operator may do by mistake."""
        host.sh(f"rm -f /dlm/vms/{self.lock} /dlm/vms-bell/{self.lock} {STATE}/{self.uuid}")

    def by_hand(self, host, *operations, timeout=60):
        """Calls the hook as libvirt's daemon does, for each operation until one fails. All calls have
        the same parent process, which the hook regards as the daemon."""
        calls = " && ".join(f"/etc/libvirt/hooks/qemu web {operation} - </run/web.xml"
                            for operation in operations)
        return host.run(f"cat >/run/web.xml; {calls}; exit $?", timeout=timeout,
                        input=f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>")

    def assert_free_for(self, host):
        """Asserts that a start there would be granted. Only calls the hook: libvirt's part takes long
        and tests nothing more."""
        result = self.by_hand(host, "prepare begin", "release end")
        self.assertEqual(result.status, 0, result)

    def hold(self, host, *operations):
        """Makes libvirt wait at each of these operations, after the guard's hook has returned, until
        let_go()."""
        folder = "/etc/libvirt/hooks/qemu.d"
        host.sh(f"mkdir -p {folder} && cat >{folder}/hold && chmod +x {folder}/hold; cd /run/lab; "
                f"touch {' '.join('hold-' + each for each in operations)}", input=HOLD)
        self.addCleanup(host.run, "rm -f /run/lab/hold-*")

    def wait_held(self, host, operation):
        host.sh(f"until [ -e /run/lab/held-{operation} ]; do sleep 0.05; done", timeout=120)

    def let_go(self, host, operation):
        host.sh(f"cd /run/lab && rm hold-{operation} && "
                f"while [ -e held-{operation} ]; do sleep 0.05; done")

    def log_has(self, host, mark, *words):
        host.await_log()
        return any(all(word in line for word in words)
                   for line in host.log_since(mark).splitlines())


class KeptVm(GuardedVm):
    """Stories of the same VM with the keeper on both hosts. The keeper compares locks with VMs more
    often than by default."""

    keeper = os.environ.get("START_GUARD") or REPOSITORY / "build/guard/start-guard"
    configuration = 'keeper.reconcile_interval = "3s"\n'
    # Seconds, a limit for what the keeper finds at its next comparison. On a busy machine, the story's own
    # questions take several of them.
    SOON = 3 + 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not Path(cls.keeper).exists():
            raise FileNotFoundError(f"no keeper at {cls.keeper}: build it, or set START_GUARD")

    def setUp(self):
        super().setUp()
        in_parallel(self.start_keeping, self.lab.hosts())

    def start_keeping(self, host):
        self.configure(host, self.configuration)
        host.install_keeper(self.keeper)
        host.start_keeper()

    def run_check(self, host):
        """Runs `check`, again if some of its checks were late, for at most 30 s."""
        until = time.monotonic() + 30
        while True:
            result = host.run("start-guard check", timeout=30)
            if not LATE.search(result.out) or time.monotonic() > until:
                return result

    # Migrations

    def migrating(self, source, target, *options):
        """Starts a live migration of the VM and does not wait for it."""
        return source.start(f"virsh migrate --live {' '.join(options)} web "
                            f"qemu+tcp://{target.name}/system")

    def migrate(self, source, target, *options, timeout=60):
        return self.migrating(source, target, *options).wait(timeout)

    def migrates(self, source, target, *options):
        """Migrates the VM. Fails with virsh's output if the migration fails."""
        result = self.migrate(source, target, *options)
        self.assertEqual(result.status, 0, f"{options} from {source}: {result}")
        return result

    def middle_of_migration(self, source, target, *options):
        """Starts the migration of a heavy VM. Returns when some memory is transferred; the rest takes
        more than a minute. libvirt's smallest limit is 1 MiB/s, with which it would take some seconds."""
        migrating = self.migrating(source, target, "--bandwidth 1", *options)
        source.sh("until virsh domjobinfo web | grep -q 'Memory processed: *[1-9].* MiB'; do :; "
                  "done", timeout=120)
        self.slow_down(source)
        return migrating

    def slow_down(self, source, limit="max-bandwidth"):
        source.sh(f"virsh qemu-monitor-command web --hmp 'migrate_set_parameter {limit} 100k'")

    def hurry_up(self, source):
        source.sh("virsh migrate-setspeed web 1000")

    # A start that libvirt's daemon has abandoned

    def kill_daemon_at_fork(self, host, number):
        """Kills the host's daemon when a thread of it creates its process of this number: libvirt makes
        one for each call of the hook, then QEMU's. Returns the command that waits for that."""
        killing = host.start(f"strace -f -o /dev/null -e trace=clone -e inject=clone:signal=KILL:"
                             f"when={number} -p $(cat /run/libvirtd.pid)")
        host.sh("until grep -q 'TracerPid:.*[1-9]' /proc/$(cat /run/libvirtd.pid)/status; do :; done")
        return killing

    def start_daemon_after(self, host, killing):
        """Starts the daemon again. Asserts that it lists the VM as paused, although it has no QEMU: for
        ever, a fault of libvirt."""
        killing.kill()
        host.kill_libvirtd()   # waits until it has ended
        host.start_libvirtd()
        self.assertEqual(host.sh("virsh domstate --reason web").strip(), "paused (starting up)")

    def make_libvirt_forget(self, host):
        """The cure that the manual names."""
        host.sh("/lab/libvirt stop && rm /run/libvirt/qemu/web.xml && /lab/libvirt start")

    # State of the VM on the hosts

    def seen_on(self, host):
        """Returns (whether the VM runs, level of its lock, how often the keeper has the lock open,
        other files of the VM)."""
        runs, kept = host.sh(
            "virsh -q domstate web 2>/dev/null || echo; pid=$(/lab/keeper status || echo none); "
            f"readlink /proc/$pid/fd/* 2>/dev/null | grep -c -x /dlm/vms/{self.lock} || :"
        ).split("\n")[:2]
        # An old flock file that no process has locked and an old announcement have no effect.
        left = self.left_on(host, f"{self.uuid}.flock", f"{self.uuid}.migrate")
        return runs == "running", host.level(self.lock), int(kept), sorted(left)

    def assert_settled_on(self, host, within=SOON):
        """Asserts that within `within` seconds the VM runs only on this host, that the host holds its
        lock at EX and the keeper has it open, and that the other hosts have nothing of it. `host` None:
        the VM runs nowhere."""
        hosts = [h for h in self.lab.hosts() if h.is_up()]
        wanted = {h.name: (False, None, 0, []) for h in hosts}
        if host:
            wanted[host.name] = (True, "EX", 1, sorted([self.lock, self.lock, self.uuid]))
        until = time.monotonic() + within
        while (seen := self.seen_on_each(hosts)) != wanted and time.monotonic() < until:
            time.sleep(0.3)
        self.assertEqual(seen, wanted)

    def seen_on_each(self, hosts):
        return {host.name: seen for host, seen in zip(hosts, in_parallel(self.seen_on, hosts))}

    def logs(self, host, mark, *words, within=SOON):
        """Waits until the host's log has a line with these words after `mark`."""
        self.eventually(lambda: self.log_has(host, mark, *words), within, every=0.2)


class HeavyVm(KeptVm):
    """Stories that act in the middle of a migration from node1 to node2."""

    xml = vm.HEAVY_XML

    def setUp(self):
        super().setUp()
        self.starts(self.node1)

    def assert_both_hold_it(self):
        self.assertEqual([host.level(self.lock) for host in self.lab.hosts()], ["PR", "PR"])
