"""What must be true when the faults have ceased and everything is mended."""

import json
import time

from host import HostTimeout
from image import LabError
from soak.operations import FORGET_SNAPSHOTS, migrate

SETTLED = 90         # seconds until the keepers have compared locks with VMs, and libvirt has given up peers
MORE_MEMORY = 8192   # KiB that the keeper may grow by from the first rest to any later one
MORE_FILES = 4       # descriptors beside those of locks and bells

# Prints a line of JSON: the running VMs, the VMs of the QEMU processes, the locks, what `list` says, the
# files of VMs in the state directory, the hook's processes, and the keeper's memory and descriptors.
_LOOK = r"""
keeper=$(/lab/keeper status)
python3 -I - "$keeper" <<'END'
import json, os, re, subprocess, sys
def said(command):
    done = subprocess.run(command, shell=True, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout
def names(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
def arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().split("\0")
    except OSError:
        return [""]
qemus = [args[args.index("-uuid") + 1] for args in map(arguments, filter(str.isdigit, os.listdir("/proc")))
         if "qemu-system" in args[0] and "-uuid" in args]
keeper = sys.argv[1]
def failed_checks():
    checked = subprocess.run("start-guard check --json", shell=True, text=True, capture_output=True)
    return [f"{check['check']}: {check['found']}" for check in json.loads(checked.stdout)["checks"]
            if check["state"] == "fail"]
print(json.dumps({
    "failed": failed_checks(),
    "running": sorted(said("virsh -q list --name").split()),
    "paused": sorted(said("virsh -q list --name --state-paused").split()),
    "qemus": sorted(qemus),
    "locks": names("/dlm/vms"),
    "bells": names("/dlm/vms-bell"),
    "files": [name for name in names("/run/start-guard") if re.match("[0-9a-f]{8}-", name)],
    "list": json.loads(said("start-guard list --json"))["locks"],
    "hooks": subprocess.run("pgrep -c -x -r D,R,S,T qemu", shell=True, text=True, capture_output=True).stdout.strip(),
    "memory": int(re.search(r"VmRSS:\s*(\d+)", open(f"/proc/{keeper}/status").read())[1]),
    "descriptors": len(os.listdir(f"/proc/{keeper}/fd")),
    "keeper": keeper,
}))
END
"""

# Prints where in the kernel the processes are that cannot be killed, and then all processes.
_PROCESSES = r"""
for pid in $(ps -e -o pid=,stat= | sed -n 's/^ *\([0-9]*\) D.*/\1/p'); do
    ps -o pid=,ppid=,etimes=,args= -p $pid
    sed 's/^/    /' /proc/$pid/stack
done
ps --ppid 2 -p 2 --deselect -o pid,ppid,stat,etimes,wchan:32,args
"""


def _processes(host):
    try:
        return host.run(_PROCESSES, timeout=30).out
    except (OSError, LabError) as error:
        return str(error)


