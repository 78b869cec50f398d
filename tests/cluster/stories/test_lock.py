"""`start-guard lock` runs a command on one host of the cluster at a time."""

import os
import shlex
import time
from pathlib import Path

from story import Story

from lab import REPOSITORY, in_parallel

SLACK = 5  # seconds that an emulated host on a loaded machine needs for what takes no time
PROGRAM = os.environ.get("START_GUARD") or REPOSITORY / "build/guard/start-guard"

# Runs a command on a terminal. What is written to the pipe /run/lab/keys is typed there.
TERMINAL = """/usr/bin/python3 -I -c '
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
with open("/run/lab/keys", "rb") as keys:
    os.write(terminal, keys.read())
try:
    while output := os.read(terminal, 4096):
        os.write(1, output)
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
' """

# Prints "told" at each ^C, and ends 0.4 s after the last one with its own exit status 7.
STUBBORN = "trap 'echo told; n=0' INT; until [ \"$n\" = 4 ]; do sleep 0.1; n=${n:+$((n + 1))}; " \
           "done; exit 7"


class Locks(Story):
    hook = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not Path(PROGRAM).exists():
            raise FileNotFoundError(f"no start-guard at {PROGRAM}: build it, or set START_GUARD")

    def setUp(self):
        super().setUp()
        in_parallel(self.install, self.lab.hosts())

    def install(self, host):
        host.install_keeper(PROGRAM)
        kept = f"/share/{host.name}/disk/start-guard"
        host.sh(f"cmp -s {kept} /usr/bin/start-guard || "
                f"{{ rm -f /usr/bin/start-guard && cp {kept} /usr/bin/start-guard; }}")

    def lock(self, host, arguments, timeout=60):
        return host.run(f"start-guard lock {arguments}", timeout=timeout)

    def starts_waiting(self, host, name, command="sleep 600", options=""):
        """Starts a call in the background and returns it. Its PID is in /run/lab/lock.pid."""
        return host.start(f"echo $$ >/run/lab/lock.pid; "
                          f"exec start-guard lock {options} {name} -- {command}")

    def wait_asking(self, host, calls=1):
        """Waits until this number of calls sleeps in the kernel, waiting for a lock."""
        host.sh(f"until [ $(grep -l -s user_dlm_cluster_lock /proc/[0-9]*/stack | wc -l) = {calls} ]; "
                "do sleep 0.05; done", timeout=20)

    def wait_begun(self, host):
        """Waits until the call in the background has a child process, which tries to acquire the
        lock."""
        host.sh("until pgrep -x start-guard -P $(cat /run/lab/lock.pid); do sleep 0.05; done",
                timeout=20)

    def starts_locked(self, host, name, command="sleep 600"):
        """Starts a call in the background. Returns it when its command runs."""
        running = self.starts_waiting(host, name, f"sh -c 'touch /run/lab/runs; exec {command}'")
        host.sh("until [ -e /run/lab/runs ]; do sleep 0.05; done; rm /run/lab/runs", timeout=20)
        self.assertEqual(host.level(name, "locks"), "EX")
        return running

    def signal(self, host, signal):
        host.sh(f"kill -{signal} $(cat /run/lab/lock.pid)")

    def ends_at_a_signal(self, call, host, signal, status, within):
        """Asserts that the call ends within so many seconds after it has got the signal."""
        sent = time.monotonic()
        self.signal(host, signal)
        self.ends(call, status)
        self.assertLess(time.monotonic() - sent, within)

    def ends(self, call, status, within=20):
        result = call.wait(within)
        self.assertEqual(result.status, status, result)
        return result

    def refused(self, result, status, *words):
        """Asserts that the call ended with this status and one error line that has these words."""
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.err.count("\n"), 1, result)
        for word in ("start-guard: ", *words):
            self.assertIn(word, result.err)

    def assert_nothing_left(self, host):
        self.assertEqual(host.holds("locks"), [], host.name)
        self.assertEqual(host.sh("ls /run/start-guard"), "", host.name)
        # start-guard ends a moment after its last output.
        self.eventually(lambda: host.run("pgrep -x start-guard").status != 0, within=5)


