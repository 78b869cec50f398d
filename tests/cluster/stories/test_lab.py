"""Tests the lab itself, without the guard: locks between hosts, power, cable, commands, reset."""

import time

from hook_calls import HookCalls
from host import HostTimeout
from lab import in_parallel
from story import Story

UUID = "d0c3b7a4-1111-4222-8333-4444555566ff"

# Prints the result of an EX trylock: "granted", or the name of the error.
TRYLOCK = """/usr/bin/python3 -I -c '
import errno, os, sys
try:
    os.close(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_NONBLOCK))
    print("granted")
except OSError as error:
    print(errno.errorcode[error.errno])
' """


def trylock(host, path, timeout=60):
    return host.sh(TRYLOCK + path, timeout).strip()


class TheLab(Story):
    hook = None

    def join_domain(self):
        in_parallel(lambda host: host.sh("mkdir /dlm/lab"), self.lab.hosts())

    def test_a_lock_held_by_one_host_is_denied_to_the_other_until_it_is_unlocked(self):
        self.join_domain()
        self.assertEqual(trylock(self.node1, "/dlm/lab/a"), "granted")
        self.assertEqual(trylock(self.node2, "/dlm/lab/a"), "ETXTBSY")
        self.assertEqual(self.node1.holds("lab"), ["a"])
        self.node1.sh("rm /dlm/lab/a")
        self.assertEqual(trylock(self.node2, "/dlm/lab/a"), "granted")

    def test_how_long_the_hook_takes_is_measured(self):
        calls = HookCalls(self.lab)
        self.node1.sh("cat >/run/hook && chmod +x /run/hook && mkdir -p /etc/libvirt/hooks/qemu.d && "
                      "cp /run/hook /etc/libvirt/hooks/qemu && "
                      "mv /run/hook /etc/libvirt/hooks/qemu.d/00-start-guard && "
                      "for hook in qemu qemu.d/00-start-guard; do /etc/libvirt/hooks/$hook; done",
                      input="#!/bin/sh\nsleep 0.5\n")
        self.eventually(lambda: len(calls.seconds()) == 2, within=10)
        for host, seconds in calls.seconds():
            self.assertEqual(host, "node1")
            self.assertGreaterEqual(seconds, 0.5)

    def test_a_crashed_host_loses_its_locks_and_keeps_its_vms_and_hook(self):
        hook = self.lab.folder / "hook-that-logs"
        hook.write_text('#!/bin/sh\nlogger -t lab-hook "$2 $1"\n')
        self.node2.install_hook(hook)
        self.lab.define_vm("vm", UUID, hosts=[self.node2])
        self.assert_hook_is_called()
        self.join_domain()
        self.assertEqual(trylock(self.node2, "/dlm/lab/a"), "granted")

        self.node2.crash()
        began = time.monotonic()
        self.eventually(lambda: trylock(self.node1, "/dlm/lab/a") == "granted", within=60)
        taken = time.monotonic() - began
        print(f"(taken over after {taken:.0f} s)", end=" ", flush=True)
        self.assertGreater(taken, 5, "granted before the dead host can have been evicted")

        self.node2.boot()
        self.node2.sh("mkdir /dlm/lab")
        self.assertEqual(trylock(self.node2, "/dlm/lab/a"), "ETXTBSY")
        self.assertEqual(self.node2.sh("virsh list --all --name").split(), ["vm"])
        self.assert_hook_is_called()

    def assert_hook_is_called(self):
        mark = self.node2.mark()
        self.node2.sh("virsh start vm && virsh destroy vm")
        self.node2.await_log()
        called = [line.split()[-2] for line in self.node2.log_since(mark).splitlines()
                  if "lab-hook" in line]
        self.assertEqual(called, ["prepare", "start", "started", "stopped", "release"])

    def test_a_host_without_its_cable_resets_itself_and_loses_its_lock(self):
        self.join_domain()
        self.assertEqual(trylock(self.node2, "/dlm/lab/a"), "granted")
        self.node2.cut_cable()
        self.eventually(lambda: not self.node2.is_up(), within=90)
        self.assertTrue(self.node1.is_up())
        self.eventually(lambda: trylock(self.node1, "/dlm/lab/a") == "granted", within=60)

    def test_a_command_that_hangs_is_killed_and_the_next_one_runs(self):
        with self.assertRaises(HostTimeout):
            self.node1.run("sleep 4711", timeout=1)
        self.eventually(lambda: self.node1.run("pgrep -f 'sleep 471[1]'").status, within=10)

    def test_a_command_asleep_in_the_kernel_does_not_delay_others(self):
        self.join_domain()
        pin = self.node1.start(TRYLOCK.replace("os.close(", "(").replace(
            'print("granted")', 'print("granted", flush=True); import time; time.sleep(600)')
            + "/dlm/lab/a")
        self.eventually(lambda: self.node1.holds("lab") == ["a"], within=10)
        time.sleep(1)
        with self.assertRaises(HostTimeout):
            self.node2.run("cat /dlm/lab/a 2>&1 || exec 3<>/dlm/lab/a", timeout=3)
        self.assertEqual(self.node2.sh("echo here"), "here\n")
        pin.kill()

    def test_input_and_output_bytes_are_not_changed(self):
        sent = bytes(range(256)) * 4096
        result = self.node1.run("cat; cat /proc/self/environ >&2", input=sent, env={"A": "b c"})
        self.assertEqual(result.out_bytes, sent)
        self.assertIn(b"A=b c\0", result.err_bytes)

    def test_reset_removes_what_a_story_left(self):
        self.lab.define_vm("vm", UUID)
        self.node1.sh("virsh start vm && mkdir /dlm/lab /run/start-guard && : >/dlm/lab/a && "
                      "touch /etc/libvirt/start-guard.toml && umount /dlm || :")
        self.node2.sh("/lab/cluster leave && /lab/cluster join local", timeout=120)
        self.lab.reset()
        for host in self.lab.hosts():
            with self.subTest(host=host.name):
                self.assertEqual(host.sh("virsh list --all --name").split(), [])
                self.assertEqual(host.sh("ls /dlm/").split(), [])
                self.assertEqual(
                    host.sh("cat /sys/kernel/config/cluster/lab/heartbeat/mode"), "global\n")
                host.sh("! ls /run/start-guard /etc/libvirt/start-guard.toml 2>/dev/null")
