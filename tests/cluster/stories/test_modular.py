"""The essential stories with libvirt's modular daemons: virtqemud has the VMs, and virtproxyd listens for
other hosts. Needs hosts that boot a tree into which build_modular has put these daemons, so they are not
in the default run."""

from stories import test_check

HOOK = "/etc/libvirt/hooks/qemu"
PACKAGED = "/run/lab/packaged/qemu"


class Modular(test_check.CheckedVm):
    def setUp(self):
        super().setUp()
        for host in self.lab.hosts():
            daemons = host.sh("cd /usr/sbin; ls -d libvirtd virtqemud virtproxyd 2>/dev/null || :")
            self.assertEqual(daemons.split(), ["virtproxyd", "virtqemud"],
                             f"{host.name} does not boot a tree of tests/cluster/build_modular")

    def qemu(self, host):
        return host.sh("pgrep qemu-system").strip()

    def restart(self, host, signal):
        """Ends virtqemud, but not virtproxyd, and starts it again."""
        host.sh(f"kill -{signal} $(cat /run/virtqemud.pid)")
        host.sh("while pgrep -x virtqemud; do sleep 0.1; done", timeout=30)
        host.start_libvirtd()

    def hook_loaded(self):
        """Returns what `check` says about the daemon. On a busy machine this may be that the host did not
        answer in time."""
        return self.check(self.node1)["hook-loaded"]["found"]

    def test_virtqemud_acquires_and_unlocks_the_lock_and_is_denied_it_elsewhere(self):
        self.starts(self.node1)
        self.assert_settled_on(self.node1)
        self.denied(self.start(self.node2), "host node1 holds its lock")
        self.assert_clean(self.node2)
        self.node1.sh("virsh shutdown web")
        self.assert_settled_on(None, within=30)
        self.starts(self.node2)
        self.assert_settled_on(self.node2)
        self.node2.sh("virsh destroy web")
        self.assert_settled_on(None)

    def test_a_vm_migrates_through_virtproxyd_and_its_lock_follows(self):
        source, target = self.node1, self.node2
        self.starts(source)
        for options in "", "--p2p", "--p2p --tunnelled", "--postcopy --postcopy-after-precopy":
            with self.subTest(options, source=source.name):
                marks = source.mark(), target.mark()
                self.migrates(source, target, options)
                self.assert_settled_on(target)
                self.logs(source, marks[0], "event=hand-over-accepted", f"to={target.name}")
                self.logs(target, marks[1], "event=granted", "how=hand-over", f"from={source.name}")
                source, target = target, source
        self.denied(self.start(target), f"host {source.name} holds its lock")

    def test_the_vm_of_a_crashed_host_starts_elsewhere(self):
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")
        self.node2.crash()
        self.eventually(lambda: self.start(self.node1).status == 0, within=90)
        self.assert_holds(self.node1)
        self.node2.boot()
        self.start_keeping(self.node2)
        self.denied(self.start(self.node2), "host node1 holds its lock")
        self.assert_settled_on(self.node1)

    def test_a_vm_keeps_running_and_its_lock_held_when_virtqemud_restarts(self):
        self.starts(self.node1)
        qemu = self.qemu(self.node1)
        for signal in "TERM", "KILL":
            with self.subTest(signal):
                mark = self.node1.mark()
                self.restart(self.node1, signal)
                self.assertEqual(self.qemu(self.node1), qemu)
                self.logs(self.node1, mark, "event=held")
                self.assert_settled_on(self.node1)
                self.denied(self.start(self.node2), "host node1 holds its lock")
        # The keeper has connected to the new daemon: it asks it about a migration.
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)

    def test_a_vm_that_ended_without_virtqemud_is_unlocked(self):
        self.starts(self.node1)
        self.node1.sh("kill -KILL $(cat /run/virtqemud.pid) $(pgrep qemu-system)")
        self.node1.sh("while pgrep -x virtqemud; do sleep 0.1; done")
        self.node1.start_libvirtd()
        self.assert_settled_on(None, within=30)
        self.starts(self.node2)

    def test_check_names_virtqemud(self):
        self.starts(self.node1)
        self.assert_sound(self.node2)
        found = self.assert_sound(self.node1)
        self.assertRegex(found["hook-loaded"]["found"], r"virtqemud \(process \d+\) started after")
        self.node1.sh("kill $(cat /run/virtqemud.pid); while pgrep -x virtqemud; do sleep 0.1; done")
        self.finds(self.node1, "vms", "warn", "systemctl start virtqemud")
        self.finds(self.node1, "clocks", "warn", "systemctl start virtqemud")
        self.finds(self.node1, "hook-loaded", "ok", "no libvirt daemon runs")
        self.node1.start_libvirtd()
        self.assert_sound(self.node1)

    def test_install_hook_makes_a_running_virtqemud_load_the_hook(self):
        self.node1.sh(f"mkdir -p {PACKAGED.rpartition('/')[0]} && mv {HOOK} {PACKAGED} && "
                      "rm -f /share/node1/disk/hooks/qemu && /lab/libvirt restart")
        self.addCleanup(self.node1.run, f"rm -rf {HOOK}; /lab/libvirt kill")
        said = self.node1.run(f"start-guard install-hook --from {PACKAGED}")
        self.assertEqual(said.status, 0, said)
        self.assertRegex(said.err, r"virtqemud \(process \d+\) was told to look for it")
        self.eventually(lambda: "was told to look for it" in self.hook_loaded(), within=30)
        self.starts(self.node1)
        self.eventually(lambda: "has run the hook" in self.hook_loaded(), within=30)
        self.denied(self.start(self.node2), "host node1 holds its lock")