class Rest:
    """Checks the hosts, and then starts each VM that runs nowhere and migrates each that runs."""

    def __init__(self, hosts, vms, lock_names, history, rng, mend, lost_replies):
        """`vms`: {name: UUID}, `lock_names`: {name: name of its lock}, `mend`: brings up what is down on
        a host."""
        self._hosts, self._vms, self._locks, self._history, self._rng, self._mend, self._lost_replies = \
            hosts, vms, lock_names, history, rng, mend, lost_replies
        self._first = {}   # the keeper's (memory, descriptors) at the first rest, by host

    def check(self):
        """Returns the findings, as texts."""
        try:
            return self._check()
        except (OSError, LabError) as error:   # an earlier fault made the cluster fence a host only now
            self._history.add("rest", f"interrupted: {error}".split("\n")[0])
        try:
            return self._check()
        except (OSError, LabError) as error:
            return [f"a host does not stay up although nothing is done to it: {error}"]

    def _check(self):
        for host in self._hosts:
            self._mend(host)
        self._forget_abandoned_starts()
        for host in self._hosts:
            for vm in self._vms:
                host.sh(FORGET_SNAPSHOTS.replace("{vm}", vm), timeout=60)
        self._end_copies_of_lost_replies()
        self._end_vms_whose_file_was_opened_by_hand()
        return self._agree() or self._start_and_migrate() or self._agree()

    def _forget_abandoned_starts(self):
        """Does what start-guard(7) says if libvirt lists a VM that has no QEMU, because its daemon was
        killed while it started one."""
        for host in self._hosts:
            for vm in host.sh("virsh -q list --name --state-paused").split():
                file = f"/run/libvirt/qemu/{vm}.xml"
                if host.run(f"virsh domstate --reason {vm} | grep -q 'starting up' && "
                            f"grep -q \"pid='0'\" {file}").status == 0:
                    self._history.add("limit", f"libvirt lists {vm} without a QEMU", host=host.name, vm=vm)
                    host.sh(f"/lab/libvirt stop && rm {file} && /lab/libvirt start", timeout=60)

    def _end_copies_of_lost_replies(self):
        places = {}
        for host in self._hosts:
            for vm in host.sh("virsh -q list --name").split():
                places.setdefault(vm, []).append(host.name)
        for vm, on in places.items():
            if len(on) == 2 and self._lost_replies.explain(vm, *on, time.time()):
                self._history.add("limit", f"a migration's lost reply left {vm} on {' and on '.join(on)}",
                                  vm=vm)
                self._lost_replies.end_one_copy(vm, *on)

    def _end_vms_whose_file_was_opened_by_hand(self):
        """Does what start-guard(7) says of a process that opened a lock's file by hand (Faults.touch_locks)
        on the source of a migration: both hosts keep PR until the VM has ended."""
        for host in self._hosts:
            waiting = host.run("pgrep -a -f '^sh -c : >/dlm/vms/'").out
            for vm, lock in self._locks.items():
                if f"/dlm/vms/{lock}" not in waiting:
                    continue
                running = [each for each in self._hosts if vm in each.sh("virsh -q list --name").split()]
                if len(running) < 2:
                    self._history.add("limit", f"a process on {host.name} waits for the lock of {vm}", vm=vm)
                    for each in running:
                        each.run(f"virsh -q destroy {vm}")

    def _agree(self):
        until = time.monotonic() + SETTLED
        while True:
            findings = self._differences()
            if not findings or time.monotonic() > until:
                return findings
            time.sleep(1)

    def _differences(self):
        findings, places = [], {}
        for host in self._hosts:
            if not host.is_up():
                raise LabError(f"{host.name} is down")
            try:
                seen = json.loads(host.sh(_LOOK, timeout=60))
            except HostTimeout:
                findings.append(f"{host.name}: no answer in 60 s; what it does:\n{_processes(host)}")
                continue
            except (OSError, LabError, ValueError) as error:
                findings.append(f"{host.name}: {error}")
                continue
            running = seen["running"]
            for vm in running:
                places.setdefault(vm, []).append(host.name)
            findings += self._differences_on(host, seen, running)
        findings += [f"{vm} runs on {' and '.join(on)}" for vm, on in places.items() if len(on) > 1]
        return findings

    def _differences_on(self, host, seen, running):
        def differ(what, is_, wanted):
            return [] if is_ == wanted else [f"{host.name}: {what}: {is_}, not {wanted}"]

        locks = sorted(self._locks[vm] for vm in running)
        uuids = sorted(self._vms[vm] for vm in running)
        files = [name for name in seen["files"] if not name.endswith((".flock", ".migrate"))]
        said = sorted((lock["vm"], lock["level"], lock["kept"], lock["runs"], len(lock["anomalies"]))
                      for lock in seen["list"])
        memory, descriptors = seen["memory"], seen["descriptors"] - 2 * len(locks)
        first = self._first.setdefault(host.name, (memory, descriptors))
        return [
            *differ("QEMU processes", seen["qemus"], uuids),
            *differ("locks", seen["locks"], locks),
            *differ("bells", seen["bells"], locks),
            *differ("records", files, uuids),
            *differ("list", said, sorted((vm, "EX", True, True, 0) for vm in running)),
            *differ("processes of the hook", seen["hooks"], "0"),
            *differ("failed checks", seen["failed"], []),
            *([] if memory <= first[0] + MORE_MEMORY else
              [f"{host.name}: the keeper's memory grew from {first[0]} to {memory} KiB"]),
            *([] if descriptors <= first[1] + MORE_FILES else
              [f"{host.name}: the keeper's descriptors grew from {first[1]} to {descriptors}"]),
        ]

    def _start_and_migrate(self):
        findings = []
        for vm in self._vms:
            on = next((host for host in self._hosts
                       if vm in host.sh("virsh -q list --name").split()), None)
            if not on:
                on = self._rng.choice(self._hosts)
                findings += self._must(on, vm, "start at rest", f"virsh start {vm}")
            elif "paused" in on.sh(f"virsh domstate {vm}"):
                if not self._resumes(on, vm):
                    findings += self._must(on, vm, "start at rest", f"virsh start {vm}")
            to = self._rng.choice([host for host in self._hosts if host is not on])
            findings += self._must(on, vm, "migrate at rest", migrate().format(vm=vm, to=to.name),
                                   to=to.name)
        return findings

    def _resumes(self, host, vm):
        """Resumes a paused VM. One whose post-copy migration broke cannot go on: ends it."""
        reason = host.sh(f"virsh domstate --reason {vm}")
        if "post-copy" not in reason and host.run(f"virsh resume {vm}").status == 0:
            return True
        host.sh(f"virsh destroy {vm}")
        return False

    def _must(self, host, vm, what, command, **more):
        began = time.time()
        result = host.run(command, timeout=120)
        self._history.add("operation", what, began, host=host.name, vm=vm, status=result.status,
                          text=" ".join(result.err.split())[:400], **more)
        return [] if result.status == 0 else [f"{host.name}: {what}: {result}"]
