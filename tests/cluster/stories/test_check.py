"""`start-guard check` on real hosts: on sound hosts, and with each condition that makes a check fail.
Bind mounts simulate conditions that the lab cannot create, such as another cluster stack."""

import json
import time

from stories.guarded import LATE, STATE, KeptVm

import vm
from lab import in_parallel

HOOK = "/etc/libvirt/hooks/qemu"
HOOK_FOLDER = "/etc/libvirt/hooks/qemu.d"
CHECKS = ["configuration", "kernel", "module", "stack", "node", "heartbeat", "peers", "fencing",
          "timeouts", "hook", "order", "hook-loaded", "state", "mount", "domains", "service",
          "processes", "vms", "left-over", "disks", "clocks"]
UMOUNT = "until umount /dlm; do :; done"  # the keeper may be looking at it
OTHER_UUID = "7b1f0c52-9a64-4d0e-8a55-0242ac120002"
STATUS = {"ok": 0, "warn": 1, "fail": 2}


class CheckedVm(KeptVm):
    def setUp(self):
        super().setUp()
        in_parallel(self.make_sound, self.lab.hosts())

    def make_sound(self, host):
        # The clock of a host that an earlier story has frozen is slow by the time of the freeze.
        host.sh("start-guard join; /lab/set_clock")

    def check(self, host, before=""):
        """Runs `check --json` and returns its findings by the names of the checks. Asserts that the
        exit status matches the findings."""
        result = host.run(f"{before} start-guard check --json", timeout=30)
        said = json.loads(result.out)
        self.assertEqual((said["host"], result.status), (host.name, STATUS[said["status"]]), result)
        found = {each["check"]: each for each in said["checks"]}
        self.assertEqual(list(found), CHECKS)
        for each in said["checks"]:
            self.assertEqual(each["remedy"] is None, each["state"] == "ok", each)
        return found

    def check_in_time(self, host, names, before=""):
        """Returns the findings. On a machine with other load, these checks may reach their limits of one or
        two seconds: then asks again, for at most 30 s."""
        until = time.monotonic() + 30
        while True:
            found = self.check(host, before)
            late = any(LATE.search(found[name]["found"]) for name in names)
            if not late or time.monotonic() > until:
                return found

    def finds(self, host, name, state, *words, before=""):
        """Asserts the state and the words of one check."""
        found = self.check_in_time(host, [name], before)
        self.assertEqual(found[name]["state"], state, found[name])
        for word in words:
            self.assertIn(word, f"{found[name]['found']} {found[name]['remedy']}")

    def odd(self, found):
        return {name: each["state"] for name, each in found.items() if each["state"] != "ok"}

    def assert_odd(self, host, expected):
        """Asserts the state of each check that is not ok."""
        found = self.check_in_time(host, CHECKS)
        self.assertEqual(self.odd(found), expected, found)

    def assert_sound(self, host):
        """Waits until all checks are ok. Returns the findings."""
        until = time.monotonic() + 30
        while self.odd(found := self.check(host)) and time.monotonic() < until:
            pass
        self.assertEqual(self.odd(found), {}, found)
        return found


class Sound(CheckedVm):
    def test_a_sound_host_passes_every_check(self):
        self.starts(self.node1)
        found = self.assert_sound(self.node1)
        self.assertIn("1 runs here", found["vms"]["found"])
        self.assertIn("dead after 12 s", found["timeouts"]["found"])
        self.assertIn("down: node3", found["peers"]["found"])
        found = self.assert_sound(self.node2)
        self.assertEqual(found["clocks"]["found"], "within 5 s: node1")
        # The output for people: one line for each check, and no colours without a terminal.
        result = self.run_check(self.node1)
        self.assertEqual([line.split()[:2] for line in result.out.splitlines()],
                         [["ok", name] for name in CHECKS])
        self.assertEqual((result.status, result.err), (0, ""))
        build = self.node1.sh("start-guard --version").rpartition("build ")[2].strip(")\n")
        self.assertIn(f"build {build}", found["hook"]["found"])
        result = self.node1.run("setpriv --reuid 65534 --clear-groups start-guard check")
        self.assertEqual(result.status, 3, result)
        # Names exempt VMs.
        self.node1.sh("virsh destroy web")
        self.configure(self.node1, "guard.exempt = ['w*']\n")
        self.starts(self.node1)
        self.finds(self.node1, "vms", "ok", "exempt, without a lock: web")


