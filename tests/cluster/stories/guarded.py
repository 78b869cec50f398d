"""What the stories of a guarded VM share: the VM, and the questions asked of a host about it."""

import base64
import os
import time
import uuid
from pathlib import Path

import vm
from story import Story

from lab import REPOSITORY, in_parallel

STATE = "/run/start-guard"
CONFIGURATION = "/etc/libvirt/start-guard.toml"

# libvirt runs it after the guard's hook, at each operation, and waits for it as well.
HOLD = """#!/bin/sh
[ -e /run/lab/hold-$2 ] || exit 0
touch /run/lab/held-$2
while [ -e /run/lab/hold-$2 ]; do sleep 0.05; done
rm /run/lab/held-$2
"""


def lock_name(text):
    """The name of the lock of a UUID: its first 23 characters, then its last 6 bytes in base64url."""
    return text[:23] + base64.urlsafe_b64encode(bytes.fromhex(text[24:])).decode()


class GuardedVm(Story):
    """Stories of the VM `web`, defined on both hosts and running on none. Its UUID is a new one each
    time: of an old one the cluster may still remember who mastered its lock, and its bell's text."""

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
        """The VM starts there; fails with all that virsh said otherwise."""
        result = self.start(host)
        self.assertEqual(result.status, 0, result)
        return result

    def denied(self, result, *words):
        """A start was denied with one sentence of ours that has these words in it."""
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
        """Nothing of the VM on this host: no lock, no bell, no record, no child of a hook."""
        self.assertEqual(self.left_on(host, *but), [], host.name)

    def left_on(self, host, *but):
        """Names in the places of locks, bells and records; the keeper's own files,
        counts, and the stamp of the hook's last call, are no VM's."""
        left = host.sh(f"ls /dlm/vms /dlm/vms-bell {STATE} 2>/dev/null || :").split()
        return [name for name in left if not name.endswith(":") and
                not name.startswith(("keeper.", "count.", "hook.", "log.")) and name not in but]

    def forget_lock(self, host):
        """What an operator's mistake does: the running VM's lock and record are gone."""
        host.sh(f"rm -f /dlm/vms/{self.lock} /dlm/vms-bell/{self.lock} {STATE}/{self.uuid}")

    def by_hand(self, host, *operations, timeout=60):
        """Calls of the hook as libvirt's daemon makes them, up to the first that fails. They have
        one parent, which to the hook is the daemon: so they belong together."""
        calls = " && ".join(f"/etc/libvirt/hooks/qemu web {operation} - </run/web.xml"
                            for operation in operations)
        return host.run(f"cat >/run/web.xml; {calls}; exit $?", timeout=timeout,
                        input=f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>")

    def assert_free_for(self, host):
        """A start there would be granted; libvirt's part of it takes long and adds nothing."""
        result = self.by_hand(host, "prepare begin", "release end")
        self.assertEqual(result.status, 0, result)

    def hold(self, host, *operations):
        """From now on libvirt comes no further than these operations, when the guard's hook has
        answered them; until let_go()."""
        folder = "/etc/libvirt/hooks/qemu.d"
        host.sh(f"mkdir -p {folder} && cat >{folder}/hold && chmod +x {folder}/hold; cd /run/lab; "
                f"touch {' '.join('hold-' + each for each in operations)}", input=HOLD)
        self.addCleanup(host.run, "rm -f /run/lab/hold-*")

    def wait_held(self, host, operation):
        host.sh(f"until [ -e /run/lab/held-{operation} ]; do sleep 0.05; done", timeout=30)

    def let_go(self, host, operation):
        host.sh(f"cd /run/lab && rm hold-{operation} && "
                f"while [ -e held-{operation} ]; do sleep 0.05; done")

    def log_has(self, host, mark, *words):
        return any(all(word in line for word in words)
                   for line in host.log_since(mark).splitlines())


class KeptVm(GuardedVm):
    """Stories of the same VM with the keeper running on both hosts, which looks after its locks
    more often than by default."""

    keeper = os.environ.get("START_GUARD") or REPOSITORY / "build/guard/start-guard"
    configuration = 'keeper.reconcile_interval = "3s"\n'
    SOON = 3 + 5  # seconds, a limit for what the keeper sees at its next look

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

    # Migrations

    def migrating(self, source, target, *options):
        """A live migration of the VM that has just begun."""
        return source.start(f"virsh migrate --live {' '.join(options)} web "
                            f"qemu+tcp://{target.name}/system")

    def migrate(self, source, target, *options, timeout=60):
        return self.migrating(source, target, *options).wait(timeout)

    def migrates(self, source, target, *options):
        """The VM migrates; fails with all that virsh said otherwise."""
        result = self.migrate(source, target, *options)
        self.assertEqual(result.status, 0, f"{options} from {source}: {result}")
        return result

    def middle_of_migration(self, source, target, *options):
        """The migration of a heavy VM that has begun to move, and will do so for some seconds."""
        migrating = self.migrating(source, target, "--bandwidth 1", *options)
        source.sh("until virsh domjobinfo web | grep -q 'Memory processed: *[1-9].* MiB'; do :; "
                  "done", timeout=30)
        return migrating

    def hurry_up(self, source):
        source.sh("virsh migrate-setspeed web 1000")

    # What there is of the VM

    def seen_on(self, host):
        """(does it run, the level of its lock, does the keeper have that open, what lies about)"""
        runs, kept = host.sh(
            "virsh -q domstate web 2>/dev/null || echo; pid=$(/lab/keeper status || echo none); "
            f"readlink /proc/$pid/fd/* 2>/dev/null | grep -c -x /dlm/vms/{self.lock} || :"
        ).split("\n")[:2]
        # The files of a flock and of an announcement mean nothing when nobody holds the one and the
        # other is some seconds old.
        left = self.left_on(host, f"{self.uuid}.flock", f"{self.uuid}.migrate")
        return runs == "running", host.level(self.lock), int(kept), sorted(left)

    def assert_settled_on(self, host, within=SOON):
        """The VM runs there alone, and that host has its lock, exclusive and kept open, once the
        keeper has had its look; the others have nothing of it. `host` None: it runs nowhere."""
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
        """A line with these words gets to the host's log, or is there already."""
        self.eventually(lambda: self.log_has(host, mark, *words), within, every=0.2)
