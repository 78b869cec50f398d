"""A guarded cluster of hosts that boot systemd, set up by the commands of the pages. The tests
add a host, restart and shut down the hosts, and upgrade and remove the guard.

The hosts have their own lab, which this module starts and ends unless it is up:
    /usr/bin/python3 -m unittest -v stories.test_systemd
"""

import re

from stories.systemd_story import (DEB, FURTHER, HOOKS, HOSTS, PACKAGES, XML, SystemdStory, blocks, equip,
                                   follow, run_lines, set_up_hosts)

from image import LabError
from lab import in_parallel

CONTAINER = """
<domain type='lxc'>
  <name>web</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>32</memory>
  <os><type>exe</type><init>/bin/sleep</init><initarg>1000</initarg></os>
  <devices><console type='pty'/></devices>
</domain>
"""


def setUpModule():
    set_up_hosts()


class Further(SystemdStory):
    def join(self):
        """Makes the third host a bare one, joins it to the cluster as the page describes, and defines
        the VM there."""
        FURTHER.make_bare()
        FURTHER.boot()
        for file in ("/etc/ocfs2/cluster.conf", "/etc/default/o2cb"):
            FURTHER.sh(f"mkdir -p /etc/ocfs2 && cat >{file}", input=self.node1.sh(f"cat {file}"))
        equip(FURTHER)
        _, _, (_, configure), (_, guard) = blocks("set up")
        run_lines(FURTHER, configure[-2:])
        said = run_lines(FURTHER, guard)
        self.assertRegex(said, r"ok +peers +connected: node1, node2\n")
        self.assertEqual(set(re.findall(r"^(ok|warn|FAIL) ", said, re.MULTILINE)), {"ok"}, said)
        FURTHER.sh("virsh -q define /dev/stdin", input=XML.format(name="web", uuid=self.uuid))

    def remove_further(self):
        """The other hosts need not wait until the cluster evicts it."""
        if FURTHER.is_up():
            try:
                FURTHER.shut_down()
            except (OSError, LabError):
                FURTHER.crash()

    def test_a_third_host_joins_and_is_replaced_while_a_vm_runs(self):
        self.starts(self.node1)
        follow("further")
        self.addCleanup(self.remove_further)
        self.join()
        self.denied(self.start(FURTHER), "host node1 holds its lock")
        self.node1.sh("virsh -q migrate --live web qemu+tcp://node3/system")
        self.assert_kept(FURTHER)
        FURTHER.sh("virsh -q destroy web")
        FURTHER.shut_down()

        self.starts(self.node1)
        self.join()
        self.denied(self.start(FURTHER), "host node1 holds its lock")
        self.node1.sh("virsh -q destroy web")
        self.starts(FURTHER)
        self.denied(self.start(self.node1), "host node3 holds its lock")
        FURTHER.shut_down()


class Boot(SystemdStory):
    def stamps(self, host, *names):
        """Returns for each unit when its start began and when it ended, in µs since the boot."""
        return [int(host.sh(f"systemctl show -P {stamp}TimestampMonotonic {name}"))
                for name in names for stamp in ("InactiveExit", "ActiveEnter")]

    def test_boot_and_shutdown_happen_in_order_and_vms_stay_guarded(self):
        self.node1.sh("virsh -q autostart web")
        self.starts(self.node1)

        log = self.assert_shuts_down_cleanly(self.node1, self.node2)
        self.assert_in_order(log, "event=unlocked", "Stopped libvirt-guests.service",
                             "Stopped libvirtd.service")

        # It has booted while the VM runs on the other host.
        self.eventually(lambda: "event=denied" in
                        self.journal(self.node1, "-b", "-t start-guard"), within=60)
        self.assert_runs_only_on(self.node2)

        # Boot while the VM runs nowhere.
        self.node2.sh("virsh -q destroy web")
        self.node1.sh("systemctl --no-block reboot")
        self.node1.wait_off()
        self.node1.boot()
        stamps = self.stamps(self.node1, "o2cb", "start-guard", "libvirtd")
        self.assertEqual(stamps, sorted(stamps))
        self.eventually(lambda: self.runs_on(self.node1), within=60)
        self.assert_kept(self.node1)
        self.denied(self.start(self.node2), "host node1 holds its lock")


