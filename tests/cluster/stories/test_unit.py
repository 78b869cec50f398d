"""The service under systemd, with its real unit and all protections of the unit active."""

from stories.guarded import STATE, KeptVm

from lab import REPOSITORY

UNIT = REPOSITORY / "install/start-guard.service"

# The lab's hosts boot without systemd. Here systemd runs on one of them as the first process of a PID
# namespace. It assumes a container. The drop-in removes the dependency on sysinit.target, because
# there is no boot. Logs go to the journal in the namespace.
SYSTEMD = r"""
set -e
cd /run/lab    # a host of the lab, and nothing else
units=/etc/systemd/system
printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service systemd-journald.socket %s\n' \
    systemd-journald-dev-log.socket >$units/story.target
mkdir $units/start-guard.service.d
printf '[Unit]\nDefaultDependencies=no\n' >$units/start-guard.service.d/story.conf
ln -s /dev/null $units/systemd-journald-audit.socket
ln -s /dev/null $units/syslog.socket
mkdir -p /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount --make-rshared /
setsid unshare --pid --fork --mount --propagation shared --mount-proc \
    env -i container=lab "PATH=$PATH" /lib/systemd/systemd --system --unit=story.target \
    </dev/null >systemd.log 2>&1 &
for try in $(seq 60); do
    sleep 0.5
    pid=$(pgrep -x systemd) || continue
    ! nsenter -t "$pid" -m -p systemctl is-active -q story.target || exit 0
done
cat systemd.log >&2
exit 1
"""


class Unit(KeptVm):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.node2.crash)  # undoes all changes made here
        self.node2.stop_keeper()
        self.node2.sh("/lab/libvirt stop")
        self.node2.put(self.keeper, "/usr/sbin/start-guard")
        self.node2.put(UNIT, "/etc/systemd/system/start-guard.service", mode=0o644)
        self.node2.sh(SYSTEMD, timeout=120)

    def inside(self, command):
        return self.node2.run("exec nsenter -t $(pgrep -x systemd) -m -p sh -s", input=command)

    def inside_sh(self, command):
        result = self.inside(command)
        self.assertEqual(result.status, 0, result)
        return result.out

    def assert_kept(self):
        self.assertEqual(self.node2.level(self.lock), "EX")
        opened = self.inside_sh("readlink /proc/$(systemctl show -P MainPID start-guard)/fd/*")
        self.assertEqual(opened.count(self.lock), 2, opened)
        for command in ("umount /dlm", f"rm /dlm/vms/{self.lock}"):
            result = self.inside(command)
            self.assertNotEqual(result.status, 0, result)
            self.assertIn("busy", result.err)

    def journal_has(self, *words):
        journal = self.inside_sh("journalctl -q -t start-guard")
        return any(all(word in line for word in words) for line in journal.splitlines())

    def test_what_the_unit_allows_is_enough(self):
        # dlmfs and debugfs are mounted after the service has started.
        self.inside_sh("umount /dlm && umount /sys/kernel/debug && systemctl start start-guard && "
                       "mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm && "
                       "mount -t debugfs debugfs /sys/kernel/debug && /lab/libvirt start")
        self.eventually(lambda: self.journal_has("event=libvirt-back"), within=20)
        self.starts(self.node2)
        self.assert_kept()

        self.migrates(self.node2, self.node1)
        self.assertEqual(self.node2.holds(), [])
        self.eventually(lambda: self.node1.level(self.lock) == "EX", within=self.SOON)
        self.migrates(self.node1, self.node2)
        self.eventually(lambda: self.journal_has("event=exclusive"), within=self.SOON)
        self.assert_kept()

        # After each kind of restart the records are still there, and the locks are open again.
        for restart in ("systemctl restart start-guard",
                        "systemctl stop start-guard; systemctl start start-guard",
                        "systemctl kill -s KILL start-guard; sleep 5"):
            with self.subTest(restart):
                self.inside_sh(restart)
                self.eventually(lambda: "keeping 1 lock" in
                                self.inside("systemctl status start-guard").out, within=10)
                self.assert_kept()
        self.inside_sh("systemctl stop start-guard")
        self.assertIn(self.uuid, self.node2.sh(f"ls {STATE}"))
        self.assertTrue(self.runs_on(self.node2))

    def test_it_finds_vms_without_a_lock_and_queued_requests(self):
        self.inside_sh("systemctl start start-guard && /lab/libvirt start")
        self.starts(self.node2)
        self.inside_sh("systemctl stop start-guard")
        self.forget_lock(self.node2)
        self.inside_sh("systemctl start start-guard")
        self.eventually(lambda: self.journal_has("event=adopted"), within=self.SOON)
        self.assert_kept()
        waiting = self.node1.start(f"mkdir -p /dlm/vms && : >/dlm/vms/{self.lock}")
        self.eventually(lambda: self.journal_has("event=request-queued", "by=node1"), within=self.SOON)
        self.node2.sh("virsh destroy web")
        waiting.wait(20)