class Takeover(Locks):
    def test_one_host_is_master_until_ctrl_c_or_a_power_loss(self):
        self.node2.sh("mkfifo /run/lab/keys")
        first = self.node2.start(TERMINAL + "start-guard lock master -- sh -c " +
                                 shlex.quote("echo master; " + STUBBORN))
        self.eventually(lambda: self.node2.level("master", "locks") == "EX", within=20)
        second = self.starts_waiting(self.node1, "master", "sh -c 'cat >/run/lab/master; kill $$'")
        time.sleep(2)
        self.assertTrue(second.running())
        self.assertIsNone(self.node1.level("master", "locks"))

        self.node2.sh("printf '\\003' >/run/lab/keys")
        self.assertEqual(self.ends(first, 7).out.replace("^C", "").split(), ["master", "told"])
        self.assertEqual(self.ends(second, 128 + 15).err, "")
        for host in self.lab.hosts():
            self.assert_nothing_left(host)

        dying = self.starts_locked(self.node2, "master")
        next_one = self.starts_waiting(self.node1, "master", "echo mine")
        time.sleep(1)
        self.node2.crash()
        dying.kill()
        result = self.ends(next_one, 0, within=60)
        print(f"(taken over after {result.seconds - 1:.0f} s)", end=" ", flush=True)
        self.assertEqual(result.out, "mine\n")
        self.assertGreater(result.seconds, 5, "granted before the dead host can have been evicted")
        self.assert_nothing_left(self.node1)


class Waiting(Locks):
    def test_waits_for_a_lock_of_another_host_as_long_as_requested(self):
        first = self.starts_locked(self.node1, "job")
        self.lock(self.node2, "- -- true")  # joins
        self.refuses_at_once_and_in_time(self.node2)
        waiting = self.starts_waiting(self.node2, "job", "echo mine", "-w 30")
        self.wait_begun(self.node2)
        sent = time.monotonic()
        self.signal(self.node1, "TERM")
        self.ends(first, 128 + 15)
        self.assertEqual(self.ends(waiting, 0).out, "mine\n")
        self.assertLess(time.monotonic() - sent, 1 + SLACK)  # it tries once a second at least

    def test_two_calls_on_one_host_exclude_each_other(self):
        first = self.starts_locked(self.node1, "job")
        self.refuses_at_once_and_in_time(self.node1)
        self.assertEqual(self.lock(self.node1, "-n other -- echo 'an other'").out, "an other\n")
        self.signal(self.node1, "TERM")
        self.ends(first, 128 + 15)
        self.assertEqual(self.lock(self.node1, "-n job -- echo mine").out, "mine\n")
        self.assert_nothing_left(self.node1)

    def refuses_at_once_and_in_time(self, host):
        for options, status, waits in (("-n", 1, 0), ("-n -E 9", 9, 0), ("-w 1.5", 1, 1.5),
                                       ("-w 0 -E 0", 0, 0)):
            result = self.lock(host, f"{options} job -- touch /run/lab/ran")
            self.assertEqual((result.status, result.out, result.err), (status, "", ""), result)
            self.assertTrue(waits <= result.seconds <= waits + SLACK, result)
        host.sh("! ls /run/lab/ran")

    def test_a_signal_ends_the_wait_at_once(self):
        holder = self.starts_locked(self.node1, "job")
        for signal, number in (("INT", 2), ("TERM", 15)):
            waiting = self.starts_waiting(self.node2, "job")
            self.wait_begun(self.node2)
            self.ends_at_a_signal(waiting, self.node2, signal, -number, within=SLACK)
            self.assert_nothing_left(self.node2)
        self.assertTrue(holder.running())
        holder.kill()

    def test_a_wait_ends_even_if_the_cluster_does_not_answer(self):
        names = ["timed", "killed"]
        for name in names:  # node2 asks first, so it masters the names: node1 must ask it
            self.lock(self.node2, f"{name} -- true")
        self.lock(self.node1, "- -- true")  # joins
        self.node2.freeze()
        killed = self.starts_waiting(self.node1, "killed")
        result = self.lock(self.node1, "-w 1 -E 9 timed -- true")
        self.refused(result, 9, "lock timed: the cluster did not answer in time", "try again")
        self.assertLess(result.seconds, 1 + SLACK)
        again = self.lock(self.node1, "-n timed -- true")
        self.assertEqual((again.status, again.err), (1, ""), again)
        self.wait_asking(self.node1, calls=2)  # the earlier call still sleeps
        self.ends_at_a_signal(killed, self.node1, "TERM", -15, within=SLACK)
        self.assertEqual(self.node1.sh("pgrep -c -x start-guard").strip(), "2")
        self.node2.thaw()
        self.eventually(lambda: self.node1.run("pgrep -x start-guard").status != 0, within=60)
        self.assert_nothing_left(self.node1)
        for name in names:
            self.assertIsNone(self.node1.level(name, "locks"))


