"""What goes wrong: at random, one fault after another, sometimes on several hosts."""

import random
import shutil
import time
from pathlib import Path

from image import REPOSITORY, LabError
from soak.pausable import Pausable

LONGEST_STOP = 8   # seconds that a process is stopped for, less than libvirt allows its peers

# The lab's cluster evicts a host after 12 s without a heartbeat, and drops a connection after 5 s.
SHORT = (0.5, 4)
LONG = (8, 25)

# Compares locks with VMs more often than by default, so that a rest takes less long.
CONFIGURATION = 'keeper.reconcile_interval = "5s"'
OTHER_CONFIGURATION = 'keeper.reconcile_interval = "1s"\nguard.acquire_timeout = "3s"'
STOP_O2CB = "/share/soak/stop-o2cb"
LOG_DAEMON = "^/lab/busybox syslogd"

# Answers as systemd does while the host does not shut down.
SYSTEMCTL = f"""#!/bin/sh
case $* in
    *FragmentPath*) echo {STOP_O2CB}/o2cb.service ;;
    *'start o2cb'*) /lab/cluster join ;;
esac
"""

# Tries to start a VM of the host DEAD until it runs, or for a minute. Gives up if another host has started it.
# Prints when it ran, when the last start began that waited for the cluster in vain, the time of one moment by
# both clocks, because the kernel's log has another one, and when that log says that this host had recovered.
TAKE_OVER = r"""
read -r began _ </proc/uptime
echo compared >/dev/kmsg
now=$began
vain=0
until virsh start VM >/dev/null 2>/run/lab/denied; do
    ! grep -q 'earlier attempt\|did not answer within\|answered\|is recovering' /run/lab/denied || vain=$now
    ! grep -q 'holds its lock' /run/lab/denied || grep -q 'host DEAD holds' /run/lab/denied || exit 1
    sleep 0.2
    read -r now _ </proc/uptime
    [ $((${now%.*} - ${began%.*})) -lt 60 ] || exit 1
done
read -r runs _ </proc/uptime
logged() {
    dmesg | sed -n "s/^\[ *\([0-9.]*\)\].*$1\$/\1/p" | tail -n 1
}
echo $runs $vain $began $(logged compared) $(logged 'o2dlm: End recovery on domain vms')
"""


