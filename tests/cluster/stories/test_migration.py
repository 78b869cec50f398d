"""Live migration: the lock follows the VM."""

from stories.guarded import STATE, HeavyVm, KeptVm

# An odd number of modes, so that each of them is used in both directions.
MODES = ["",
         "--p2p",
         "--p2p --tunnelled",
         "--postcopy --postcopy-after-precopy",
         "--p2p --postcopy --postcopy-after-precopy",
         "--persistent --undefinesource",
         "--p2p --persistent"]


class Migration(KeptVm):
    def test_a_vm_migrates_back_and_forth_in_every_mode_and_its_lock_follows(self):
        source, target = self.node1, self.node2
        self.starts(source)
        seconds = []
        for turn in range(20):
            marks = source.mark(), target.mark()
            seconds.append(self.migrates(source, target, MODES[turn % len(MODES)]).seconds)
            if turn % 4 < 2:  # else the VM migrates back before the keepers have compared locks and VMs
                self.assert_settled_on(target)
            self.logs(source, marks[0], "event=hand-over-accepted", f"to={target.name}")
            self.logs(target, marks[1], "event=granted", "how=hand-over", f"from={source.name}")
            source, target = target, source
        print(f"(20 migrations of {min(seconds):.1f} to {max(seconds):.1f} s)", end=" ", flush=True)
        source.sh("virsh destroy web")
        self.assert_settled_on(None)

    def test_a_vm_that_does_not_run_migrates_without_a_lock(self):
        self.node2.sh("virsh undefine web")
        self.node1.sh("virsh migrate --offline --persistent --undefinesource web "
                      "qemu+tcp://node2/system")
        self.assert_clean(self.node1)
        self.assert_clean(self.node2, f"{self.uuid}.migrate")
        self.starts(self.node2)
        self.assert_settled_on(self.node2)

    def test_a_migration_is_denied_while_a_keeper_does_not_run_and_the_vm_keeps_running(self):
        self.starts(self.node1)
        for lacking in self.lab.hosts():
            with self.subTest(lacking=lacking.name):
                lacking.kill_keeper()
                self.denied(self.migrate(self.node1, self.node2),
                            f"start-guard.service does not run on {lacking.name}")
                self.assert_runs_only_on(self.node1)
                self.assertEqual(self.node1.level(self.lock), "EX")
                self.assert_clean(self.node2)
                lacking.start_keeper()
                self.assert_settled_on(self.node1)
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)


    def test_a_bell_that_another_host_has_open_at_the_start_is_armed_when_it_is_closed(self):
        mark = self.node1.mark()
        bell = f"/dlm/vms-bell/{self.lock}"
        reader = self.node2.start(f"rm -f /run/lab/open; mkdir -p /dlm/vms-bell; exec 3<>{bell} 3<&-; "
                                  f"exec 3<{bell}; touch /run/lab/open; exec sleep 600")
        self.node2.sh("until [ -e /run/lab/open ]; do sleep 0.1; done")
        self.starts(self.node1)
        self.logs(self.node1, mark, "event=bell-not-written")
        reader.kill()
        self.node2.sh(f"until rm -f {bell}; do sleep 0.1; done")
        self.eventually(lambda: "node1" in self.node2.run("start-guard holder web").out, self.SOON)
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)