class Running(Locks):
    def test_the_exit_status_is_that_of_the_command(self):
        for command, status in (("true", 0), ("sh -c 'exit 7'", 7), ("sh -c 'kill -9 $$'", 137),
                                ("/no/such/program", 127), ("/etc/passwd", 126)):
            result = self.lock(self.node1, f"job -- {command}")
            self.assertEqual(result.status, status, result)
        self.assertEqual(self.lock(self.node1, "job -- printf '[%s]' [a-z] -- '' -n '{}'").out,
                         "[[a-z]][--][][-n][{}]")
        self.assertEqual(self.node1.run("start-guard lock job -- cat", input="in").out, "in")

    def test_unlocks_when_the_command_ends_even_if_its_child_runs(self):
        self.lock(self.node1, "job -- sh -c 'sleep 600 >/dev/null 2>&1 & exit 0'")
        self.assertEqual(self.lock(self.node2, "-n job -- echo mine").out, "mine\n")
        self.node1.sh("pkill -x sleep")

    def test_the_lock_stays_with_the_command_if_start_guard_is_killed(self):
        killed = self.starts_locked(self.node1, "job")
        self.signal(self.node1, "KILL")
        self.assertEqual(self.lock(self.node1, "-n job -- true").status, 1)
        self.assertEqual(self.lock(self.node2, "-n job -- true").status, 1)
        # An accidental rm cannot release it: its file is open.
        self.assertIn("busy", self.node1.run("rm /dlm/locks/job").err)
        self.node1.sh("pkill -x sleep")
        self.assertEqual(self.lock(self.node2, "-w 5 job -- echo mine").out, "mine\n")
        self.eventually(lambda: self.node1.run("pgrep -x start-guard").status != 0, within=10)
        self.assert_nothing_left(self.node1)
        killed.kill()

    def test_unlocks_at_the_end_even_if_the_lock_holder_process_is_killed(self):
        running = self.starts_locked(self.node1, "job")
        self.node1.sh("kill -9 $(pgrep -x -P $(cat /run/lab/lock.pid) start-guard)")
        self.assertEqual(self.lock(self.node1, "-n job -- true").status, 1)
        self.assertEqual(self.lock(self.node2, "-n job -- true").status, 1)
        self.signal(self.node1, "TERM")
        self.ends(running, 128 + 15)
        self.assertEqual(self.node1.holds("locks"), [])
        self.assertEqual(self.lock(self.node2, "-n job -- echo mine").out, "mine\n")

    def test_a_lock_file_open_in_another_process_delays_the_end_and_is_reported(self):
        running = self.starts_locked(self.node1, "job")
        other = self.node1.start("exec 3</dlm/locks/job; touch /run/lab/open; sleep 600")
        self.node1.sh("until [ -e /run/lab/open ]; do sleep 0.05; done", timeout=20)
        self.signal(self.node1, "TERM")
        time.sleep(1)
        self.assertTrue(running.running())
        other.kill()
        self.refused(self.ends(running, 128 + 15), 128 + 15, "lock job: not unlocked",
                     "/dlm/locks/job", "busy")
        self.assert_nothing_left(self.node1)


class Prerequisites(Locks):
    def test_each_missing_prerequisite_is_reported_in_one_line(self):
        user = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        self.refused(self.node1.run(f"{user} start-guard lock job -- true"), 77, "only root")
        self.refused(self.lock(self.node1, "--domain vms job -- true"), 64, "domain vms")
        self.refused(self.lock(self.node1, "--domain vms-bell job -- true"), 64, "domain vms-bell")
        self.refused(self.lock(self.node1, "job true"), 64, "COMMAND")
        self.refused(self.lock(self.node1, "a/b -- true"), 64, "'a/b' is no lock's name")
        self.node1.sh("echo nonsense >/etc/libvirt/start-guard.toml")
        self.refused(self.lock(self.node1, "job -- true"), 78, "start-guard.toml:1:")
        self.node1.sh("rm /etc/libvirt/start-guard.toml; umount /dlm")
        self.refused(self.lock(self.node1, "job -- true"), 69, "/dlm is not dlmfs",
                     "mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm")
        self.node1.sh("mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm")
        self.assertEqual(self.lock(self.node1, "job -- echo mine").out, "mine\n")
