"""/proc hides QEMU's processes from the keeper: a QEMU that cannot be seen counts as alive."""

from stories.guarded import STATE, KeptVm


class HiddenProcesses(KeptVm):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.node1.run, "mount -o remount,hidepid=0,gid=0 /proc")
        self.addCleanup(self.node1.run, "rm -f /run/lab/keeper.capabilities")

    def restart_keeper(self, capabilities):
        self.node1.stop_keeper()
        self.node1.sh(f"echo {capabilities} >/run/lab/keeper.capabilities")
        self.node1.start_keeper()

    def check(self):
        lines = self.run_check(self.node1).out.splitlines()
        return next(line for line in lines if line.split()[1] == "processes")

    def test_a_keeper_that_cannot_see_qemu_keeps_locks_and_acquires_missing_ones(self):
        node1 = self.node1
        self.starts(node1)
        mark = node1.mark()
        node1.sh("mount -o remount,hidepid=2,gid=4 /proc")
        self.restart_keeper("-all")
        self.logs(node1, mark, "daemon.err", "event=processes-hidden", "hidepid=invisible")
        self.assertRegex(self.check(), "^FAIL .*hidden from start-guard.service")

        # libvirt makes this call after it failed to end a QEMU. The hook can see that QEMU.
        self.by_hand(node1, "release end")
        self.logs(node1, mark, "daemon.crit", "event=qemu-outlives-release")
        self.logs(node1, mark, "daemon.err", "event=qemu-not-seen", "lock=stays", "remount,hidepid=0")
        node1.sh("start-guard reconcile || :")
        self.assert_holds(node1)
        self.denied(self.start(self.node2), "node1")

        # With the one capability of its unit the keeper sees QEMU and waits for its end.
        self.restart_keeper("-all,+sys_ptrace")
        self.assertRegex(self.check(), "^ok ")
        self.assert_holds(node1)
        node1.sh("virsh destroy web")
        self.assert_settled_on(None)

        # libvirt's PID file is enough for the keeper to acquire a missing lock.
        node1.stop_keeper()
        self.starts(node1)
        self.forget_lock(node1)
        mark = node1.mark()
        self.restart_keeper("-all")
        self.logs(node1, mark, "event=adopted")
        self.assert_holds(node1)
        self.assertNotIn("pid", node1.sh(f"cat {STATE}/{self.uuid}"))
        node1.sh("virsh destroy web")
        self.assert_settled_on(None)