class Hook(CheckedVm):
    def test_a_hook_that_does_not_guard_or_does_not_run_first_is_reported(self):
        self.node1.sh(f"mkdir {HOOK_FOLDER}; cp {HOOK} /run/lab/hook")
        for spoil, state, *words in (
                (f"rm {HOOK}", "fail", "there is none", "start-guard install-hook"),
                (f"printf '#!/bin/sh\\n' >{HOOK}; chmod 755 {HOOK}", "fail", "is not start-guard's"),
                (f"cp /run/lab/hook {HOOK}; chmod 644 {HOOK}", "fail", "can't be executed"),
                (f"chmod 775 {HOOK}", "fail", f"chmod go-w {HOOK}"),
                (f"chmod 755 {HOOK}; chown 65534 {HOOK}", "fail", "belongs to uid 65534"),
                (f"ln -sf /run/lab/hook {HOOK}", "fail", "symlink"),
                (f"rm {HOOK}; LC_ALL=C sed 's/start-guard-build:[0-9a-f]*/start-guard-build:"
                 f"0123456789ab/' /run/lab/hook >{HOOK}; chmod 755 {HOOK}", "warn", "0123456789ab")):
            with self.subTest(spoil):
                self.node1.sh(spoil)
                self.finds(self.node1, "hook", state, *words)
        self.node1.sh(f"rm {HOOK}; cp /run/lab/hook {HOOK_FOLDER}/50-start-guard")
        self.finds(self.node1, "order", "ok")
        for before in (f"{HOOK_FOLDER}/.first", f"{HOOK_FOLDER}/10-log~", HOOK):
            with self.subTest(before):
                self.node1.sh(f"printf '#!/bin/sh\\n' >{before}; chmod 755 {before}")
                self.finds(self.node1, "order", "warn", before)
                self.finds(self.node1, "hook", "ok")
                self.node1.sh(f"rm {before}")

    def test_a_daemon_that_has_not_loaded_the_hook_is_reported(self):
        # Starts a new daemon while there is no hook, then installs the hook.
        self.node1.sh(f"mv {HOOK} /run/lab/hook; mv /share/node1/disk/hooks/qemu /run/lab/kept; "
                      f"/lab/libvirt restart; cp /run/lab/hook {HOOK}.new; mv {HOOK}.new {HOOK}")
        self.finds(self.node1, "hook-loaded", "fail", "before the hook", "install-hook")
        self.assertEqual(self.by_hand(self.node1, "prepare begin", "release end").status, 0)
        self.finds(self.node1, "hook-loaded", "fail")  # libvirt did not make those calls
        # The VM really starts unguarded.
        self.node1.kill_keeper()
        self.starts(self.node1)
        self.assertEqual(self.node1.holds(), [])
        self.finds(self.node1, "vms", "fail", "without a lock", "web")
        self.finds(self.node1, "hook-loaded", "fail")
        # A reload makes the daemon load the hook; the next call of the hook proves it.
        self.node1.sh("kill -HUP $(cat /run/libvirtd.pid); sleep 1; virsh destroy web")
        self.finds(self.node1, "hook-loaded", "ok", "has run the hook")
        self.node1.sh("mv /run/lab/kept /share/node1/disk/hooks/qemu; /lab/libvirt restart")
        self.finds(self.node1, "hook-loaded", "ok", "started after")


