"""`install-hook` and `remove-hook`, among other hooks of libvirt and while libvirt runs."""

from stories.guarded import KeptVm

HOOK = "/etc/libvirt/hooks/qemu"
FOLDER = "/etc/libvirt/hooks/qemu.d"
PACKAGED = "/run/lab/packaged/qemu"

# A hook that an administrator may have installed. It records the operations it was called for.
ADMINS = """#!/bin/sh
echo "$2" >>/run/lab/admins
"""


class HookPlace(KeptVm):
    def setUp(self):
        super().setUp()
        # The state of a host that ran libvirt without the guard until now.
        self.node1.sh(f"mkdir -p {PACKAGED.rpartition('/')[0]} && mv {HOOK} {PACKAGED} && "
                      "rm -f /share/node1/disk/hooks/qemu /run/lab/admins && /lab/libvirt restart")
        self.addCleanup(self.node1.run, f"rm -rf {HOOK}; /lab/libvirt kill")

    def install(self, status=0):
        result = self.node1.run(f"start-guard install-hook --from {PACKAGED}")
        self.assertEqual((result.status, result.out), (status, ""), result)
        return result.err

    def checked(self):
        """Returns the states of those lines of `check` that are about the hook."""
        found = self.run_check(self.node1).out.splitlines()
        return {line.split()[1]: line.split()[0] for line in found
                if line.split()[1:2] and line.split()[1] in ("hook", "order", "hook-loaded")}

    def assert_guards(self):
        self.starts(self.node1)
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "host node1 holds its lock")

    def test_a_running_daemon_loads_the_hook(self):
        mark = self.node1.mark()
        self.starts(self.node1)
        self.logs(self.node1, mark, "event=adopted")  # by the service: no hook acquired the lock
        self.node1.sh("virsh destroy web")
        self.eventually(lambda: self.node1.holds() == [], within=self.SOON)
        said = self.install()
        self.assertIn(f"the hook is at {HOOK}\n", said)
        self.assertRegex(said, r"libvirtd \(process \d+\) was told to look for it")
        self.assertEqual(self.checked(), {"hook": "ok", "order": "ok", "hook-loaded": "ok"})
        self.assert_guards()
        before = self.node1.sh(f"ls -i {HOOK}")
        self.assertIn("already", self.install())
        self.assertEqual(self.node1.sh(f"ls -i {HOOK}"), before)

    def test_a_daemon_that_is_just_starting_loads_the_hook(self):
        """It looks for hooks first, then initializes its drivers, and ignores SIGHUP until that is done."""
        self.node1.sh("/lab/libvirt stop; rm -rf /var/cache/libvirt/qemu/capabilities")  # so it takes long
        starting = self.node1.start("/lab/libvirt start")
        catches_hangup = "grep -q '^SigCgt:.*[13579bdf]$' /proc/$(pgrep -xo libvirtd)/status 2>/dev/null"
        self.node1.sh(f"until {catches_hangup}; do :; done", timeout=20)
        self.install()
        self.assertEqual(starting.wait(30).status, 0)
        self.assertEqual(self.checked()["hook-loaded"], "ok")
        mark = self.node1.mark()
        self.starts(self.node1)
        self.logs(self.node1, mark, "event=granted")

    def test_an_upgrade_replaces_the_hook_without_a_gap(self):
        self.install()
        self.starts(self.node1)
        watching = self.node1.start(f"while [ -x {HOOK} ]; do :; done; echo gone; exit 1")
        for build in "0123456789ab", "abcdef012345":
            self.node1.sh("LC_ALL=C sed -i 's/start-guard-build:[0-9a-f]\\{12\\}/"
                          f"start-guard-build:{build}/' {PACKAGED}")
            self.assertIn(f"the hook is at {HOOK}\n", self.install())
        self.assertTrue(watching.running())
        watching.kill()
        self.assertEqual(self.checked()["hook-loaded"], "ok")
        self.assert_holds(self.node1)
        self.node1.sh("virsh destroy web")
        self.assertEqual(self.node1.holds(), [])

    def test_an_admins_hook_stays_and_libvirt_runs_both(self):
        self.node1.sh(f"cat >{HOOK} && chmod 755 {HOOK}", input=ADMINS)
        said = self.install()
        self.assertIn(f"the hook is at {FOLDER}/00-start-guard\n", said)
        self.assertIn(f"{HOOK} is not start-guard's, and stays", said)
        self.assertEqual(self.checked(), {"hook": "ok", "order": "warn", "hook-loaded": "ok"})
        self.assert_guards()
        self.assertEqual(self.node1.sh("cat /run/lab/admins").split(),
                         ["prepare", "start", "started"])
        self.node1.sh("virsh destroy web && start-guard remove-hook")
        self.assertEqual(self.node1.sh(f"cat {HOOK}"), ADMINS)
        self.assertEqual(self.node1.sh(f"ls -A {FOLDER}"), "")

    def test_while_a_vm_runs_the_hook_is_removed_only_with_yes(self):
        self.install()
        self.starts(self.node1)
        result = self.node1.run("start-guard remove-hook")
        self.assertEqual(result.status, 1, result)
        self.assertIn("VMs run here under guard: web.", result.err)
        self.assertIn("start-guard remove-hook --yes", result.err)
        self.assertIn(f"removed {HOOK}", self.node1.run("start-guard remove-hook --yes").err)
        self.assertEqual(self.checked()["hook"], "FAIL")
        # The removal of the package calls remove-hook again; this call succeeds.
        self.assertIn("there is no hook", self.node1.sh("start-guard remove-hook 2>&1"))
        self.node1.sh("virsh destroy web")
        # No hook was called at the VM's end; the service detects it.
        self.eventually(lambda: self.node1.holds() == [], within=self.SOON)
        self.assertIn("there is no hook", self.node1.run("start-guard remove-hook").err)
