"""What administrators do: one worker on each host, at random, several VMs at once."""

import random
import time

from image import LabError
from soak.pausable import Pausable

SAVED = "/share/soak/{vm}.save"   # seen by all hosts, as a save on shared storage is
# The description of the last snapshot, whose content is in the VM's disk.
SNAPSHOT = "/share/soak/{vm}.snapshot"
TAKE_SNAPSHOT = "virsh snapshot-create-as {vm} s$(date +%s%N)"
# libvirt migrates no VM that has snapshots, so it must not know them for long.
FORGET_SNAPSHOTS = ("for each in $(virsh -q snapshot-list --name {vm}); do "
                    "virsh -q snapshot-delete --metadata {vm} $each; done")
END = 150                         # seconds; libvirt gives up a silent peer after 30 s


def migrate(options=""):
    # libvirt does not know that all hosts see the same disk, so it calls this unsafe.
    return f"virsh migrate --live --unsafe {options} {{vm}} qemu+tcp://{{to}}/system"


def forget_snapshots_after(commands):
    return f"{commands}; status=$?; {FORGET_SNAPSHOTS}; exit $status"


# (weight, what, command), for a VM that runs on the worker's host. {to}: another host.
WHERE_IT_RUNS = [
    (6, "destroy", "virsh destroy {vm}"),
    (3, "shutdown", "virsh shutdown {vm}"),
    (3, "suspend and resume", "virsh suspend {vm} && virsh resume {vm}"),
    (2, "reset", "virsh reset {vm}"),
    (2, "reboot", "virsh reboot {vm}"),
    (3, "save", f"virsh save {{vm}} {SAVED}"),
    (3, "managed save", "virsh managedsave {vm}"),
    (5, "snapshot", forget_snapshots_after(
        f"{TAKE_SNAPSHOT} && virsh snapshot-current {{vm}} >{SNAPSHOT}")),
    (3, "snapshot and revert", forget_snapshots_after(
        f"{TAKE_SNAPSHOT} && virsh snapshot-revert {{vm}} --current")),
    (6, "migrate", migrate()),
    (4, "migrate p2p", migrate("--p2p")),
    (2, "migrate tunnelled", migrate("--p2p --tunnelled")),
    (2, "migrate postcopy", migrate("--postcopy --postcopy-after-precopy")),
    (2, "migrate suspended", migrate("--suspend") + " && virsh -c qemu+tcp://{to}/system resume {vm}"),
    (2, "migrate abort on error", migrate("--abort-on-error")),
    (2, "migrate with a limit", migrate("--timeout 2 --timeout-suspend")),
    (1, "migrate and abort", migrate("--bandwidth 1") + " & sleep 1; virsh domjobabort {vm}; wait $!"),
    (2, "start a running VM", "virsh start {vm}"),
    (1, "release a running VM", "! start-guard release {vm}"),
]

# The same for a VM that does not run there, on whatever host it is.
ELSEWHERE = [
    (12, "start", "virsh start {vm}"),
    (2, "start paused and resume", "virsh start --paused {vm} && virsh resume {vm}"),
    (5, "restore", f"[ -e {SAVED} ] && virsh restore {SAVED} && rm -f {SAVED}"),
    (4, "revert to a snapshot", forget_snapshots_after(
        f"[ -e {SNAPSHOT} ] && virsh snapshot-create {{vm}} {SNAPSHOT} --redefine --current && "
        "virsh snapshot-revert {vm} --current")),
    (1, "drop managed save", "virsh managedsave-remove {vm}"),
    (2, "holder", "start-guard holder {vm}"),
    (1, "release", "start-guard release {vm}"),
    (1, "list", "start-guard list --cluster"),
    (1, "check", "start-guard check"),
    (1, "reconcile", "start-guard reconcile"),
    (1, "lock", "start-guard lock soak -- sleep 0.5"),
]


def pick(rng, table):
    weights, names, commands = zip(*table)
    index = rng.choices(range(len(table)), weights)[0]
    return names[index], commands[index]


class Worker(Pausable):
    """Does one operation after another on one host."""

    def __init__(self, host, others, vms, history, seed):
        super().__init__(history)
        self._host, self._others, self._vms = host, others, vms
        self._rng = random.Random(f"{seed} {host.name}")

    def act(self):
        try:
            self.operate()
        except (OSError, LabError):   # the host is down, or its agent does not answer yet
            time.sleep(1)

    def operate(self):
        running = self._host.run("virsh -q list --name", timeout=END).out.split()
        vm = self._rng.choice(self._vms)
        what, command = pick(self._rng, WHERE_IT_RUNS if vm in running else ELSEWHERE)
        to = self._rng.choice(self._others).name
        began = time.time()
        status, text = None, "the host went away"
        try:
            result = self._host.run(command.replace("{vm}", vm).replace("{to}", to), timeout=END)
            status, text = result.status, " ".join((result.err or result.out).split())[:400]
        except (OSError, LabError) as error:
            text = str(error).split("\n")[0][:200]
        self._history.add("operation", what, began, host=self._host.name, to=to, vm=vm, status=status,
                          text=text)
