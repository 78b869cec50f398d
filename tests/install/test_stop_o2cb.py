"""The program that systemd runs as the ExecStop= of o2cb.service, from the package."""

import subprocess
import unittest

from package_life import LEAVES, Life, run

RELEASES_ENDED = "start-guard release-ended"
STOP_O2CB = "usr/libexec/start-guard/stop-o2cb"
STARTS_O2CB = "systemctl --no-block start o2cb.service"
WRITABLE = "mount -o remount,rw /dlm"


class StopOfTheCluster(Life):
    """The program that systemd runs as the ExecStop= of o2cb.service. `start-guard` is a stub."""

    stubs = ("systemctl", "o2cb.init", "other", "findmnt", "mount", "umount")

    def setUp(self):
        super().setUp()
        run("dpkg-deb", "-x", self.package, self.root)
        self.put_stub("usr/sbin/start-guard")

    def always_fails(self, stub):
        (self.root / "stubs" / stub).unlink()
        (self.root / "stubs" / stub).symlink_to("/bin/false")

    def mount_dlmfs(self, *locks):
        """Makes findmnt report a dlmfs, which is a folder of the overlay."""
        (self.root / "mounted").write_text("/dlm\n")
        (self.root / "dlm/vms").mkdir(parents=True)
        for lock in locks:
            (self.root / "dlm/vms" / lock).touch()

    def shut_down(self):
        """Makes systemctl report a shutdown. The overlay has no /proc, only this file."""
        (self.root / "jobs").mkdir()
        (self.root / "jobs/shutdown.target").touch()
        (self.root / "proc/uptime").write_text("100.5 90.1\n")

    def stop(self, *lines, **more):
        """Stops o2cb.service, whose file has these lines."""
        (self.root / "o2cb.service").write_text("".join(f"{line}\n" for line in ("[Service]", *lines)))
        return self.run_there(f"/{STOP_O2CB}", **more)

    def test_the_drop_in_puts_it_in_the_place_of_the_units_own(self):
        text = (self.root / "usr/lib/systemd/system/o2cb.service.d/start-guard.conf").read_text()
        self.assertEqual([line for line in text.splitlines() if line and line[0] != "#"],
                         ["[Unit]", "StartLimitIntervalSec=0",
                          "Before=libvirtd.service virtqemud.service virtlxcd.service virtxend.service "
                          "libvirt-guests.service",
                          "[Service]", "ExecStop=", f"ExecStop=/{STOP_O2CB}", "TimeoutStopSec=5min"])

    def test_runs_the_units_own_stop(self):
        self.assertEqual(self.stop("ExecStart=/stubs/other", "ExecStop=/stubs/o2cb.init disable",
                                   "ExecStopPost=/stubs/other"),
                         [LEAVES, "o2cb.init disable"])

    def test_while_the_host_holds_locks_it_fails_and_starts_the_unit_again(self):
        self.fails(LEAVES)
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, STARTS_O2CB])

    def test_makes_dlmfs_read_only_and_unmounts_it(self):
        self.mount_dlmfs()
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, "mount -o remount,ro /dlm", "umount /dlm", "o2cb.init disable", WRITABLE])

    def test_if_a_vm_has_started_meanwhile_it_fails_and_makes_dlmfs_writable(self):
        self.mount_dlmfs("lock")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "mount -o remount,ro /dlm", WRITABLE, STARTS_O2CB, WRITABLE])
        self.assertIn("this host holds the lock /dlm/vms/lock", self.printed)

    def test_if_dlmfs_stays_mounted_it_fails_and_makes_it_writable(self):
        self.mount_dlmfs()
        self.always_fails("umount")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "mount -o remount,ro /dlm", WRITABLE, STARTS_O2CB, WRITABLE])

    def test_if_the_units_own_stop_fails_it_fails_and_starts_the_unit_again(self):
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", "ExecStop=/stubs/other",
                                   status=1),
                         [LEAVES, "o2cb.init disable", STARTS_O2CB])

    def test_at_a_shutdown_it_unlocks_what_has_ended(self):
        self.shut_down()
        self.fails(LEAVES)  # a container's lock stays
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, RELEASES_ENDED, LEAVES, "o2cb.init disable"])

    def test_at_a_shutdown_without_a_record_nothing_is_waited_for(self):
        self.shut_down()
        self.fails(LEAVES)
        self.fails(RELEASES_ENDED)
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, RELEASES_ENDED, "o2cb.init disable"])

    def test_at_a_shutdown_a_failed_stop_starts_nothing(self):
        self.shut_down()
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "o2cb.init disable"])

    def test_at_a_shutdown_a_vm_is_ended_and_else_the_host_reset_after_a_minute(self):
        """A shell that ignores SIGTERM stands for QEMU. A minute passes between two calls of release-ended."""
        self.shut_down()
        with subprocess.Popen(["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]) as qemu:
            try:
                (self.root / "usr/sbin/start-guard").write_text(f"""#!/bin/sh
echo "start-guard $1" >>/called
[ "$1" = release-ended ] || exit 1
[ ! -e /second ] || [ -e /third ] || {{ touch /third; echo 165.2 1 >/proc/uptime; }}
[ ! -e /second ] || [ ! -s /proc/sysrq-trigger ] || exit 0
touch /second
printf '%s\\n' "{qemu.pid} web: its QEMU is alive" '- db\\n0: hangs'
exit 75
""")
                calls = self.stop("ExecStop=/stubs/o2cb.init disable")
                self.assertEqual(qemu.wait(10), -9)  # by the second signal
            finally:
                qemu.kill()
        self.assertEqual(calls.count(RELEASES_ENDED), 3)
        self.assertEqual((self.root / "proc/sysrq-trigger").read_text(), "b\n")
        self.assertRegex(self.printed, r"<2>this host is reset: .*web: its QEMU is alive;- db\\n0: hangs")

    def test_a_command_that_may_fail_does_not_end_the_stop(self):
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop = -/stubs/o2cb.init disable", "ExecStop=/stubs/other"),
                         [LEAVES, "o2cb.init disable", "other "])

    def test_a_script_in_init_d_does_not_call_systemctl(self):
        self.assertEqual(
            self.stop("ExecStop=/bin/sh -c 'echo $SYSTEMCTL_SKIP_REDIRECT >>/called'"), [LEAVES, "1"])

    def test_fails_if_the_units_file_cannot_be_read(self):
        self.always_fails("systemctl")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1), [])


if __name__ == "__main__":
    unittest.main()
