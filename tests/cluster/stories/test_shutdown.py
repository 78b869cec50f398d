"""Shutdowns of a host with systemd, on which a VM cannot end, or has ended without its unlock."""

import time

from stories.hanging_write import HangingWrite
from stories.systemd_story import HOSTS, LAB, SystemdStory, set_up_hosts

import vm
from lab import in_parallel

WRITER_FIRMWARE = "/var/lib/libvirt/images/vm-writer"


def setUpModule():
    set_up_hosts()
    in_parallel(lambda host: host.put(LAB.folder / "share/vm-writer", WRITER_FIRMWARE, mode=0o644), HOSTS)


class HangingDisk(HangingWrite, SystemdStory):
    """The VM's QEMU waits for a write through libaio, and cannot be killed."""

    # The page's commands make the other disk the cluster's.
    disk, drive = "vda", "heartbeat"
    xml = vm.WRITER_XML.replace("/share/vm-writer", WRITER_FIRMWARE).replace("/dev/vdb", "/dev/vda").replace(
        "io='io_uring'", "io='native'")

    def setUp(self):
        super().setUp()
        self.node1.sh("mkdir -p /run/systemd/system.conf.d && cat >/run/systemd/system.conf.d/short.conf && "
                      "systemctl daemon-reload", input="[Manager]\nDefaultTimeoutStopSec=5s\n")
        self.addCleanup(self.wait_as_long_as_before)
        self.node1.sh("sed -i '$ a SHUTDOWN_TIMEOUT=3' /etc/default/libvirt-guests")

    def wait_as_long_as_before(self):
        if self.node1.is_up():
            self.node1.sh("sed -i '/^SHUTDOWN_TIMEOUT=3$/d' /etc/default/libvirt-guests")

    def test_the_host_is_reset_and_keeps_the_lock_until_then(self):
        self.starts_and_hangs()
        self.node2.sh("dmesg -C")
        self.node1.run("systemctl --no-block reboot")
        began = time.monotonic()
        tries = 0
        while self.node1.is_up():
            self.assertLess(time.monotonic() - began, 240, self.node1.tail())
            result = self.start(self.node2)
            self.assertFalse(result.status == 0 and self.node1.is_up(), "it started while node1 was up")
            tries += 1
        self.assertGreater(tries, 2)
        self.eventually(lambda: self.runs_on(self.node2) or self.start(self.node2).status == 0, within=180)
        self.assertIn("has evicted node 1", self.node2.sh("dmesg"))
        self.node1.boot()
        log = self.journal(self.node1, "-b -1", "-p crit", "-u o2cb")
        self.assertIn("this host is reset: a VM has not ended", log)


class EndedWithoutUnlock(SystemdStory):
    def test_the_lock_of_an_ended_vm_does_not_keep_the_host_in_the_cluster(self):
        self.starts(self.node1)
        self.node1.sh("systemctl -q stop start-guard libvirtd libvirtd.socket libvirtd-ro.socket "
                      "libvirtd-admin.socket; pkill -9 qemu-system; while pgrep qemu-system; do sleep 0.1; done")
        self.assertEqual(self.node1.holds(), [self.lock])
        self.node2.sh("dmesg -C")
        self.node1.shut_down()
        self.starts(self.node2)
        seen = self.node2.sh("dmesg")
        self.assertRegex(seen, "o2dlm: Node 1 leaves domain")
        self.assertNotIn("has evicted node 1", seen)
        self.node1.boot()
        self.assertIn("by=shutdown", self.journal(self.node1, "-b -1", "-t start-guard"))
