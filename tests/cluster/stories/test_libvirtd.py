"""libvirt's daemon dies, restarts, or fails to end a QEMU: the VM keeps running and keeps its lock."""

import uuid

from stories.guarded import PGREP_HOOKS, STATE, GuardedVm, KeptVm, lock_name


class Reconnecting(GuardedVm):
    def process(self, host):
        return host.sh("pgrep qemu-system").strip()

    def test_a_vm_keeps_running_and_its_lock_held_when_the_daemon_restarts(self):
        self.starts(self.node1)
        qemu = self.process(self.node1)
        since = self.node1.sh(f"grep since {STATE}/{self.uuid}")
        mark = self.node1.mark()
        self.node1.restart_libvirtd()
        self.assertEqual(self.process(self.node1), qemu)
        self.assert_holds(self.node1)
        self.assertEqual(self.node1.sh(f"grep since {STATE}/{self.uuid}"), since)
        self.eventually(lambda: self.log_has(self.node1, mark, "event=held"), within=20)
        self.denied(self.start(self.node2), "node1")
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)

    def test_a_vm_without_a_lock_is_adopted_when_the_daemon_restarts(self):
        self.starts(self.node1)
        self.forget_lock(self.node1)
        mark = self.node1.mark()
        self.node1.restart_libvirtd()
        # libvirt calls the hook in a thread of its own, perhaps after it has answered virsh.
        self.eventually(lambda: self.log_has(self.node1, mark, "event=adopted"), within=20)
        self.assert_holds(self.node1)
        self.assertIn("adopted", self.node1.sh(f"cat {STATE}/{self.uuid}"))
        self.denied(self.start(self.node2), "node1")
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)

    def runs_twice(self):
        self.starts(self.node1)
        self.forget_lock(self.node1)
        self.starts(self.node2)

    def test_a_vm_that_runs_twice_raises_an_alarm_and_keeps_running(self):
        self.runs_twice()
        mark = self.node1.mark()
        self.node1.restart_libvirtd()
        self.eventually(lambda: self.log_has(self.node1, mark, "daemon.crit", "event=conflict",
                                             "here=node1", "holder=node2"), within=20)
        self.assertTrue(self.runs_on(self.node1))
        self.assertEqual(self.node1.holds(), [])
        self.assert_holds(self.node2)
        self.node1.sh("virsh destroy web")
        self.assert_holds(self.node2)

    def test_a_vm_that_runs_twice_is_killed_if_so_configured(self):
        self.runs_twice()
        self.configure(self.node1, 'guard.on_reconnect_conflict = "kill"\n')
        mark = self.node1.mark()
        self.node1.restart_libvirtd()
        self.eventually(lambda: not self.runs_on(self.node1), within=30)
        self.assertTrue(self.log_has(self.node1, mark, "daemon.crit", "event=conflict",
                                     "action=kill"))
        self.assertTrue(self.runs_on(self.node2))
        self.assert_holds(self.node2)

    def test_a_vm_keeps_running_when_the_daemon_restarts_without_a_cluster(self):
        self.configure(self.node1, 'guard.on_reconnect_conflict = "kill"\n')
        self.starts(self.node1)
        self.node1.sh("umount /dlm")
        mark = self.node1.mark()
        self.node1.restart_libvirtd()
        self.eventually(lambda: self.log_has(self.node1, mark, "daemon.crit",
                                             "event=lock-not-checked", "is not dlmfs"), within=20)
        self.assertTrue(self.runs_on(self.node1))
        self.node1.sh("virsh destroy web")

    def test_a_daemon_killed_in_the_middle_of_prepare_leaves_a_lock_that_allows_a_start_here(self):
        # The hook waits for the VM's flock while its daemon dies, and then continues without it.
        self.node1.sh(f"mkdir -p {STATE}")
        busy = self.node1.start(f"flock {STATE}/{self.uuid}.flock sleep 100")
        starting = self.node1.start("virsh start web")
        # It opens the flock's file after it has read the XML, which only the daemon can send.
        self.eventually(lambda: self.node1.run(
            f"ls -l /proc/$({PGREP_HOOKS})/fd | grep -q {self.uuid}.flock").status == 0, within=20)
        self.node1.kill_libvirtd()
        busy.kill()
        starting.kill()
        self.eventually(lambda: self.node1.run(PGREP_HOOKS).status != 0, within=20)
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "node1")

        self.node1.start_libvirtd()
        self.assertFalse(self.runs_on(self.node1))
        self.starts(self.node1)
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)
        self.starts(self.node2)

    def hold_flock(self, host):
        """Makes the VM's hooks wait for its flock. Returns the command that holds the flock; kill it
        to let them continue."""
        flock = f"{STATE}/{self.uuid}.flock"
        busy = host.start(f"flock {flock} sleep 100")
        self.eventually(lambda: host.run(f"flock -n {flock} true").status != 0, within=10, every=0.1)
        return busy

    def test_a_stalled_release_whose_daemon_died_does_not_unlock_the_next_run(self):
        self.stops_hook = True
        node1 = self.node1
        self.configure(node1, 'guard.acquire_timeout = "60s"\n')
        self.starts(node1)
        node1.sh("rm -f /run/lab/daemon; cat >/run/web.xml",
                 input=f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>")
        # The shell acts as the daemon. The hook is stopped only when it waits for the flock, because
        # a hook that is stopped earlier does not wait for it.
        busy = self.hold_flock(node1)
        daemon = node1.start("setsid /etc/libvirt/hooks/qemu web release end - </run/web.xml & "
                             "echo $! >/run/lab/hook; echo $$ >/run/lab/daemon; wait")
        self.addCleanup(daemon.kill)
        self.eventually(lambda: node1.run("[ -s /run/lab/daemon ]").status == 0,
                        within=20, every=0.1)
        stalled = node1.sh("cat /run/lab/hook").strip()
        node1.sh(f"until ls -l /proc/{stalled}/fd | grep -q {self.uuid}.flock; do :; done; "
                 f"kill -STOP {stalled}; kill -KILL $(cat /run/lab/daemon)", timeout=20)
        busy.kill()
        self.eventually(lambda: node1.run(f"flock -n {STATE}/{self.uuid}.flock true").status == 0,
                        within=10, every=0.1)
        node1.sh("virsh destroy web")
        self.starts(node1)
        record, mark = node1.sh(f"cat {STATE}/{self.uuid}"), node1.mark()
        node1.sh(f"kill -CONT {stalled}; while kill -0 {stalled} 2>/dev/null; do :; done", timeout=20)
        self.assert_holds(node1)
        self.assertEqual(node1.sh(f"cat {STATE}/{self.uuid}"), record)
        self.eventually(lambda: self.log_has(node1, mark, "event=caller-gone"), within=10, every=0.1)
        self.denied(self.start(self.node2), "node1")
        node1.sh("virsh destroy web")
        self.assert_clean(node1)

    def test_the_oom_killer_spares_a_hook_whose_end_would_end_a_vm(self):
        self.node1.sh(f"mkdir -p {STATE}; cat >/run/web.xml",
                      input=f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>")
        busy = self.hold_flock(self.node1)
        self.addCleanup(busy.kill)
        hook = self.node1.start("/etc/libvirt/hooks/qemu web reconnect begin - </run/web.xml")
        self.addCleanup(hook.kill)
        self.node1.sh(f"until [ \"$(cat /proc/$({PGREP_HOOKS})/oom_score_adj)\" = -1000 ]; do :; done",
                      timeout=9)

    def test_a_daemon_killed_before_it_recorded_qemu_cannot_start_a_second_qemu(self):
        self.starts(self.node1)
        self.node1.kill_libvirtd()
        # The same state as if the daemon had died before it recorded the QEMU it had started.
        self.node1.sh(f"rm -rf /run/libvirt/qemu/*.xml /run/libvirt/qemu/*.pid && "
                      f"sed -i /pid/d {STATE}/{self.uuid}")
        self.node1.start_libvirtd()
        self.assertFalse(self.runs_on(self.node1))
        pid = self.process(self.node1)
        self.denied(self.start(self.node1), f"still runs on this host as process {pid}")
        self.assert_holds(self.node1)
        self.node1.sh(f"kill -9 {pid}")
        self.starts(self.node1)


class AbandonedStart(KeptVm):
    def test_a_daemon_killed_before_it_has_started_qemu_leaves_no_lock(self):
        mark = self.node1.mark()
        killing = self.kill_daemon_at_fork(self.node1, 3)
        self.assertNotEqual(self.start(self.node1).status, 0)
        self.start_daemon_after(self.node1, killing)
        self.logs(self.node1, mark, "event=unlocked", "by=keeper")
        self.starts(self.node2)
        self.make_libvirt_forget(self.node1)
        self.denied(self.start(self.node1), "host node2 holds its lock")
        self.assert_settled_on(self.node2)


# Freezes the QEMU of a VM that has just started, so that SIGKILL has no effect, then denies the start.
FREEZE = """#!/bin/sh
[ "$2" = started ] || exit 0
mkdir /mnt/freezer/$1
cat /run/libvirt/qemu/$1.pid >/mnt/freezer/$1/cgroup.procs
echo FROZEN >/mnt/freezer/$1/freezer.state
exit 1
"""


class QemuThatDoesNotDie(KeptVm):
    """The QEMUs of `web` and of a second VM. Both are tested at the same time, because libvirt takes
    long until it stops trying to end a QEMU."""

    configuration = 'keeper.reconcile_interval = "10m"\n'  # so only the end of a QEMU makes it unlock

    def setUp(self):
        super().setUp()
        self.db = str(uuid.uuid4())
        self.lab.define_vm("db", self.db, [self.node1])
        self.node1.sh("mkdir -p /mnt/freezer && mount -t cgroup -o freezer none /mnt/freezer && "
                      "mkdir -p /etc/libvirt/hooks/qemu.d && "
                      "cat >/etc/libvirt/hooks/qemu.d/99-freeze && "
                      "chmod +x /etc/libvirt/hooks/qemu.d/99-freeze", input=FREEZE)
        self.addCleanup(self.node1.run, "rmdir /mnt/freezer/*; umount /mnt/freezer")
        self.addCleanup(self.node1.run, "echo THAWED | tee /mnt/freezer/*/freezer.state; sleep 1")

    def thaw(self, name, pid):
        """Thaws QEMU: the SIGKILL that libvirt sent earlier takes effect. Waits for QEMU's end."""
        self.node1.sh(f"echo THAWED >/mnt/freezer/{name}/freezer.state && "
                      f"while kill -0 {pid} 2>/dev/null; do sleep 0.02; done")

    def pid(self, name):
        return self.node1.sh(f"pgrep -a qemu-system | sed -n 's/ .*guest={name},.*//p'").strip()

    def test_the_lock_of_a_qemu_that_outlives_its_release_stays_until_it_dies(self):
        mark = self.node1.mark()
        other = self.node1.start("virsh start db")
        failing = self.start(self.node1, timeout=150)
        self.assertNotEqual(failing.status, 0)
        self.assertNotEqual(other.wait(150).status, 0)
        print(f"(libvirt gave up after {failing.seconds:.0f} s)", end=" ", flush=True)
        for name in ("web", "db"):
            self.assertTrue(self.log_has(self.node1, mark, "daemon.crit", f"vm={name}",
                                         "event=qemu-outlives-release", f"pid={self.pid(name)}"))
        self.assertFalse(self.runs_on(self.node1))
        self.assertEqual(self.node1.level(self.lock), "EX")
        self.denied(self.start(self.node2), "node1")
        self.denied(self.start(self.node1), f"process {self.pid('web')}")
        self.assertEqual(self.node1.level(self.lock), "EX")

        self.node1.sh("rm /etc/libvirt/hooks/qemu.d/99-freeze")
        self.thaw("web", self.pid("web"))
        self.eventually(lambda: self.lock not in self.node1.holds(), within=self.SOON)
        self.assertIsNone(self.node1.level(self.lock))

        self.node1.kill_keeper()
        self.thaw("db", self.pid("db"))
        self.assertEqual(self.node1.holds(), [lock_name(self.db)])
        self.node1.sh("virsh start db && virsh destroy db")
        self.assert_clean(self.node1)
