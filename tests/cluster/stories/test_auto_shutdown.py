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
        self.addCleanup(self.node1.sh, "mv /etc/libvirt/qemu.conf.before /etc/libvirt/qemu.conf && "
                        "systemctl -q enable --now libvirt-guests && systemctl restart libvirtd", timeout=120)
        self.node1.sh("cp -p /etc/libvirt/qemu.conf /etc/libvirt/qemu.conf.before && "
                      "systemctl -q disable --now libvirt-guests && cat >>/etc/libvirt/qemu.conf && "
                      "systemctl restart libvirtd", input=SETTINGS)
        self.starts(self.node1)
        self.assert_kept(self.node1)
        self.assert_shuts_down_cleanly(self.node1, self.node2)
