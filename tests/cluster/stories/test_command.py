"""The operator's command: real anomalies that it must report, and conditions in which its verbs cannot
work."""

import json
import time

import vm
from stories.guarded import STATE, KeptVm

from lab import in_parallel


class TheCommand(KeptVm):
    def says(self, host, arguments, *words, status=0):
        """Runs the command. Asserts its exit status and that its output has these words. Returns its
        stdout."""
        result = host.run(f"start-guard {arguments}", timeout=20)
        self.assertEqual(result.status, status, result)
        for word in words:
            self.assertIn(word, result.out + result.err)
        return result.out

    def remarks(self, host):
        """Returns the kinds of the anomalies that `list` reports. There is only one VM."""
        locks = json.loads(self.says(host, "list --json"))["locks"]
        return [odd["kind"] for lock in locks for odd in lock["anomalies"]]


class Listing(TheCommand):
    def test_a_lock_is_listed_and_its_holder_is_shown_on_every_host(self):
        self.starts(self.node1)
        line = self.says(self.node1, "list").splitlines()[1]
        self.assertRegex(line, rf"^web  {self.uuid}  EX     yes   20\S+ \S+ \S+  start$")
        [lock] = json.loads(self.says(self.node1, "list --json"))["locks"]
        self.assertEqual((lock["vm"], lock["uuid"], lock["lock"], lock["level"], lock["kept"],
                          lock["runs"], lock["anomalies"]),
                         ("web", self.uuid, self.lock, "EX", True, True, []))
        self.assertEqual(len(self.says(self.node2, "list").splitlines()), 1)
        self.assertRegex(self.says(self.node2, "list --cluster"),
                         rf"\nweb  {self.uuid}  node1  -      -     20\S+ \S+ \S+  -\n$")
        for host in self.lab.hosts():
            for name in "web", self.uuid, self.lock:
                self.assertRegex(self.says(host, f"holder {name}"), "^web: node1 since 20")
        self.assertEqual(self.says(self.node2, f"name {self.uuid}").strip(), self.lock)
        self.assertEqual(self.says(self.node2, f"uuid {self.lock}").strip(), self.uuid)
        self.node1.sh("virsh destroy web")
        self.says(self.node2, "holder web", "no host says that it holds its lock", status=1)
        self.assertEqual(self.node2.holds("vms-bell"), [])

    def test_each_anomaly_is_reported(self):
        self.starts(self.node1)
        self.assertEqual(self.remarks(self.node1), [])
        self.configure(self.node1, 'keeper.reconcile_interval = "10m"\n')
        self.node1.kill_keeper()
        self.assertEqual(self.remarks(self.node1), ["keeper-down"])
        self.forget_lock(self.node1)
        self.says(self.node1, "list", "\n  runs here without its lock\n")
        self.says(self.node1, "reconcile --dry-run", "web: would acquire the lock")
        self.says(self.node1, "reconcile", "web: acquire the lock: the VM runs here without it: done")
        self.assertEqual(self.node1.level(self.lock), "EX")
        # An accidental open on another host gets the lock, because no process here has it open. The
        # file stays. node2's keeper may find the file first.
        file = f"/dlm/vms/{self.lock}"
        self.node2.sh(f"mkdir -p /dlm/vms && : >{file}; until rm -f {file}; do :; done")
        self.assertEqual(self.remarks(self.node1), ["runs-without-lock"])
        self.says(self.node1, "reconcile", ": done")
        self.assertEqual(self.remarks(self.node1), ["keeper-down"])
        # libvirt and QEMU have ended without a call of the hook.
        self.node1.kill_libvirtd()
        self.node1.sh("pkill -9 qemu-system; rm -f /run/libvirt/qemu/web.*")
        self.says(self.node1, "list", "which VMs run is not known", self.uuid)
        self.node1.start_libvirtd()
        self.says(self.node1, "list", "lock left over: no such VM runs here",
                  "not kept: start-guard.service is down")
        self.says(self.node1, "release web", "is unlocked")
        self.assert_clean(self.node1)

    def test_a_release_is_refused_while_the_vm_runs_and_forced_only_without_qemu(self):
        self.starts(self.node1)
        self.says(self.node1, "release web", "libvirt reports that it runs here", status=1)
        self.says(self.node1, "release --force web </dev/null", "--force --yes", status=1)
        self.says(self.node1, "release --force --yes web", "its QEMU is alive", status=1)
        self.says(self.node2, "release web", "this host does not hold it", status=1)
        self.assert_settled_on(self.node1)
        terminal = "script -qec 'start-guard release --force web' /dev/null"
        asked = self.node1.run(f"echo n | {terminal}", timeout=20)
        self.assertIn("Unlock it? [y/N]", asked.out)
        self.assertIn("the lock stays", asked.out)
        self.assert_settled_on(self.node1)

    def test_metrics_for_prometheus(self):
        self.starts(self.node1)
        self.denied(self.start(self.node2), "node1")
        self.migrates(self.node1, self.node2)
        self.assert_settled_on(self.node2)
        one, two = (dict(line.split() for line in self.says(host, "metrics").splitlines()
                         if not line.startswith("#")) for host in self.lab.hosts())
        self.assertEqual([each["start_guard_locks_held"] for each in (one, two)], ["0", "1"])
        self.assertEqual([each["start_guard_locks_kept"] for each in (one, two)], ["0", "1"])
        self.assertEqual(two["start_guard_starts_denied_total"], "1")
        self.assertEqual(one["start_guard_hand_overs_total"], "1")
        self.assertLess(int(one["start_guard_reconciliation_age_seconds"]), 10)

    def test_10000_locks_are_listed_in_less_than_four_times_the_time_of_ls(self):
        self.node1.kill_keeper()
        # node1 is alone in the domain: exchanging the names with another host would take a minute.
        self.node2.kill_keeper()
        self.node2.sh("rmdir /dlm/* 2>/dev/null || :")
        # The libraries of both programs are on the machine outside. Opening them through the emulator
        # is slow, unlike on a real host. Any change of a file copies it to the RAM disk.
        self.node1.sh("chmod a+r $(ldd /usr/bin/start-guard /bin/ls | grep -o '/[^ ]*[^: ]' | "
                      "sort -u | xargs readlink -f)")
        ratio = float(self.node1.sh(f"""/usr/bin/python3 -I -c '
import base64, math, os, statistics, subprocess, time, uuid
os.makedirs("/dlm/vms", exist_ok=True)
os.makedirs("{STATE}", exist_ok=True)
for number in range(10000):
    each = str(uuid.UUID(int=(0x5ca1e << 104) + number))
    name = each[:23] + base64.urlsafe_b64encode(bytes.fromhex(each[24:])).decode()
    os.close(os.open("/dlm/vms/" + name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK))
    open(f"{STATE}/{{each}}", "w").write(
        f"uuid = \\"{{each}}\\"\\nname = \\"vm{{number}}\\"\\ndriver = \\"lxc\\"\\nsince = 1\\n"
        "how = \\"start\\"\\nreleased = false\\nshared = false\\n")
subprocess.run(["/lab/keeper", "start"], check=True)
while len(os.listdir("/proc/" + open("/run/lab/keeper.pid").read().strip() + "/fd")) < 20000:
    time.sleep(1)
def seconds(*command):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True)
    if done.returncode == 69:
        return math.inf  # list has reached its limit, on a machine with other load
    assert done.returncode == 0 and done.stdout.count(b"\\n") > 10000, done
    return time.monotonic() - began
def ratio():
    times = [(seconds("start-guard", "list"), seconds("ls", "-l", "/dlm/vms")) for _ in range(7)]
    return statistics.median(a for a, b in times) / statistics.median(b for a, b in times)
best = ratio()
for attempt in range(2):  # other load on this machine may have come between
    if best >= 4:
        best = min(best, ratio())
print(best)
'""", timeout=600))
        print(f"({ratio:.2f} times)", end=" ", flush=True)
        self.assertLess(ratio, 4)


