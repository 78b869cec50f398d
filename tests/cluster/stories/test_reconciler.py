"""The keeper compares this host's locks with the VMs that run: after each interval, and at once after an
event of libvirt."""

import time

from stories.guarded import STATE, KeptVm


class Reconciling(KeptVm):
    def test_a_vm_that_runs_without_a_lock_gets_it(self):
        self.node1.kill_keeper()
        self.starts(self.node1)
        self.forget_lock(self.node1)
        mark = self.node1.mark()
        self.node1.start_keeper()
        self.logs(self.node1, mark, "event=adopted")
        self.assert_settled_on(self.node1)
        self.denied(self.by_hand(self.node2, "prepare begin"), "node1")
        self.node1.sh("virsh destroy web")
        self.assert_settled_on(None)

    def test_a_lock_without_a_vm_is_unlocked(self):
        mark = self.node1.mark()
        self.assertEqual(self.by_hand(self.node1, "prepare begin").status, 0)
        self.logs(self.node1, mark, "event=granted")
        self.logs(self.node1, mark, "event=unlocked")
        self.assert_settled_on(None)

    def test_a_vm_that_runs_twice_raises_only_one_alarm(self):
        self.node1.kill_keeper()
        self.starts(self.node1)
        self.forget_lock(self.node1)
        self.starts(self.node2)
        mark = self.node1.mark()
        self.node1.start_keeper()
        self.logs(self.node1, mark, "daemon.crit", "event=conflict", "here=node1", "holder=node2")
        time.sleep(2 * 3 + 1)  # two more comparisons
        self.node1.await_log()
        self.assertEqual(self.node1.log_since(mark).count("event=conflict"), 1)
        self.assertEqual((self.node1.level(self.lock), self.node2.level(self.lock)), (None, "EX"))
        self.assertEqual([self.runs_on(host) for host in self.lab.hosts()], [True, True])
        self.node1.sh("virsh destroy web")
        self.assert_settled_on(self.node2)


class LibvirtsEvents(KeptVm):
    configuration = 'keeper.reconcile_interval = "10m"\n'  # so only an event starts a comparison

    def test_a_vm_that_starts_and_ends_without_the_hook_is_locked_and_unlocked_at_once(self):
        hook = "/etc/libvirt/hooks/qemu"
        self.node1.sh(f"mv {hook} {hook}.away")
        self.addCleanup(self.node1.run, f"mv {hook}.away {hook}")
        mark = self.node1.mark()
        self.starts(self.node1)
        self.logs(self.node1, mark, "event=adopted")
        self.assert_settled_on(self.node1)
        self.node1.sh("virsh destroy web")
        self.logs(self.node1, mark, "event=unlocked", "by=keeper")
        self.assert_settled_on(None)

    def test_the_lock_of_a_start_is_unlocked_soon_after_libvirts_daemon_has_died(self):
        self.hold(self.node1, "prepare")
        starting = self.node1.start("virsh start web")
        self.wait_held(self.node1, "prepare")
        self.assertEqual(self.node1.level(self.lock), "EX")
        self.node1.kill_libvirtd()
        self.let_go(self.node1, "prepare")
        starting.kill()
        self.node1.start_libvirtd()
        self.assert_settled_on(None)

    def test_a_vm_that_starts_after_a_restart_of_libvirts_daemon_is_seen_too(self):
        self.node1.sh("touch /run/lab/before")
        self.node1.restart_libvirtd()
        # The keeper has connected again when it has compared again.
        self.eventually(lambda: self.node1.run(
            f"[ {STATE}/keeper.reconciled -nt /run/lab/before ]").status == 0, within=20)
        self.test_a_vm_that_starts_and_ends_without_the_hook_is_locked_and_unlocked_at_once()