class Restarts(SystemdStory):
    def keeper(self, host):
        return host.sh("systemctl show -P MainPID start-guard").strip()

    def stored(self, host):
        """Returns how many of the service's locks systemd has in its file descriptor store."""
        return int(host.sh("systemctl show -P NFileDescriptorStore start-guard"))

    def test_a_restart_of_libvirts_daemon_or_of_the_service_changes_neither_vm_nor_lock(self):
        self.starts(self.node1)
        qemu = self.qemu(self.node1)
        for service in ("libvirtd", "start-guard"):
            with self.subTest(service):
                before = self.node1.sh(f"systemctl show -P MainPID {service}")
                self.node1.sh(f"systemctl restart {service}")
                self.assertNotEqual(self.node1.sh(f"systemctl show -P MainPID {service}"), before)
                self.denied(self.start(self.node2), "host node1 holds its lock")
                self.assert_kept(self.node1)
                self.assertEqual(self.qemu(self.node1), qemu)
        self.assertRegex(self.journal(self.node1, "-t start-guard"),
                         f"event=held vm=web uuid={self.uuid}")

    def test_libvirt_guests_stops_and_starts_the_daemon_by_its_socket(self):
        # The service would start the daemon before libvirt-guests does.
        self.node1.sh("systemctl stop start-guard && systemctl stop libvirtd")
        self.assertEqual(self.node1.run("systemctl is-active libvirtd").out, "inactive\n")
        self.node1.sh("systemctl stop libvirt-guests", timeout=60)
        self.assertEqual(self.node1.run("systemctl is-active libvirtd").out, "active\n")
        self.node1.sh("systemctl start libvirt-guests start-guard", timeout=60)
        self.starts(self.node1)
        self.assert_kept(self.node1)

    def test_a_request_that_another_host_has_queued_is_not_granted_by_a_restart(self):
        self.starts(self.node1)
        mark = self.journal(self.node1).count("event=request-queued")
        queued = self.node2.start(f"mkdir -p /dlm/vms && : >/dlm/vms/{self.lock}")
        self.eventually(lambda: self.journal(self.node1).count("event=request-queued") > mark, within=20)
        for restart in ("systemctl restart start-guard",
                        "systemctl kill --kill-whom=main -s KILL start-guard",
                        f"dpkg -i {DEB}"):
            with self.subTest(restart):
                before = self.keeper(self.node1)
                self.node1.sh(restart, timeout=300)
                self.eventually(lambda: self.keeper(self.node1) not in (before, "0"), within=20)
                self.assert_kept(self.node1)
                self.denied(self.start(self.node2), "a process of this host waits for its file")
                self.assertTrue(queued.running())
        self.node1.sh("virsh -q destroy web")
        self.assertEqual(queued.wait(20).status, 0)
        self.eventually(lambda: self.node1.holds() == [], within=20)
        # The service on node2 removes the file that the request leaves there.
        self.eventually(lambda: self.node2.holds() == [], within=60)
        self.starts(self.node2)

    def test_after_a_restart_the_vm_migrates_and_leaves_nothing_behind(self):
        self.starts(self.node1)
        for here, there in (HOSTS, HOSTS[::-1]):
            in_parallel(lambda host: host.sh("systemctl restart start-guard"), HOSTS)
            here.sh(f"virsh -q migrate --live web qemu+tcp://{there.name}/system")
            self.assert_kept(there)
            self.eventually(lambda: here.holds() == [], within=20)
            self.assertEqual(self.stored(here), 0)
        self.node1.sh("virsh -q destroy web")
        self.assert_clean(self.node1)
        self.assertEqual(self.stored(self.node1), 0)

    def test_the_cluster_cannot_be_stopped_while_a_vm_runs(self):
        self.starts(self.node1)
        keeper = self.node1.sh("systemctl show -P MainPID start-guard")
        # More attempts than systemd allows starts in ten seconds, unless the drop-in lifts that limit.
        for stop, refused in (("systemctl stop o2cb", True), ("/etc/init.d/o2cb stop", True),
                              ("systemctl restart o2cb", False), *[("systemctl stop o2cb", True)] * 4):
            with self.subTest(stop):
                result = self.node1.run(stop)
                self.assertEqual(result.status != 0, refused, result)
                self.assertEqual("canceled" in result.err, refused, result)
                self.denied(self.start(self.node2), "host node1 holds its lock")
                self.assert_kept(self.node1)
                # systemd would not stop a failed unit at a shutdown.
                self.eventually(lambda: self.o2cb(self.node1) == "active", within=20)
        self.assertEqual(self.node1.sh("systemctl show -P MainPID start-guard"), keeper)
        self.assertIn("this host holds 1 lock", self.journal(self.node1, "-u o2cb"))
        self.node1.sh("virsh -q destroy web")
        self.node1.sh("systemctl stop o2cb")
        self.assertNotEqual(self.node1.run("mountpoint -q /dlm").status, 0)
        self.node1.sh("systemctl start o2cb", timeout=120)
        self.starts(self.node1)
        self.assert_kept(self.node1)

    def test_the_cluster_cannot_be_stopped_while_a_program_holds_a_lock(self):
        self.node1.sh("start-guard lock ended -- true")  # its domain stays
        program = self.node1.start("start-guard lock backup -- sleep 1000")
        self.eventually(lambda: "backup" in self.node1.run("ls /dlm/locks").out, within=20)
        result = self.node1.run("systemctl stop o2cb")
        self.assertIn("canceled", result.err)
        self.assertTrue(program.running())
        self.starts(self.node1)
        self.node1.sh("virsh -q destroy web; pkill -x sleep")
        program.wait(20)
        self.node1.sh("systemctl stop o2cb && ! mountpoint -q /dlm")

    def stop_first_with(self, command):
        """Changes the unit of node1's cluster: its stop first runs this command."""
        unit = self.node1.sh("systemctl show -P FragmentPath o2cb").strip()
        changed = "/run/systemd/system/o2cb.service"
        if unit.startswith("/run/"):  # generated from a script in /etc/init.d
            changed = "/etc/systemd/system/o2cb.service"
        self.addCleanup(self.node1.sh, f"rm -f {changed} && systemctl daemon-reload")
        lines = self.node1.sh(f"cat {unit}").replace("\nExecStop=", f"\nExecStop={command}\nExecStop=", 1)
        self.node1.sh(f"cat >{changed} && systemctl daemon-reload", input=lines)

    def test_after_a_failed_stop_of_the_cluster_vms_start(self):
        self.stop_first_with("/bin/false")
        result = self.node1.run("systemctl stop o2cb", timeout=120)
        self.assertIn("canceled", result.err)
        self.eventually(lambda: self.o2cb(self.node1) == "active", within=60)
        self.assertIn("the cluster does not stop", self.journal(self.node1, "-b", "-u o2cb"))
        self.starts(self.node1)
        self.assert_kept(self.node1)

    def test_a_vm_that_starts_while_the_cluster_is_being_stopped_is_denied(self):
        said = "/run/said-by-virsh"
        # The unit's own stop runs after the guard has found no lock.
        self.stop_first_with(f"/bin/sh -c 'virsh start web >{said} 2>&1 || :'")
        self.node1.sh("systemctl stop o2cb", timeout=120)
        denial = self.node1.sh(f"cat {said}")
        self.assertIn("VM 'web'", denial)
        self.assertIn("dlmfs", denial)
        self.assertFalse(self.runs_on(self.node1))
        self.assertNotEqual(self.node1.run("mountpoint -q /dlm").status, 0)
        self.node1.sh("systemctl start o2cb", timeout=120)
        self.starts(self.node1)
        self.assert_kept(self.node1)


