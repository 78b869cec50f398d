"""A write in flight after QEMU's death: with io_uring, a write to a disk that hangs remains in the
kernel after its process has died. It reaches the disk when the disk answers again."""

import os

import vm
from stories.guarded import KeptVm


class WriteInFlight(KeptVm):
    xml = vm.WRITER_XML

    def stall_disk(self, stalled=True):
        """Limits node1's access to the shared disk to one byte per second, or removes the limit."""
        self.node1.monitor("block_set_io_throttle", device="spare", bps=int(stalled), bps_rd=0,
                           bps_wr=0, iops=0, iops_rd=0, iops_wr=0)

    def count_on_disk(self):
        """Returns the counter that the VM last wrote to the shared disk."""
        with open(self.lab.folder / "spare.img", "rb") as disk:
            return int.from_bytes(os.pread(disk.fileno(), 2, vm.WRITES_AT), "little")

    def write_is_stuck(self):
        count = self.count_on_disk()
        in_flight = self.node1.sh("sleep 1; cat /sys/block/vdb/inflight").split()[1]
        return in_flight != "0" and self.count_on_disk() == count

    def test_the_lock_stays_until_the_write_of_a_dead_qemu_is_on_the_disk(self):
        self.starts(self.node1)
        self.addCleanup(self.stall_disk, False)
        began = self.count_on_disk()
        self.eventually(lambda: self.count_on_disk() > began, within=20)
        self.stall_disk()
        self.eventually(self.write_is_stuck, within=20)
        on_disk = self.count_on_disk()
        mark = self.node1.mark()
        # `virsh destroy` sends SIGKILL too, ten seconds after SIGTERM.
        self.node1.sh("pkill -9 qemu-system; while pgrep qemu-system; do sleep 0.1; done", timeout=10)
        self.logs(self.node1, mark, "daemon.crit", "event=io-in-flight", "/dev/vdb")
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.denied(self.start(self.node1), "a write of its last run may still reach /dev/vdb")
        released = self.node1.run("start-guard release web --yes --force")
        self.assertNotEqual(released.status, 0, released)
        self.assertIn("may still reach /dev/vdb", released.err)
        self.assertEqual(self.count_on_disk(), on_disk)
        self.stall_disk(False)
        self.assert_settled_on(None)
        self.assertEqual(self.count_on_disk(), on_disk + 1)
        self.starts(self.node2)