class Migrating(TheCommand):
    xml = vm.HEAVY_XML

    def test_the_holder_is_shown_while_the_vm_migrates_and_after_its_host_has_died(self):
        node3 = self.lab.boot_further(3, self.hook)
        self.start_keeping(node3)
        self.starts(self.node1)
        migrating = self.middle_of_migration(self.node1, self.node2)
        under_way = "migration under way"
        in_parallel(lambda question: self.says(*question),
                    [(node3, f"holder {self.uuid}", "node1 since", under_way),
                     (self.node1, "list", f"shared with another host: {under_way}"),
                     (self.node2, "list", f"shared with another host: {under_way}")])
        self.hurry_up(self.node1)
        self.assertEqual(migrating.wait(60).status, 0)
        self.assert_settled_on(self.node2)
        self.says(node3, f"holder {self.uuid}", "node2 since")
        # Its keeper opens the bell again. Without that the bell would still have its answer.
        self.eventually(lambda: self.node2.level(self.lock, "vms-bell") == "EX", within=self.SOON)
        self.node2.crash()
        began = time.monotonic()
        result = node3.run(f"start-guard holder {self.uuid}", timeout=20)
        self.assertLess(time.monotonic() - began, 15)
        self.assertIn(result.status, (1, 69), result)
        self.eventually(lambda: "no host says" in node3.run(
            f"start-guard holder {self.uuid}", timeout=20).out, within=60)