class Prerequisites(CheckedVm):
    def test_a_missing_or_duplicate_mount_is_reported(self):
        dlm = "mount -t ocfs2_dlmfs ocfs2_dlmfs"
        self.node1.sh("rmdir /dlm/vms /dlm/vms-bell")
        for spoil, mend, words in (
                (UMOUNT, f"{dlm} /dlm", ("/dlm is not dlmfs", f"{dlm} /dlm")),
                (f"{UMOUNT}; mv /dlm /not-dlm", f"mv /not-dlm /dlm; {dlm} /dlm",
                 ("No such file", "mkdir /dlm && mount")),
                (f"mkdir -p /mnt/second; {dlm} /mnt/second", "umount /mnt/second",
                 ("mounted 2 times", "umount all but /dlm"))):
            with self.subTest(spoil):
                self.node1.sh(spoil)
                self.finds(self.node1, "mount", "fail", *words)
                self.node1.sh(mend)
        self.finds(self.node1, "domains", "warn", "vms and vms-bell", "start-guard join")
        self.assert_odd(self.node1, {"domains": "warn"})
        self.node1.sh("start-guard join")
        self.assert_sound(self.node1)

    def test_an_unsuitable_kernel_or_configuration_is_reported(self):
        self.finds(self.node1, "kernel", "fail", "5.19", before="setarch --uname-2.6")
        cluster = "/sys/kernel/config/cluster/lab"
        for name, file, text, state, *words in (
                ("module", "/proc/filesystems", "nodev\tsysfs", "fail", "modprobe ocfs2_dlmfs"),
                ("stack", "/sys/fs/ocfs2/cluster_stack", "pcmk", "fail", "pcmk, not o2cb")):
            self.node1.sh(f"printf '{text}\\n' >/run/lab/told; mount --bind /run/lab/told {file}")
            try:
                self.finds(self.node1, name, state, *words)
            finally:
                self.node1.sh(f"umount {file}")
        before = self.node1.sh("sysctl -n kernel.panic").strip()
        try:
            self.node1.sh(f"echo panic >{cluster}/fence_method; sysctl -w kernel.panic=0")
            self.finds(self.node1, "fencing", "warn", "sysctl -w kernel.panic=30")
        finally:
            self.node1.sh(f"sysctl -w kernel.panic={before}; echo reset >{cluster}/fence_method")
        self.configure(self.node1, "[guard]\nacquire_timout = '10s'\n")
        self.finds(self.node1, "configuration", "fail", "start-guard.toml:2:1")
        self.assert_odd(self.node1, {"configuration": "fail"})
        self.configure(self.node1, "")
        self.node1.kill_keeper()
        self.node1.sh(f"mount -t tmpfs -o size=64k none {STATE}")
        try:
            self.node1.run(f"cat /dev/zero >{STATE}/filler")
            self.finds(self.node1, "state", "fail", "no room left")
            self.node1.sh(f"rm {STATE}/filler; mount -o remount,ro {STATE}")
            self.finds(self.node1, "state", "fail", "Read-only file system")
        finally:
            self.node1.sh(f"umount {STATE}")

    def test_an_unsuitable_heartbeat_is_reported(self):
        in_parallel(lambda host: host.stop_keeper(), self.lab.hosts())  # it may be looking at /dlm
        region = "/sys/kernel/config/cluster/lab/heartbeat/57A27604ABD157A27604ABD157A27604"
        self.node2.sh("rmdir /dlm/vms /dlm/vms-bell; /lab/cluster leave", timeout=60)
        self.finds(self.node2, "node", "fail", "no cluster is configured")
        self.node1.sh(f"rmdir /dlm/vms /dlm/vms-bell; rmdir {region}", timeout=60)
        self.finds(self.node1, "heartbeat", "fail", "does not run", "o2cb start-heartbeat lab")
        self.node1.sh("/lab/cluster leave; /lab/cluster join local", timeout=120)
        self.finds(self.node1, "heartbeat", "fail", "local", "o2cb heartbeat-mode lab global")
        self.configure(self.node1, "guard.require_global_heartbeat = false\n")
        self.finds(self.node1, "heartbeat", "warn", "local")

    def test_a_disconnected_host_is_reported_before_it_resets_itself(self):
        self.node2.cut_cable()
        try:
            self.eventually(lambda: self.check(self.node1)["peers"]["state"] == "fail", within=15)
            self.finds(self.node1, "peers", "fail", "node2", "10.77.0.2:7777")
        finally:
            self.node2.mend_cable()


