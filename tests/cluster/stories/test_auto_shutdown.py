"""Hosts with systemd on which libvirt's daemon ends its VMs at a shutdown by itself, without
libvirt-guests. It needs libvirt 11.2 or later, which Debian 12 does not have."""

from stories.systemd_story import SystemdStory, set_up_hosts

SETTINGS = """
auto_shutdown_try_save = "none"
auto_shutdown_try_shutdown = "all"
auto_shutdown_poweroff = "all"
"""


def setUpModule():
    set_up_hosts()


class AutoShutdown(SystemdStory):
    def test_vms_that_the_daemon_ends_at_a_shutdown_are_unlocked_before_the_cluster_stops(self):
        self.node1.sh("systemctl -q disable --now libvirt-guests && cat >>/etc/libvirt/qemu.conf && "
                      "systemctl restart libvirtd", input=SETTINGS)
        self.starts(self.node1)
        self.assert_kept(self.node1)
        self.node2.sh("dmesg -C")
        self.node1.shut_down()
        self.starts(self.node2)
        seen = self.node2.sh("dmesg")
        self.assertRegex(seen, r"o2dlm: Node 1 leaves domain")
        self.assertNotIn("has evicted node 1", seen)

        self.node1.boot()
        log = self.as_sent(self.node1, "-b -1", "_PID=1 + SYSLOG_IDENTIFIER=start-guard")
        self.assert_in_order(log, "event=unlocked", "Stopped libvirtd.service",
                             "event=keeper-stopped", "Stopping o2cb.service", "Stopped o2cb.service")
