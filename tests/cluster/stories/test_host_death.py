"""A host dies or stops answering: the other hosts wait for a limited time and leave nothing behind."""

import time
from pathlib import Path

from stories.guarded import PGREP_HOOKS, STATE, GuardedVm

from lab import in_parallel

LIMIT = 10 + 1  # acquire_timeout plus one second
SLACK = 4  # seconds that an emulated host on a loaded machine needs to run virsh and the hook
START = 4  # seconds in which an emulated host on a loaded machine starts the VM after the hook
OVERDUE = 1 + 0.5  # seconds: the lab's keepalive_delay_ms, and how late a sign of life may be
CONNECTIONS = "/sys/kernel/debug/o2net/sock_containers"

# Starts the VM again and again. Prints a line for each attempt: when it began and ended, in seconds
# after boot, virsh's status and why it was denied.
ATTEMPTS = """
status=1
until [ $status = 0 ]; do
    read -r began _ </proc/uptime
    virsh start web >/dev/null 2>/run/lab/errors && status=0 || status=$?
    read -r ended _ </proc/uptime
    echo $began $ended $status "$(grep -o 'is not started: .*' /run/lab/errors)"
    sleep 0.2
done
"""


class SilentHost(GuardedVm):
    def node2_falls_silent_with_the_lock(self):
        """Makes node2 the master of the lock's name, because it asks first, then freezes it: node1
        must ask node2 and gets no answer."""
        in_parallel(lambda host: host.sh("mkdir -p /dlm/vms /dlm/vms-bell"), self.lab.hosts())
        self.node2.sh(f": >/dlm/vms/{self.lock}")
        self.node2.freeze()

    def hide_silence(self, host):
        """Hides from the hook which hosts are silent, so that it requests the lock nevertheless."""
        folder = Path(CONNECTIONS).parent
        host.sh(f"mount -t tmpfs none {folder}")
        self.addCleanup(host.run, f"umount {folder}")


