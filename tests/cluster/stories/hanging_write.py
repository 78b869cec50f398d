"""A VM whose write hangs, on a disk that does not answer. For stories of KeptVm or SystemdStory."""

import os

import vm


class HangingWrite:
    disk = "vdb"  # the VM's disk, on node1
    drive = "spare"  # the same in the lab: a drive of the hosts' QEMU, and the name of its file

    def stall_disk(self, stalled=True):
        """Limits node1's access to the VM's disk to one byte per second, or removes the limit."""
        self.node1.monitor("block_set_io_throttle", device=self.drive, bps=int(stalled), bps_rd=0,
                           bps_wr=0, iops=0, iops_rd=0, iops_wr=0)

    def count_on_disk(self):
        """Returns the counter that the VM last wrote to its disk."""
        with open(self.lab.folder / f"{self.drive}.img", "rb") as disk:
            return int.from_bytes(os.pread(disk.fileno(), 2, vm.WRITES_AT), "little")

    def write_is_stuck(self):
        count = self.count_on_disk()
        in_flight = self.node1.sh(f"sleep 1; cat /sys/block/{self.disk}/inflight").split()[1]
        return in_flight != "0" and self.count_on_disk() == count

    def starts_and_hangs(self):
        """Starts the VM on node1, and lets its disk hang while the VM writes to it."""
        self.starts(self.node1)
        self.addCleanup(self.let_disk_go_on)
        began = self.count_on_disk()
        self.eventually(lambda: self.count_on_disk() > began, within=20)
        self.stall_disk()
        self.eventually(self.write_is_stuck, within=20)

    def let_disk_go_on(self):
        if self.node1.is_up():
            self.stall_disk(False)
