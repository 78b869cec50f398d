"""A log daemon that does not read delays neither the hook nor the keeper."""

from stories.guarded import KeptVm

# Fills the queue of /dev/log without blocking, and prints how many lines fitted.
FILL = """python3 - <<'END'
import socket
taken = 0
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
    log.setblocking(False)
    log.connect("/dev/log")
    try:
        while True:
            log.send(b"<30>Jan  1 00:00:00 lab: filler")
            taken += 1
    except BlockingIOError:
        print(taken)
END"""


class LogDaemon(KeptVm):
    def stop_log_daemon(self, host):
        host.sh(f"kill -STOP {self.log_daemon(host)}")
        self.addCleanup(self.let_log_daemon_go_on, host)
        self.assertGreater(int(host.sh(FILL)), 0)

    def let_log_daemon_go_on(self, host):
        host.sh(f"kill -CONT {self.log_daemon(host)}")

    def log_daemon(self, host):
        return int(host.sh("pgrep -f '^/lab/busybox syslogd'"))

    def in_time(self, host, command):
        """Runs a command that must succeed in time. A hook that waits for the log daemon would never
        return. The limit is long enough for libvirt on a loaded machine."""
        host.sh(command, timeout=30)

    def test_a_stopped_log_daemon_delays_nothing_and_later_gets_the_count_of_lost_lines(self):
        self.stop_log_daemon(self.node1)
        mark = self.node1.mark()
        self.in_time(self.node1, "virsh start web")
        self.assert_holds(self.node1)
        # The keeper answers on its socket, and it answers another host that rings the bell.
        self.in_time(self.node1, "start-guard list | grep -w web | grep -w yes")
        self.denied(self.start(self.node2), "host node1 holds its lock")
        self.in_time(self.node1, "virsh destroy web")
        self.assert_clean(self.node1, f"{self.uuid}.flock")
        # An alarm is sent later, not only counted.
        self.configure(self.node1, 'dlmfs.mount = "/mnt"\nguard.on_cluster_down = "allow"\n')
        self.assertEqual(self.by_hand(self.node1, "prepare begin").status, 0)

        self.assertNotIn("start-guard", self.node1.log_since(mark))
        self.let_log_daemon_go_on(self.node1)
        self.logs(self.node1, mark, "event=log-lines-lost", "count=")
        self.logs(self.node1, mark, "daemon.crit", "event=unguarded", "vm=web",
                  "written=20")
        self.assertRegex(self.node1.sh("start-guard metrics"),
                         r"(?m)^start_guard_log_lines_lost_total [1-9]")
