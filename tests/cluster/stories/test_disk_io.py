"""A write in flight after QEMU was killed, on a disk that hangs. It reaches the disk when the disk
answers again. With io_uring, the write remains in the kernel after its process has died. With libaio, the
process cannot end before its write, but it has no command line any more."""

import vm
from stories.guarded import STATE, KeptVm
from stories.hanging_write import HangingWrite


class IoUring(HangingWrite, KeptVm):
    xml = vm.WRITER_XML

    def test_the_lock_stays_until_the_write_of_a_dead_qemu_is_on_the_disk(self):
        self.starts_and_hangs()
        on_disk = self.count_on_disk()
        mark = self.node1.mark()
        # `virsh destroy` sends SIGKILL too, ten seconds after SIGTERM.
        self.node1.sh("pkill -9 qemu-system; while pgrep qemu-system; do sleep 0.1; done", timeout=10)
        self.logs(self.node1, mark, "daemon.crit", "event=io-in-flight", "/dev/vdb")
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.denied(self.start(self.node1), "a write of its last run may still reach /dev/vdb")
        self.eventually(self.release_is_refused, within=30)
        self.assertEqual(self.count_on_disk(), on_disk)
        self.stall_disk(False)
        self.assert_settled_on(None)
        self.assertEqual(self.count_on_disk(), on_disk + 1)
        self.starts(self.node2)

    def release_is_refused(self):
        """Returns whether it is refused for the write, not because the keeper just tries the same."""
        released = self.node1.run("start-guard release web --yes --force")
        self.assertNotEqual(released.status, 0, released)
        return "may still reach /dev/vdb" in released.err


class Libaio(HangingWrite, KeptVm):
    xml = vm.WRITER_XML.replace("io='io_uring'", "io='native'")

    def test_the_lock_of_an_ending_qemu_stays_although_its_process_is_not_recorded(self):
        self.starts_and_hangs()
        mark = self.node1.mark()
        qemu = self.node1.sh("pgrep qemu-system").strip()
        self.node1.sh(f"kill -9 {qemu}; while grep -q . /proc/{qemu}/cmdline; do sleep 0.1; done", timeout=10)
        # As if /run had been full at `started` and `stopped`. libvirt calls `release` when it gives up
        # waiting for QEMU's end, for example in a start that fails; here the shell calls it.
        self.node1.sh(f"sed -i /pid/d {STATE}/{self.uuid}; "
                      "/etc/libvirt/hooks/qemu web release end -",
                      input=f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>")
        self.logs(self.node1, mark, "event=qemu-not-seen", f"process {qemu}, a QEMU that is ending")
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.stall_disk(False)
        self.assert_settled_on(None)
        self.starts(self.node2)