class Locks(CheckedVm):
    def test_anomalies_of_locks_are_reported(self):
        self.starts(self.node1)
        self.node1.kill_keeper()
        self.finds(self.node1, "service", "fail", "systemctl enable --now start-guard")
        self.assert_odd(self.node1, {"service": "fail", "vms": "warn"})
        # The keeper waits while another process holds the VM's flock.
        busy = self.node1.start(f"flock {STATE}/{self.uuid}.flock sleep 100")
        self.node1.sh(f"rm {STATE}/{self.uuid}; sleep 0.5; /lab/keeper start")
        self.finds(self.node1, "vms", "warn", "not kept open", "web", "start-guard reconcile")
        busy.kill()
        self.eventually(lambda: self.odd(self.check(self.node1)) == {}, within=self.SOON)
        self.node1.kill_keeper()
        self.forget_lock(self.node1)
        self.finds(self.node1, "vms", "fail", "without a lock", "start-guard reconcile")
        self.node1.sh("virsh destroy web")
        self.assertEqual(self.by_hand(self.node1, "prepare begin").status, 0)
        self.finds(self.node1, "left-over", "warn", "web", "start-guard reconcile")
        self.assert_odd(self.node1, {"service": "fail", "left-over": "warn"})
        self.node1.start_keeper()
        self.eventually(lambda: self.odd(self.check(self.node1)) == {}, within=self.SOON)

    def test_two_vms_that_write_to_one_disk_are_reported(self):
        """QEMU itself locks the path of a disk, so it does not notice that two paths lead to one disk."""
        self.node1.sh("mknod /dev/spare b $(lsblk -dno MAJ:MIN /dev/vdb | tr : ' ')")
        self.addCleanup(self.node1.run, "rm /dev/spare")
        disk = ("<disk type='block'><driver name='qemu' type='raw'/><source dev='{}'/>"
                "<target dev='vda' bus='virtio'/></disk><memballoon")
        for name, uuid, path in (("web", self.uuid, "/dev/vdb"), ("clone", OTHER_UUID, "/dev/spare")):
            self.lab.define_vm(name, uuid, [self.node1],
                               vm.XML.replace("<memballoon", disk.format(path)))
            self.node1.sh(f"virsh -q start {name}")
        self.finds(self.node1, "disks", "warn", "web", "clone", "/dev/vdb", "/dev/spare",
                   "<shareable/>")
        self.assert_odd(self.node1, {"disks": "warn"})
        self.node1.sh("virsh -q destroy clone")
        self.assert_sound(self.node1)

    def set_clock(self, host, seconds):
        """Sets the clock forward, in one process: two commands may be seconds apart."""
        host.sh("/usr/bin/python3 -I -c 'import time; "
                f"time.clock_settime(time.CLOCK_REALTIME, time.time() + {seconds})'")

    def test_another_host_with_a_wrong_clock_or_that_hangs_is_reported_in_time(self):
        self.starts(self.node2)
        self.set_clock(self.node2, +3600)
        try:
            self.finds(self.node1, "clocks", "warn", "node2 by", "ahead", "timedatectl")
        finally:
            self.set_clock(self.node2, -3600)
        self.finds(self.node1, "clocks", "ok", "within 5 s: node2")
        self.node2.freeze()
        try:
            result = self.node1.run("start-guard check", timeout=30)
        finally:
            self.node2.thaw()
        self.assertLess(result.seconds, 5 + 1, result)  # the emulator needs one second
        self.assertIn("warn  clocks", result.out)
        self.assertEqual(sum(line[0] != " " for line in result.out.splitlines()), len(CHECKS))