class MiddleOfAMigration(HeavyVm):
    def test_a_vm_in_postcopy_keeps_running_with_its_lock(self):
        migrating = self.middle_of_migration(self.node1, self.node2, "--postcopy",
                                             "--postcopy-bandwidth 1")
        self.assert_both_hold_it()
        self.slow_down(self.node1, "max-postcopy-bandwidth")
        self.node1.sh("virsh migrate-postcopy web")
        self.eventually(lambda: self.runs_on(self.node2), within=10, every=0.1)
        self.assertTrue(migrating.running())
        self.assert_both_hold_it()
        self.node1.sh("virsh migrate-setspeed --postcopy web 1000")
        self.assertEqual(migrating.wait(30).status, 0)
        self.assert_settled_on(self.node2)

    def test_the_lock_follows_the_vm_even_if_the_keepers_die(self):
        source, target = self.node1, self.node2
        for back_in_time in (True, False):
            with self.subTest(back_in_time=back_in_time):
                migrating = self.middle_of_migration(source, target)
                for host in self.lab.hosts():
                    host.kill_keeper()
                if back_in_time:
                    self.start_keepers()
                self.assert_both_hold_it()
                self.hurry_up(source)
                result = migrating.wait(30)
                self.assertEqual(result.status, 0, result)
                self.assertEqual(source.holds(), [])
                self.start_keepers()
                self.assert_settled_on(target)
            source, target = target, source

    def start_keepers(self):
        for host in self.lab.hosts():
            host.start_keeper()

    def test_a_third_host_cannot_start_the_vm_and_gets_no_hand_over(self):
        node3 = self.lab.boot_further(3, self.hook)
        self.lab.define_vm("web", self.uuid, [node3])
        self.start_keeping(node3)
        self.denied(self.start(node3), "host node1 holds its lock")  # it has joined
        migrating = self.middle_of_migration(self.node1, self.node2)
        mark = self.node1.mark()
        self.denied(self.start(node3), "host node1 holds its lock")
        self.assertFalse(self.log_has(self.node1, mark, "event=hand-over"))
        self.denied(self.by_hand(node3, "migrate begin", "prepare begin"), "node1",
                    "has already granted a hand-over for this migration")
        self.assert_both_hold_it()
        self.hurry_up(self.node1)
        self.assertEqual(migrating.wait(30).status, 0)
        self.assert_settled_on(self.node2)
        self.denied(self.start(node3), "host node2 holds its lock")
        self.assertEqual(self.seen_on(node3), (False, None, 0, []))

    def test_a_vm_that_libvirt_runs_on_both_hosts_raises_an_alarm_on_both(self):
        # A fault of libvirt: the target's CPUs run, the target's daemon dies before it reports this,
        # and the source's CPUs continue to run. When the daemon saves the VM's state for the third
        # time, it has just told QEMU to run.
        migrating = self.middle_of_migration(self.node1, self.node2)
        marks = {host: host.mark() for host in self.lab.hosts()}
        killing = self.node2.start("strace -f -o /dev/null -e trace=rename -e inject=rename:"
                                   "signal=KILL:when=3 -p $(cat /run/libvirtd.pid)")
        self.node2.sh("until grep -q 'TracerPid:.*[1-9]' /proc/$(cat /run/libvirtd.pid)/status; "
                      "do :; done")
        self.hurry_up(self.node1)
        self.assertNotEqual(migrating.wait(30).status, 0)
        killing.kill()
        self.node2.start_libvirtd()
        self.assertEqual([self.runs_on(host) for host in self.lab.hosts()], [True, True])
        for here, there in ((self.node1, self.node2), (self.node2, self.node1)):
            self.logs(here, marks[here], "daemon.crit", "event=conflict", f"here={here.name}",
                      f"holder={there.name}")
        self.assert_both_hold_it()
        self.node2.sh("virsh destroy web")
        self.assert_settled_on(self.node1)