class Packages(SystemdStory):
    def test_while_a_vm_runs_an_upgrade_leaves_no_gap_and_a_removal_is_refused(self):
        self.starts(self.node1)
        qemu, hook = self.qemu(self.node1), self.node1.sh(f"stat -c %i {HOOKS}/qemu")
        keeper = self.node1.sh("systemctl show -P MainPID start-guard")
        watch = self.node1.start(
            f"until [ -e /run/lab/upgraded ]; do [ -x {HOOKS}/qemu ] || echo gone; done")
        self.install(self.node1, PACKAGES[1])
        self.node1.sh("touch /run/lab/upgraded")
        self.assertEqual(watch.wait(10).out, "")
        self.node1.sh("rm /run/lab/upgraded")
        self.assertIn("+higher", self.node1.sh("dpkg-query -W -f '${Version}' start-guard"))
        self.assertNotEqual(self.node1.sh(f"stat -c %i {HOOKS}/qemu"), hook)
        self.assertNotEqual(self.node1.sh("systemctl show -P MainPID start-guard"), keeper)
        self.assert_kept(self.node1)
        self.assertEqual(self.qemu(self.node1), qemu)
        self.denied(self.start(self.node2), "host node1 holds its lock")

        refused = self.node1.run("dpkg -r start-guard", timeout=120)
        self.assertNotEqual(refused.status, 0)
        self.assertIn("VMs run here under guard: web", refused.out + refused.err)
        self.assert_kept(self.node1)
        self.node1.sh(f"[ -x {HOOKS}/qemu ]")
        self.node1.sh("virsh -q destroy web")
        self.node1.sh("dpkg -r start-guard", timeout=120)
        self.assertEqual(self.node1.sh(f"ls {HOOKS}"), "")

    def test_another_hook_stays_and_libvirt_runs_both(self):
        self.node1.sh("dpkg -P start-guard", timeout=120)
        foreign = "#!/bin/sh\necho \"$1 $2\" >>/run/lab/foreign\n"
        self.node1.sh(f"cat >{HOOKS}/qemu && chmod 755 {HOOKS}/qemu", input=foreign)
        self.addCleanup(self.node1.run, f"rm -rf {HOOKS}/qemu {HOOKS}/qemu.d")
        self.install(self.node1, PACKAGES[0])
        self.assertEqual(self.node1.sh(f"cat {HOOKS}/qemu"), foreign)
        self.starts(self.node2)
        self.denied(self.start(self.node1), "host node2 holds its lock")
        self.assertIn("web prepare", self.node1.sh("cat /run/lab/foreign"))
        self.node1.sh("dpkg -P start-guard", timeout=120)
        self.assertEqual(self.node1.sh(f"cat {HOOKS}/qemu"), foreign)


