"""Bare hosts that boot systemd. The commands of the pages (README.md, install/README.md) make a guarded
cluster of them, and remove the guard. Debian's AppArmor profile confines libvirt's daemon all the time.

The hosts have their own lab, which this module starts and ends unless it is up:
    /usr/bin/python3 -m unittest -v stories.test_set_up
"""

import re

from stories.guarded import STATE
from stories.systemd_story import HOOKS, HOSTS, SET_UP, SystemdStory, blocks, follow, set_up_hosts


def setUpModule():
    set_up_hosts()


class Page(SystemdStory):
    def test_bare_hosts_set_up_by_the_page_pass_every_check(self):
        for host in HOSTS:
            said = SET_UP[host.name]
            self.assertRegex(said, r"ok +heartbeat +global, on ")
            self.assertRegex(said, r"ok +peers +connected: node[12]\n")
            checks = re.findall(r"^(ok|warn|FAIL) +(\w[\w-]*) ", said, re.MULTILINE)
            self.assertEqual({verdict for verdict, _ in checks}, {"ok"}, said)
            self.assertIn("service", [check for _, check in checks])
            self.assertEqual(host.sh("systemctl is-enabled start-guard").strip(), "enabled")

    def test_with_a_confined_daemon_the_vm_starts_is_denied_elsewhere_and_migrates(self):
        follow("start")
        (_, (line,)), = blocks("denied")
        self.denied(self.node2.run(line), "host node1 holds its lock since")
        self.assert_kept(self.node1)
        follow("move")
        self.assert_kept(self.node2)
        self.assertEqual(self.node1.holds(), [])
        self.node2.sh("virsh -q destroy web")
        self.assert_clean(self.node2)
        for host in HOSTS:
            self.assertEqual(host.sh("cat /proc/$(pgrep -x libvirtd)/attr/current").strip(),
                             "libvirtd (enforce)")
            self.assertEqual(host.sh("grep -v '^#' /etc/apparmor.d/local/usr.sbin.libvirtd || :"),
                             "")
            self.assertEqual(self.denials_by_apparmor(host), [])

    def test_an_operation_outside_apparmors_profile_is_denied_and_logged(self):
        self.node1.sh(f"mkdir -p {HOOKS}/qemu.d && printf '#!/bin/sh\n' >/var/lib/elsewhere && "
                      f"chmod 755 /var/lib/elsewhere && ln -s /var/lib/elsewhere {HOOKS}/qemu.d/z "
                      "&& systemctl restart libvirtd")
        self.addCleanup(self.node1.run, f"rm -r {HOOKS}/qemu.d /var/lib/elsewhere; dmesg -C; "
                        "journalctl --rotate; journalctl --vacuum-time=1s")
        self.assertNotEqual(self.start(self.node1).status, 0)
        self.assertIn("/var/lib/elsewhere", "".join(self.denials_by_apparmor(self.node1)))

    def test_the_page_removes_everything(self):
        files = "dpkg -L start-guard | while read -r file; do [ -d $file ] || echo $file; done"
        there = {host: host.sh(files).split() for host in HOSTS}
        follow("take away")
        for host, files in there.items():
            self.assertGreater(len(files), 10)
            left = host.run(f"ls -d {' '.join(files)} /etc/systemd/system/*/start-guard* {STATE} "
                            f"{HOOKS}/* /dlm/*").out
            self.assertEqual(left, "")
            self.assertEqual(host.run("systemctl is-active start-guard").out.strip(), "inactive")