class Faults(Pausable):
    """Causes one fault after another. As systemd does, it starts again what ended; and it boots a host
    that is down, because the cluster fenced it or because the power was off."""

    def __init__(self, hosts, history, seed, only=None):
        super().__init__(history)
        self._hosts = hosts
        self._rng = random.Random(f"{seed} faults")
        self._table = [row for row in FAULTS if only is None or row[1] in only]

    def act(self):
        time.sleep(self._rng.uniform(0, 6))
        weights = [weight for weight, _, _ in self._table]
        _, what, fault = self._rng.choices(self._table, weights)[0]
        self.cause(what, fault, self._rng.choice(self._hosts))

    def cause(self, what, fault, host):
        began = time.time()
        text = ""
        try:
            fault(self, host)
        except (OSError, LabError) as error:
            text = str(error).split("\n")[0][:200]
        self._history.add("fault", what, began, host=host.name, text=text)
        for each in self._hosts:
            self.mend(each)

    def mend(self, host):
        """Brings up what is down on a host. Repeats it until it works: a host may be fenced meanwhile."""
        until = time.monotonic() + 300
        while True:
            try:
                if not host.is_up():
                    began = time.time()
                    host.boot()
                    self._history.add("boot", "a host that was down", began, host=host.name)
                prepare(host)
                return
            except (OSError, LabError):
                if time.monotonic() > until:
                    raise
                time.sleep(1)

    # The faults

    def kill(self, host, which):
        host.run(which)
        time.sleep(self._rng.uniform(0, 3))

    def stop_for_a_while(self, host, pids):
        host.run(f"pids=$({pids}); [ -z \"$pids\" ] || {{ kill -STOP $pids; "
                 f"sleep {self._rng.uniform(0.5, LONGEST_STOP):.1f}; kill -CONT $pids; }}")

    def power_off(self, host):
        host.crash()
        time.sleep(self._rng.choice([0, self._rng.uniform(0, 10), self._rng.uniform(10, 40)]))

    def take_over(self, host):
        """The power fails, and another host tries to start a VM that ran there. The history has how long
        after the kernel's recovery it ran. A start that began a second later must not be denied."""
        running = host.run("virsh -q list --name").out.split()
        other = self._rng.choice([each for each in self._hosts if each is not host])
        other.run("dmesg -C")
        host.crash()
        if not running:
            return
        vm = self._rng.choice(running)
        command = TAKE_OVER.replace("VM", vm).replace("DEAD", host.name)
        times = [float(time) for time in other.run(command, timeout=90).out.split()]
        if len(times) < 5:  # the VM runs on the third host, or that one has recovered for both
            return
        runs, vain, began, logged, recovered = times
        recovered -= logged - began
        self._history.add("operation", "take over", time.time() - (runs - recovered), host=other.name,
                          vm=vm, status=0)
        if vain > recovered + 1:
            self._history.add("finding", f"{other.name}: {vm} waited in vain {vain - recovered:.1f} s after "
                              f"the recovery from the death of {host.name}")

    def freeze(self, host):
        host.freeze()
        try:
            time.sleep(self._rng.uniform(*SHORT))
        finally:
            host.thaw()

    def cut_cable(self, host, seconds):
        host.cut_cable()
        try:
            time.sleep(self._rng.uniform(*seconds))
        finally:
            if host.is_up():
                host.mend_cable()

    def slow_disk(self, host, seconds):
        """The heartbeat's disk takes half a minute for what a heartbeat reads."""
        host.slow_heartbeat_disk(bytes_per_second=4096)
        try:
            time.sleep(self._rng.uniform(*seconds))
        finally:
            if host.is_up():
                host.slow_heartbeat_disk(bytes_per_second=0)

    def lose_disk(self, host):
        """The host sees its heartbeat's disk no more. Its kernel ends it after the time for a heartbeat."""
        host.run("echo $(basename $(readlink -f /sys/block/vda/device)) "
                 ">/sys/bus/virtio/drivers/virtio_blk/unbind", timeout=30)
        time.sleep(self._rng.uniform(*LONG))
        host.crash()   # what has no disk cannot join again

    def kill_libvirtd_in_save(self, host):
        """libvirt saves a VM's state at each step of a start or of a migration."""
        host.run("timeout -k 1 10 strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:"
                 f"when={self._rng.randint(1, 6)} -p $(pgrep -o -x libvirtd)", timeout=30)

    def configure(self, host):
        """The next start of the service, and of each host after a fault, brings the usual one back."""
        host.run(f"printf '{OTHER_CONFIGURATION}\n' >/etc/libvirt/start-guard.toml; "
                 "/lab/keeper stop; /lab/keeper start")
        time.sleep(self._rng.uniform(0, 10))

    def fill_run(self, host):
        host.run("head -c 2G /dev/zero >/run/full 2>/dev/null; "
                 f"sleep {self._rng.uniform(1, 8):.1f}; rm -f /run/full")

    def stop_o2cb(self, host):
        """`systemctl stop o2cb` as the package does it, after the end of all VMs or not: refused while the
        host holds a lock."""
        if self._rng.random() < 0.7:
            host.run("virsh -q list --name | xargs -r -n 1 virsh -q destroy", timeout=60)
        result = host.run("ln -sf /usr/bin/start-guard /usr/sbin/; "
                          f"PATH={STOP_O2CB}:$PATH {STOP_O2CB}/stop-o2cb", timeout=120)
        if result.status:
            raise LabError(f"refused: {result.err}")
        time.sleep(self._rng.uniform(0, 8))

    def touch_locks(self, host):
        """What an administrator tries by mistake. A lock that the keeper has open stays."""
        host.run(self._rng.choice(["rm -f /dlm/vms/*", "umount /dlm", "rmdir /dlm/vms",
                                   "for f in /dlm/vms/*; do timeout 3 sh -c \": >$f\"; done"]))