class HostDeath(SilentHost):
    def start_in_time(self, host):
        """Asserts that a start ends in time. One that is granted also starts the VM after its hook."""
        result = self.start(host)
        self.assertLess(result.seconds, LIMIT + SLACK + (0 if result.status else START), result)
        return result

    def test_the_vm_of_a_crashed_host_starts_elsewhere_once_the_cluster_has_evicted_it(self):
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")
        self.node2.crash()
        began = time.monotonic()
        self.eventually(lambda: self.start_in_time(self.node1).status == 0, within=90)
        print(f"(after {time.monotonic() - began:.0f} s)", end=" ", flush=True)
        self.assert_holds(self.node1)
        self.node2.boot()
        self.denied(self.start(self.node2), "node1")
        self.assert_clean(self.node2)

    def test_the_vm_starts_as_soon_as_the_cluster_has_recovered_however_often_it_was_tried(self):
        # So the first attempt ends before the cluster evicts node2.
        self.configure(self.node1, 'guard.acquire_timeout = "5s"\n')
        self.starts(self.node2)
        self.denied(self.start(self.node1), "node2")
        self.node2.crash()
        self.eventually(lambda: self.silence(self.node1) > OVERDUE, within=10)
        denied = self.takes_over(self.node1, self.node1.start(ATTEMPTS))
        self.assertIn("host node2 has not answered the cluster for", denied[0])

    def test_a_start_right_after_a_host_has_died_does_not_delay_the_take_over(self):
        """node1 heard node2 less than a second ago, so it cannot know of its death. It must ask two hosts for
        the lock's master, and a request for the lock would wait for the dead one in steps of 5 s."""
        node3 = self.lab.boot_further(3, self.hook)
        in_parallel(lambda host: host.sh("mkdir -p /dlm/vms /dlm/vms-bell"), (self.node1, node3))
        self.starts(self.node2)
        self.node2.crash()
        starting = self.node1.start(ATTEMPTS)
        self.eventually(lambda: self.silence(self.node1) > OVERDUE, within=10)
        self.assertNotIn(self.lock, self.node1.holds())   # not even requested
        self.takes_over(self.node1, starting)

    def takes_over(self, host, starting):
        """`starting` runs ATTEMPTS on the host. Asserts that the VM runs as soon as the kernel has recovered.
        Returns why it was denied before."""
        attempts = [line.split(maxsplit=3) for line in starting.wait(120).out.splitlines()]
        # The end of recovery is in the log of the host that recovers for all.
        recovered = host.sh("dmesg | grep -E '(End recovery on|evicted node 2 from) domain vms' | tr -d '[]'")
        recovered = max(float(line.split()[0]) for line in recovered.splitlines()) - self.log_ahead(host)
        *denied, granted = [(float(began), float(ended), " ".join(why))
                            for began, ended, _, *why in attempts]
        print(f"({len(denied)} denied, the VM runs {granted[1] - recovered:.1f} s after the recovery)",
              end=" ", flush=True)
        self.assertEqual([attempt for attempt in denied if attempt[0] > recovered], [])
        self.assertLess(granted[1] - recovered, 1 + SLACK + START)
        self.assert_holds(host)
        return [why for _, _, why in denied]

    def log_ahead(self, host):
        """Returns by how many seconds the times in the kernel's log are ahead of /proc/uptime. They count
        another clock, which differs from boot on, and more if the machine was busy then."""
        uptime, logged = host.sh("read -r now _ </proc/uptime; echo $now; echo compared >/dev/kmsg; "
                                 "dmesg | grep compared | tail -n 1 | tr -d '[]'").splitlines()
        return float(logged.split()[0]) - float(uptime)

    def test_a_start_while_a_host_is_silent_is_denied_names_that_host_and_leaves_nothing(self):
        self.configure(self.node1, 'guard.acquire_timeout = "2s"\n')
        self.node2_falls_silent_with_the_lock()
        self.eventually(lambda: self.silence(self.node1) > OVERDUE, within=10)
        for _ in range(2):
            self.denied(self.start(self.node1), "host node2 has not answered the cluster for", "try again")
            self.assert_clean(self.node1)
        # Not thawed: a host that was evicted while it was frozen would go on as if nothing had happened.
        self.node2.crash()
        self.eventually(lambda: self.start(self.node1).status == 0, within=90)

    def silence(self, host):
        """Returns for how many seconds the host's kernel has received nothing from node2."""
        heard, now = host.sh(f"sed -n '/remote node: *node2$/,/data ready/p' {CONNECTIONS} | "
                             "grep 'data ready' && cat /proc/uptime").splitlines()
        return float(now.split()[0]) - int(heard.split()[2]) / 1e6

    def test_a_start_while_a_silent_host_stalls_the_cluster_ends_in_time_and_leaves_nothing(self):
        self.node2_falls_silent_with_the_lock()
        self.hide_silence(self.node1)
        first = self.start_in_time(self.node1)
        self.denied(first, "the cluster did not answer within 10 s", "try again")

        retry = self.start_in_time(self.node1)
        self.denied(retry, "an earlier attempt", "still waits for the cluster")
        self.assertLess(retry.seconds, LIMIT / 2)

        self.node2.crash()
        self.eventually(lambda: self.start_in_time(self.node1).status == 0, within=90)
        self.node1.sh("virsh destroy web")
        self.assert_clean(self.node1)

    def test_a_lock_granted_to_an_abandoned_attempt_is_unlocked(self):
        self.node2_falls_silent_with_the_lock()
        self.hide_silence(self.node1)
        self.configure(self.node1, 'guard.acquire_timeout = "2s"\n')
        self.denied(self.start(self.node1), "the cluster did not answer within 2 s")
        self.assertEqual(self.node1.sh(f"{PGREP_HOOKS} -c").strip(), "1")
        self.node2.crash()
        self.eventually(lambda: self.node1.run(PGREP_HOOKS).status != 0, within=60)
        self.assert_clean(self.node1, f"{self.uuid}.flock")

    def test_a_start_does_not_wait_for_a_holder_whose_bell_does_not_answer(self):
        self.starts(self.node1)
        self.configure(self.node2, 'guard.acquire_timeout = "3s"\n')
        pin = self.node1.start(f"sleep 600 3<>/dlm/vms-bell/{self.lock}")
        self.eventually(lambda: self.node1.run(
            f"ls -l /proc/*/fd 2>/dev/null | grep -q vms-bell/{self.lock}").status == 0, within=10)
        denied = self.start(self.node2)
        self.denied(denied, "another host holds its lock and did not say its name within 3 s")
        self.denied(self.start(self.node2), "an earlier attempt")
        pin.kill()
        self.eventually(lambda: self.node2.run(PGREP_HOOKS).status != 0, within=20)
        self.assert_clean(self.node2, f"{self.uuid}.flock")
        self.denied(self.start(self.node2), "node1")


class HookDeath(SilentHost):
    def test_a_hook_killed_while_it_waits_leaves_nothing(self):
        self.node2_falls_silent_with_the_lock()
        self.hide_silence(self.node1)
        starting = self.node1.start("virsh start web")
        self.eventually(lambda: self.node1.run(PGREP_HOOKS).status == 0, within=20)
        time.sleep(1)
        self.node1.sh(f"kill -9 $({PGREP_HOOKS} -o)")
        result = starting.wait(20)
        self.assertNotEqual(result.status, 0)
        self.node2.thaw()
        self.eventually(lambda: self.node1.run(PGREP_HOOKS).status != 0, within=90)
        self.assertNotIn(self.lock, self.node1.holds())
        self.assertNotIn(self.uuid, self.node1.sh(f"ls {STATE}").split())
