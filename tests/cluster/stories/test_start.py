"""A VM starts on one host only. Its lock is acquired at the start and unlocked at the end."""

import shlex

from stories.guarded import STATE, GuardedVm

from lab import in_parallel


class Starting(GuardedVm):
    def test_a_vm_that_runs_here_is_denied_there_with_the_name_of_this_host(self):
        self.starts(self.node1)
        self.assert_holds(self.node1)

        mark = self.node2.mark()
        self.denied(self.start(self.node2), self.uuid, "host node1 holds its lock since 20",
                    "virsh -c qemu+ssh://node1/system shutdown web")

        self.assert_clean(self.node2)
        self.assertTrue(self.log_has(self.node2, mark, "event=denied", "vm=web", self.uuid, "node1"))
        # libvirt has called `stopped` and `release` on node2: they unlocked nothing.
        self.assert_holds(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.assert_runs_only_on(self.node1)

    def test_unlocks_when_the_vm_shuts_down(self):
        self.starts(self.node1)
        self.node1.sh("until virsh domstate web | grep -q shut; do virsh shutdown web; sleep 1; done")
        self.eventually(lambda: self.left_on(self.node1) == [], within=20)
        self.assert_free_for(self.node2)

    def test_unlocks_when_the_vm_is_destroyed(self):
        self.starts(self.node1)
        mark = self.node1.mark()
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)
        # libvirt passes the reason since version 10.5.
        version = self.node1.sh("virsh version --daemon | sed -n 's/^Running against daemon: //p'")
        passes = tuple(map(int, version.split("."))) >= (10, 5)
        self.assertTrue(self.log_has(self.node1, mark, "event=unlocked"))
        self.assertEqual(self.log_has(self.node1, mark, "event=unlocked", "reason=destroyed"), passes)
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")

    def test_unlocks_when_qemu_is_killed(self):
        self.starts(self.node1)
        self.node1.sh("pkill -9 qemu-system")
        self.eventually(lambda: self.left_on(self.node1) == [], within=20)
        self.assert_free_for(self.node2)

    def test_unlocks_when_qemu_does_not_start(self):
        self.node1.sh("virsh dumpxml web | sed s,/share/vm-idle,/share/none, | "
                      "virsh define /dev/stdin")
        result = self.start(self.node1)
        self.assertIn("/share/none", result.err)
        self.assert_clean(self.node1)
        self.assert_free_for(self.node2)

    def test_a_vm_saved_on_one_host_is_restored_on_the_other(self):
        self.starts(self.node1)
        self.node1.sh("virsh save web /share/web.saved")
        self.assert_clean(self.node1)
        self.node2.sh("virsh restore /share/web.saved && rm /share/web.saved")
        self.assert_holds(self.node2)
        self.denied(self.start(self.node1), "node2")

    def test_a_start_from_a_managed_save_is_guarded(self):
        self.starts(self.node1)
        self.node1.sh("virsh managedsave web")
        self.assert_clean(self.node1)
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")
        self.node2.sh("virsh destroy web")
        self.starts(self.node1)
        self.assert_holds(self.node1)

    def test_when_two_hosts_race_for_a_vm_exactly_one_starts_it(self):
        winners = []
        for race in range(15):
            results = in_parallel(self.start, [self.node1, self.node2])
            won = [host for host, result in zip(self.lab.hosts(), results) if result.status == 0]
            self.assertEqual(len(won), 1, (race, *map(str, results)))
            loser = next(result for result in results if result.status)
            self.denied(loser, f"host {won[0].name} holds its lock")
            self.assert_runs_only_on(won[0])
            won[0].sh("virsh destroy web")
            winners.append(won[0].name)
        print(f"(of {len(winners)} races won by node1: {winners.count('node1')}, node2: {winners.count('node2')})",
              end=" ", flush=True)
        for host in self.lab.hosts():
            self.assert_clean(host)

    def test_vms_of_different_names_do_not_wait_for_each_other(self):
        self.lab.define_vm("db", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", [self.node1])
        self.starts(self.node2)
        # Another process holds the flock of `web` on node1, as a hook does that waits for the cluster.
        self.node1.sh(f"mkdir -p {STATE}")
        busy = self.node1.start(f"flock {STATE}/{self.uuid}.flock sleep 100")
        self.node1.sh("virsh start db", timeout=30)
        busy.kill()

    def test_a_vm_with_quotes_and_control_characters_in_its_name_is_guarded(self):
        name = "it's a \"VM\" & gr\u00f6\u00dfer\t\u009b31m"
        shown = "it's a \"VM\" & gr\u00f6\u00dfer\\t\\u009b31m"
        uuid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
        self.lab.define_vm(name.replace("&", "&amp;"), uuid)
        self.node1.sh(f"virsh start {shlex.quote(name)}")
        result = self.node2.run(f"virsh start {shlex.quote(name)}")
        self.assertIn(f"VM '{shown}' ({uuid}) is not started: host node1", result.err)
        self.assertIn(r"shutdown $'it\'s a " '"VM" & gr\u00f6\u00dfer' r"\x09\xc2\x9b31m'", result.err)
        mark = self.node1.mark()
        self.node1.sh(f"virsh destroy {shlex.quote(name)}")
        self.assertTrue(self.log_has(
            self.node1, mark, "event=unlocked",
            'vm="it\'s a \\"VM\\" & gr\u00f6\u00dfer' r'\u0009\u009b31m"'))
        self.assert_clean(self.node1)

    def test_the_log_has_the_reason_of_the_end_that_libvirt_reports(self):
        self.starts(self.node1)
        mark = self.node1.mark()
        self.node1.sh("virsh destroy web")
        libvirt = self.node1.sh("libvirtd --version").split()[-1]
        reason = " reason=destroyed" if tuple(map(int, libvirt.split("."))) >= (10, 5, 0) else ""
        unlocked = f"event=unlocked vm=web uuid={self.uuid}"
        self.node1.await_log()
        self.assertIn(f"{unlocked}{reason}\n", self.node1.log_since(mark))
        mark = self.node1.mark()
        # The call of libvirt >= 10.5:
        xml = f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>"
        self.node1.sh("cat >/run/web.xml; hook() { /etc/libvirt/hooks/qemu web \"$@\" </run/web.xml; }; "
                      "hook prepare begin - && hook release end 'from snapshot'", input=xml)
        self.node1.await_log()
        self.assertIn(f'{unlocked} reason="from snapshot"\n', self.node1.log_since(mark))

    def test_a_users_session_is_not_guarded(self):
        user = "setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/session " \
               "XDG_RUNTIME_DIR=/tmp/session XDG_CACHE_HOME=/tmp/session XDG_CONFIG_HOME=/tmp/session"
        self.node1.sh("rm -rf /tmp/session && mkdir -m 700 /tmp/session && "
                      "chown 65534:65534 /tmp/session && chmod a+r /share/vm-idle")
        self.node1.sh("virsh dumpxml web >/tmp/session/web.xml")
        self.starts(self.node2)
        try:
            self.node1.sh(f"{user} virsh -c qemu:///session define /tmp/session/web.xml",
                          timeout=120)
            self.node1.sh(f"{user} virsh -c qemu:///session start web", timeout=60)
            self.assert_clean(self.node1)
        finally:
            self.node1.run(f"{user} virsh -c qemu:///session destroy web; "
                           "pkill -u 65534 libvirtd; rm -rf /tmp/session")

    def test_a_start_beside_2000_locks_takes_as_long_as_beside_ten(self):
        make_locks = """/usr/bin/python3 -I -c '
import os, sys, uuid
for number in range(int(sys.argv[1])):
    name = str(uuid.UUID(int=number))[:23] + "AAAA%04d" % number
    os.close(os.open("/dlm/vms/" + name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK))
' """
        few, many = 10, 2000
        self.starts(self.node1)
        self.node1.sh("virsh destroy web")
        self.node1.sh(make_locks + str(few))
        beside_few = self.times_of_starts()
        self.node1.sh(make_locks + str(many), timeout=120)
        self.assertEqual(len(self.node1.holds()), many)
        beside_many = self.times_of_starts()
        print(f"(prepare takes {beside_few:.1f} times as long as --version beside {few} locks, "
              f"{beside_many:.1f} times beside {many})", end=" ", flush=True)
        # One comparison for each lock would multiply the time.
        self.assertLess(beside_many, 3 * beside_few)
        self.starts(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.node1.sh("virsh destroy web")
        self.assertNotIn(self.lock, self.node1.holds())

    def times_of_starts(self):
        """Returns how many times longer the hook takes for `prepare` than for --version: the ratio of the
        medians. The calls alternate, so the load of this machine affects both in the same way."""
        script = """/usr/bin/python3 -I -c '
import statistics, subprocess, sys, time
xml = sys.stdin.buffer.read()
def call(*arguments):
    began = time.monotonic()
    subprocess.run(["/etc/libvirt/hooks/qemu", *arguments], input=xml, stdout=subprocess.DEVNULL,
                   check=True)
    return time.monotonic() - began
prepare, version = [], []
for _ in range(21):
    version.append(call("--version"))
    prepare.append(call("web", "prepare", "begin", "-"))
    call("web", "release", "begin", "-")
print(statistics.median(prepare) / statistics.median(version))
' """
        xml = f"<domain><name>web</name><uuid>{self.uuid}</uuid></domain>"
        return float(self.node1.sh(script, input=xml))