class HandOver(KeptVm):
    """A lock is handed over only to the target of a migration."""

    def restart_keeper(self, host, more):
        """Also the keeper needs the longer window: it removes announcements that are older."""
        host.stop_keeper()
        self.configure(host, self.configuration + more)
        host.start_keeper()

    def test_a_failed_migration_does_not_let_a_start_share_the_lock(self):
        self.starts(self.node1)
        window = 'guard.migrate_window = "60s"\n'
        self.restart_keeper(self.node2, window + 'guard.exempt = ["web"]\n')
        self.starts(self.node2)
        result = self.migrate(self.node1, self.node2)
        self.assertIn("already active", result.err)
        self.node2.sh("virsh destroy web")

        self.configure(self.node2, self.configuration + window)
        self.assertIn(f"{self.uuid}.migrate", self.left_on(self.node2))
        # Usually another thread of the daemon than the one that announced the migration starts the VM.
        # If it is the same thread, libvirt on node1 reports no migration.
        self.denied(self.start(self.node2), "host node1 holds its lock")
        self.assert_settled_on(self.node1)

    def test_a_restore_after_a_failed_migration_gets_no_hand_over(self):
        saved = "/share/web.saved"
        self.starts(self.node1)
        self.node1.sh(f"virsh save web {saved} && virsh restore {saved}")
        self.addCleanup(self.node1.run, f"rm -f {saved}")
        self.restart_keeper(self.node2, 'guard.migrate_window = "60s"\n')
        # An announcement is valid only for the thread that made it. Here the daemon has one thread, and the
        # next story gets a new daemon.
        self.addCleanup(self.node2.kill_libvirtd)
        self.node2.sh("virt-admin server-threadpool-set libvirtd --min-workers 1 --max-workers 1; "
                      "until virt-admin server-threadpool-info libvirtd | grep -q 'nWorkers *: 1$'; "
                      "do sleep 0.1; done", timeout=120)
        marker, copy = f"{STATE}/{self.uuid}.migrate", "/run/lab/marker"
        self.hold(self.node2, "migrate")
        self.node2.sh("cd /etc/libvirt/hooks/qemu.d && printf '#!/bin/sh\\n[ $2 != migrate ]\\n' "
                      ">fail && chmod +x fail")
        migrating = self.migrating(self.node1, self.node2)
        self.wait_held(self.node2, "migrate")
        # libvirt refuses the migration on the target, but the source is not informed.
        self.node1.sh("pkill -STOP -x virsh")
        self.node2.sh(f"cp {marker} {copy}")
        self.let_go(self.node2, "migrate")

        self.denied(self.node2.run(f"virsh restore {saved}"), "host node1 holds its lock since")
        self.eventually(lambda: self.node1.level(self.lock) == "EX", within=self.SOON)

        # As when libvirt restores a snapshot: no call of the hook announces it before `prepare`.
        self.hold(self.node2, "restore")
        restoring = self.node2.start(f"virsh restore {saved}")
        self.wait_held(self.node2, "restore")
        self.node2.sh(f"cp {copy} {marker}")
        mark = self.node1.mark()
        self.let_go(self.node2, "restore")
        self.denied(restoring.wait(30), "runs another job for it here ('start')")
        self.logs(self.node1, mark, "event=hand-over ")
        self.assert_runs_only_on(self.node1)

        self.node1.sh("pkill -CONT -x virsh")
        self.assertNotEqual(migrating.wait(30).status, 0)
        self.assert_settled_on(self.node1)

    def test_a_job_hands_its_lock_over_once_and_only_to_a_qemu_with_incoming(self):
        # libvirt does not know the calls made by hand below, so node2's keeper would unlock the lock.
        self.node2.stop_keeper()
        self.configure(self.node2, 'keeper.reconcile_interval = "1h"\n')
        self.node2.start_keeper()
        self.starts(self.node1)
        mark = self.node1.mark()
        self.hold(self.node2, "migrate")
        migrating = self.migrating(self.node1, self.node2)
        self.wait_held(self.node2, "migrate")
        # Before libvirt starts the target's QEMU, another process uses the announcement.
        waiting = self.node2.start("echo $$ >/run/libvirt/qemu/web.pid; exec sleep 600")
        self.node2.sh("until [ -s /run/libvirt/qemu/web.pid ]; do sleep 0.1; done")
        result = self.by_hand(self.node2, "migrate begin", "prepare begin", "start begin",
                              "started begin")
        self.denied(result, "-incoming")
        self.logs(self.node1, mark, "event=hand-over ")
        self.assertEqual([host.level(self.lock) for host in self.lab.hosts()], ["PR", "PR"])
        waiting.kill()
        self.by_hand(self.node2, "stopped end", "release end")
        self.node2.sh("rm /run/libvirt/qemu/web.pid")
        self.assertEqual(self.node2.holds(), [])

        self.denied(self.by_hand(self.node2, "migrate begin", "prepare begin"), "node1",
                    "has already granted a hand-over for this migration")
        self.assertEqual(self.node1.level(self.lock), "PR")
        self.let_go(self.node2, "migrate")
        self.denied(migrating.wait(30), "node1")
        self.assert_settled_on(self.node1)