def provide_stop_o2cb(share):
    """Puts the package's stop of o2cb.service where all hosts see it. The hosts of the soak have no systemd.
    `share`: the lab's folder that is /share there."""
    folder = share / Path(STOP_O2CB).relative_to("/share")
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "install/stop-o2cb", folder)
    (folder / "o2cb.service").write_text("ExecStop=/lab/cluster leave\n")
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)


def prepare(host):
    """Starts libvirt's daemons and the service on a host, and links its folder of signs of life."""
    host.sh(f"rm -f /run/full; mkdir -p /share/{host.name}/life; "
            f"[ -e /run/lab/life ] || ln -s /share/{host.name}/life /run/lab/life; "
            "pkill -CONT -x 'libvirtd|qemu-system-x86|start-guard|qemu' || :; "
            f"pkill -CONT -f '{LOG_DAEMON}' || :; "
            f"echo '{CONFIGURATION}' >/etc/libvirt/start-guard.toml; "
            "/lab/cluster join; /lab/libvirt start; /lab/keeper start", timeout=120)


FAULTS = [
    (4, "kill a hook", lambda faults, host: faults.kill(host, "pkill -9 -o -x qemu")),
    (4, "kill a hook's child", lambda faults, host: faults.kill(host, "pkill -9 -n -x qemu")),
    (4, "kill the keeper", lambda faults, host: faults.kill(host, "/lab/keeper kill")),
    (3, "kill libvirtd", lambda faults, host: faults.kill(host, "/lab/libvirt kill")),
    (2, "kill libvirtd in a save", Faults.kill_libvirtd_in_save),
    (3, "kill a QEMU", lambda faults, host: faults.kill(host, "pkill -9 -n qemu-system")),
    (2, "kill all QEMUs", lambda faults, host: faults.kill(host, "pkill -9 qemu-system")),
    (2, "stop the hooks", lambda faults, host: faults.stop_for_a_while(host, "pgrep -x qemu")),
    (2, "stop the keeper", lambda faults, host: faults.stop_for_a_while(host, "/lab/keeper status")),
    (2, "stop libvirtd", lambda faults, host: faults.stop_for_a_while(host, "pgrep -x libvirtd")),
    (2, "stop QEMUs", lambda faults, host: faults.stop_for_a_while(host, "pgrep qemu-system")),
    (2, "stop the log daemon",
     lambda faults, host: faults.stop_for_a_while(host, f"pgrep -f '{LOG_DAEMON}'")),
    (2, "restart the keeper", lambda faults, host: host.run("/lab/keeper stop; /lab/keeper start")),
    (2, "restart libvirtd", lambda faults, host: host.run("/lab/libvirt restart")),
    (1, "another configuration", Faults.configure),
    (2, "replace the programs", lambda faults, host: host.run(
        "cd /etc/libvirt/hooks && cp -p qemu .new && mv .new qemu; "
        "cd /usr/bin && cp -p start-guard .new && mv .new start-guard; /lab/keeper stop; /lab/keeper start")),
    (3, "stop o2cb", Faults.stop_o2cb),
    (1, "power off", Faults.power_off),
    (1, "power off and take over", Faults.take_over),
    (2, "freeze the host", Faults.freeze),
    (2, "cable out for a moment", lambda faults, host: faults.cut_cable(host, SHORT)),
    (1, "cable out for long", lambda faults, host: faults.cut_cable(host, LONG)),
    (2, "slow disk for a moment", lambda faults, host: faults.slow_disk(host, SHORT)),
    (1, "slow disk for long", lambda faults, host: faults.slow_disk(host, LONG)),
    (1, "lost disk", Faults.lose_disk),
    (2, "full /run", Faults.fill_run),
    (2, "hands on /dlm", Faults.touch_locks),
]
