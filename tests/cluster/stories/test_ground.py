"""A host that cannot acquire cluster locks, or cannot record them, starts no VM and says why."""

from stories.guarded import STATE, GuardedVm

from lab import in_parallel


class MissingPrerequisites(GuardedVm):
    def denied_until_mended(self, mend, *words):
        self.denied(self.start(self.node1), *words)
        self.assertEqual(self.node1.sh(f"ls {STATE}/{self.uuid} 2>/dev/null || :"), "")
        self.node1.sh(mend, timeout=120)
        granted = self.by_hand(self.node1, "prepare begin")
        self.assertEqual(granted.status, 0, granted)
        self.assert_holds(self.node1)

    def test_dlm_is_missing(self):
        self.node1.sh("umount /dlm && mv /dlm /not-dlm")
        self.denied_until_mended("mv /not-dlm /dlm && mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm",
                                 "opening /dlm: No such file or directory")

    def test_dlm_is_a_plain_directory(self):
        self.node1.sh("umount /dlm")
        self.denied_until_mended("mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm", "/dlm is not dlmfs",
                                 "mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm")
        self.assertEqual(self.node1.sh("stat -f -c %t /dlm").strip(), "76a9f425")

    def test_dlm_is_mounted_twice(self):
        self.node1.sh("mkdir -p /mnt/second && mount -t ocfs2_dlmfs ocfs2_dlmfs /mnt/second")
        self.denied_until_mended("umount /mnt/second", "mounted 2 times", "umount all but one")

    def test_a_bind_mount_of_dlm_is_no_second_mount(self):
        self.node1.sh("mkdir -p /mnt/second && mount --bind /dlm /mnt/second")
        try:
            self.starts(self.node1)
        finally:
            self.node1.sh("umount /mnt/second")

    def test_the_heartbeat_does_not_run(self):
        self.node1.sh("/lab/cluster leave", timeout=120)
        self.node1.sh("mountpoint -q /dlm || mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm")
        self.denied_until_mended("/lab/cluster join", "o2cb")

    def test_the_heartbeat_is_local(self):
        for command in ("leave", "join local"):
            in_parallel(lambda host: host.sh(f"/lab/cluster {command}", timeout=120),
                        self.lab.hosts())
        self.denied(self.start(self.node1), "is local, not global", "o2cb heartbeat-mode")
        self.configure(self.node1, "guard.require_global_heartbeat = false\n")
        self.starts(self.node1)

    def test_a_vm_starts_unguarded_without_the_cluster_only_if_so_configured(self):
        self.configure(self.node1, 'guard.on_cluster_down = "allow"\n')
        self.node1.sh("umount /dlm")
        mark = self.node1.mark()
        self.starts(self.node1)
        self.assertTrue(self.log_has(self.node1, mark, "daemon.crit", "event=unguarded"))
        self.node1.sh("virsh destroy web && mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm")
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")


class UnwritableStateDirectory(GuardedVm):
    def test_a_full_state_directory_denies_the_start_and_leaves_no_lock(self):
        self.node1.sh(f"mkdir -p {STATE} && mount -t tmpfs -o size=64k none {STATE} && "
                      f"cat /dev/zero >{STATE}/filler; :")
        try:
            self.denied(self.start(self.node1), "record can't be written", "No space left",
                        "make room")
            self.assertEqual(self.node1.holds(), [])
            self.node1.sh(f"rm {STATE}/filler")
            self.starts(self.node1)
            self.node1.sh(f"cat /dev/zero >{STATE}/filler; virsh destroy web")
            self.assertEqual(self.node1.holds(), [])
        finally:
            self.node1.run(f"virsh destroy web; umount {STATE}")

    def test_a_read_only_state_directory_denies_a_start_but_allows_a_stop(self):
        self.node1.sh(f"mkdir -p {STATE} && mount -t tmpfs -o size=1m none {STATE}")
        try:
            self.node1.sh(f"mount -o remount,ro {STATE}")
            self.denied(self.start(self.node1), "Read-only file system")
            self.assertEqual(self.node1.holds(), [])
            self.node1.sh(f"mount -o remount,rw {STATE}")
            self.starts(self.node1)
            self.node1.sh(f"mount -o remount,ro {STATE}")
            self.node1.sh("virsh destroy web")
        finally:
            self.node1.run(f"virsh destroy web; umount {STATE}")


class Configuration(GuardedVm):
    def test_a_mistake_in_the_configuration_denies_the_start_and_names_its_line(self):
        for text, words in {
            "[guard]\nacquire_timout = '10s'\n": ("start-guard.toml:2:1", "acquire_timout"),
            "[guard]\nrequire_global_heartbeat = 'no'\n": ("start-guard.toml:2:", "expected true or false"),
            "[guard\n": ("start-guard.toml:1:",),
        }.items():
            with self.subTest(text=text):
                self.configure(self.node1, text)
                self.denied(self.start(self.node1), *words)

    def test_a_configuration_writable_by_others_denies_the_start(self):
        self.configure(self.node1, "")
        self.node1.sh("chmod 666 /etc/libvirt/start-guard.toml")
        self.denied(self.start(self.node1), "chmod", "start-guard.toml")

    def test_a_mistake_in_the_configuration_allows_a_stop(self):
        self.starts(self.node1)
        self.configure(self.node1, "nonsense\n")
        self.node1.restart_libvirtd()
        self.assertTrue(self.runs_on(self.node1))
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)

    def test_a_vm_exempt_by_its_uuid_acquires_no_lock(self):
        self.configure(self.node1, f"guard.exempt = ['{self.uuid}']\n")
        self.starts(self.node1)
        self.assertEqual(self.node1.holds(), [])
