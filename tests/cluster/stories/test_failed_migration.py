"""A migration that fails: the VM keeps running on the source, and so does its lock."""

import time

from stories.guarded import HeavyVm


class FailedMigration(HeavyVm):
    """The VM continues to run on the source in the same QEMU, and only the source holds its lock."""

    def setUp(self):
        super().setUp()
        self.qemu = self.node1.sh("pgrep qemu-system")

    def assert_nothing_came_of(self, migrating):
        result = migrating.wait(60)
        self.assertNotEqual(result.status, 0, result)
        self.assert_settled_on(self.node1)
        self.assertEqual(self.node1.sh("pgrep qemu-system"), self.qemu)
        return result

    def test_the_migration_is_aborted_or_the_targets_qemu_dies(self):
        for how, host, command in (
            ("aborted", self.node1, "virsh domjobabort web"),
            ("aborted while its keeper is dead", self.node1,
             "/lab/keeper kill; virsh domjobabort web && /lab/keeper start"),
            ("the target's QEMU is killed", self.node2, "pkill -9 qemu-system"),
        ):
            with self.subTest(how):
                mark = self.node1.mark()
                migrating = self.middle_of_migration(self.node1, self.node2, "--p2p")
                self.assert_both_hold_it()
                host.sh(command)
                self.assert_nothing_came_of(migrating)
                self.logs(self.node1, mark, "event=exclusive")
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)

    def test_a_daemon_is_killed(self):
        for host in self.lab.hosts():
            with self.subTest(host.name):
                migrating = self.middle_of_migration(self.node1, self.node2)
                host.kill_libvirtd()
                if host is self.node2:
                    self.hurry_up(self.node1)
                    migrating.wait(30)
                    # The target's QEMU still waits for its daemon, which may still tell it to run.
                    self.assert_both_hold_it()
                else:
                    migrating.wait(30)
                host.start_libvirtd()
                self.assert_nothing_came_of(migrating)

    def test_a_daemon_is_killed_before_it_has_started_the_targets_qemu(self):
        mark = self.node2.mark()
        killing = self.kill_daemon_at_fork(self.node2, 4)
        migrating = self.migrating(self.node1, self.node2)
        self.assertNotEqual(migrating.wait(60).status, 0)
        self.start_daemon_after(self.node2, killing)
        self.assert_nothing_came_of(migrating)
        self.logs(self.node2, mark, "event=unlocked", "by=keeper")
        self.assertNotIn("web", self.node2.sh("start-guard list"))
        self.make_libvirt_forget(self.node2)
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)

    def test_the_network_is_cut_for_a_while(self):
        migrating = self.middle_of_migration(self.node1, self.node2, "--p2p")
        self.node2.cut_cable()
        aborting = self.node1.start("virsh domjobabort web")
        time.sleep(7)  # longer than the 5 s after which o2cb drops an idle connection
        self.node2.mend_cable()
        self.assertEqual(aborting.wait(30).status, 0)
        self.assert_nothing_came_of(migrating)

    def test_the_target_has_a_mistake_in_its_configuration(self):
        self.configure(self.node2, "nonsense\n")
        result = self.assert_nothing_came_of(self.migrating(self.node1, self.node2))
        self.denied(result, "start-guard.toml:1")

    def test_the_targets_hook_is_killed(self):
        self.node2.sh("mkdir -p /run/start-guard")
        busy = self.node2.start(f"flock /run/start-guard/{self.uuid}.flock sleep 100")
        self.node2.sh(f"while flock -n /run/start-guard/{self.uuid}.flock true; do sleep 0.05; done",
                      timeout=20)
        migrating = self.migrating(self.node1, self.node2)
        self.node2.sh("until kill -9 $(pgrep -r D,R,S,T -f '[h]ooks/qemu web prepare') 2>/dev/null; "
                      "do sleep 0.1; done", timeout=120)
        busy.kill()
        self.assert_nothing_came_of(migrating)