class Containers(SystemdStory):
    """libvirt's LXC driver runs the same hook under another name."""

    def test_a_container_starts_on_one_host_and_is_denied_on_the_other(self):
        for host in HOSTS:
            host.sh("start-guard install-hook --driver lxc")
            self.addCleanup(host.run, f"rm {HOOKS}/lxc; virsh -c lxc:///system undefine web")
            host.sh("virsh -c lxc:///system define /dev/stdin",
                    input=CONTAINER.format(uuid=self.uuid))
        self.node1.sh("virsh -c lxc:///system start web")
        self.assert_holds(self.node1)
        self.eventually(lambda: self.opened(self.node1) == 1, within=20)
        self.denied(self.node2.run("virsh -c lxc:///system start web"),
                    "host node1 holds its lock since", "virsh -c lxc+ssh://node1/system")
        self.ends(self.node1)
        self.node2.sh("virsh -c lxc:///system start web")
        self.assert_holds(self.node2)
        self.ends(self.node2)

    def ends(self, host):
        """Destroys the container. Asserts that it has ended and is unlocked. libvirt 9.0 reports an error
        if systemd removes the container's cgroup while libvirt reads cgroup.threads there (ENODEV,
        virCgroupKillInternal); the container ends all the same."""
        result = host.run("virsh -c lxc:///system destroy web")
        self.assertTrue(result.status == 0 or "cgroup.threads: No such device" in result.err, result)
        self.eventually(lambda: "shut off" in host.sh("virsh -c lxc:///system domstate web"), within=20)
        self.eventually(lambda: self.left_on(host) == [], within=20)