class MissingPrerequisites(TheCommand):
    VERBS = ("list", "list --cluster", "holder web", "metrics", "reconcile", "release web", "join",
             "leave")
    WITHOUT_DLMFS = ("metrics", "leave")  # these succeed without dlmfs

    def quickly(self, host, arguments, status, words):
        began = time.monotonic()
        result = host.run(arguments, timeout=20)
        took = time.monotonic() - began
        self.assertEqual(result.status, status, result)
        self.assertIn(words, result.err)
        self.assertTrue(result.err.startswith("start-guard: "), result)
        self.assertLess(took, 5, result)

    def test_without_root_without_dlmfs_and_without_libvirt(self):
        user = "setpriv --reuid 65534 --regid 65534 --clear-groups start-guard "
        for verb in self.VERBS:
            self.quickly(self.node1, user + verb, 77, "must be run by root")
        self.node1.kill_libvirtd()
        for verb in "holder web", "reconcile", "release web":
            self.quickly(self.node1, f"start-guard {verb}", 69, "libvirt")
        self.says(self.node1, "list", "which VMs run is not known")
        self.node1.start_libvirtd()
        self.node1.kill_keeper()
        self.node1.sh("start-guard leave && umount /dlm")
        for verb in set(self.VERBS) - set(self.WITHOUT_DLMFS):
            self.quickly(self.node1, f"start-guard {verb}", 69, "mount -t ocfs2_dlmfs")
        self.says(self.node1, "metrics", "\nstart_guard_cluster_up 0\n")
        self.says(self.node1, "leave", "nothing to leave")

    def test_with_wrong_arguments_and_a_wrong_configuration(self):
        for arguments in ("", "lst", "list --jsn", "holder", "holder web web", "release",
                          "name web", "uuid web", "name", "reconcile --force"):
            result = self.node1.run(f"start-guard {arguments}", timeout=10)
            self.assertEqual(result.status, 64, result)
            self.assertTrue(result.err, result)
        self.says(self.node1, "holder nosuchvm", "no VM 'nosuchvm' is known", status=66)
        self.configure(self.node1, "guard.acquire_timeot = '1s'\n")
        for verb in self.VERBS:
            self.quickly(self.node1, f"start-guard {verb}", 78, "acquire_timeot")
