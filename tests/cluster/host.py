"""One host of the lab, a QEMU guest: its power, network cable, disk, and commands that run in it."""

import dataclasses
import json
import os
import secrets
import select
import socket
import subprocess
import time
from pathlib import Path

from image import LabError
from process import NotedProcess

BOOT_SECONDS = 180  # a limit; a boot usually takes 20 s, and several times that on a loaded machine
MEMORY = "1024"


class HostTimeout(LabError):
    """A command did not end in time. It is killed, unless it sleeps in the kernel."""


class CommandFailed(LabError):
    """A command that must succeed failed."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a command: `status` is its exit status, or -N if signal N ended it."""

    command: str
    status: int
    out_bytes: bytes
    err_bytes: bytes
    seconds: float

    @property
    def out(self):
        return self.out_bytes.decode(errors="replace")

    @property
    def err(self):
        return self.err_bytes.decode(errors="replace")

    def __str__(self):
        return (f"$ {self.command}\nstatus {self.status} after {self.seconds:.1f} s\n"
                f"--- stdout\n{self.out}--- stderr\n{self.err}---")


class Command:
    """A command that runs in a host in the background."""

    def __init__(self, host, command, input, env):
        self.host, self.command = host, command
        self._began = time.monotonic()
        self._result = None
        data = input.encode() if isinstance(input, str) else input or b""
        request = {"command": command, "env": env or {}, "input": len(data)}
        self._connection = socket.create_connection(("127.0.0.1", host.agent_port), timeout=30)
        self._connection.sendall(json.dumps(request).encode() + b"\n" + data)
        self._answer = b""

    def wait(self, timeout=60) -> Result:
        """Waits for the result and returns it. Raises HostTimeout if the command does not end within
        `timeout` seconds; the command continues to run."""
        if self._result is None:
            until = time.monotonic() + timeout
            head, _, body = self._receive_until(lambda got: b"\n" in got, until).partition(b"\n")
            head = json.loads(head)
            size = self._answer.index(b"\n") + 1 + head["out"] + head["err"]
            self._receive_until(lambda got: len(got) >= size, until)
            body = self._answer[size - head["out"] - head["err"]:]
            self._result = Result(self.command, head["status"], body[:head["out"]],
                                  body[head["out"]:], time.monotonic() - self._began)
            self._connection.close()
        return self._result

    def running(self):
        """Returns whether there is no result yet."""
        return self._result is None and not select.select([self._connection], [], [], 0)[0]

    def kill(self):
        """Kills the command's process group. The result is lost."""
        self._connection.close()

    def _receive_until(self, enough, until):
        while not enough(self._answer):
            self._connection.settimeout(max(0.001, until - time.monotonic()))
            try:
                more = self._connection.recv(1 << 20)
            except TimeoutError:
                raise HostTimeout(f"{self.host.name}: no end yet of: {self.command}") from None
            except OSError as error:
                raise LabError(f"{self.host.name}: {self.command}: {error}") from None
            if not more:
                raise LabError(f"{self.host.name}: host or agent went away during: {self.command}")
            self._answer += more
        return self._answer


class Host:
    """A host, identified by its number. All its state is in the lab's folder, none in this object, so
    any process can use it."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number
        self.name = f"node{number}"
        self.address = f"10.77.0.{number}"
        self.folder: Path = lab.folder / "share" / self.name  # seen in the host as /share/nodeN
        self.hook_trace = self.folder / "hook-trace"
        self._qemu = NotedProcess(lab.folder / f"{self.name}.json")

    def __repr__(self):
        return self.name

    # Power

    def boot(self):
        """Starts the host, which must be down. Returns when it is ready."""
        self.power_on()
        self.wait_ready()

    def power_on(self):
        if self.is_up():
            raise LabError(f"{self.name} is up already")
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port(socket.SOCK_STREAM)
        pid_file = self.lab.folder / f"{self.name}.pid"
        pid_file.unlink(missing_ok=True)
        started = subprocess.run(self._command_line(port), cwd=self.lab.folder, text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        if started.returncode:
            raise LabError(f"{self.name}: QEMU does not start: {started.stderr}")
        self._qemu.note(int(pid_file.read_text()), port=port)

    def _command_line(self, port):
        lab, name = self.lab, self.name
        # Relative to QEMU's working directory, because QEMU's options cannot have every path.
        image = os.path.relpath(lab.image.folder, lab.folder)
        # With a second processor the emulator is two to three times slower, because it then emulates
        # atomic operations. AVX and five-level page tables (la57) also cost some time. With erms and fsrm the
        # kernel uses instructions that clear and copy memory byte by byte in the emulator.
        accel = ["-accel", "kvm", "-cpu", "host"] if lab.kvm() else \
            ["-accel", "tcg", "-cpu", "max,la57=off,avx=off,avx2=off,erms=off,fsrm=off"]
        # norandmaps: the emulator translates code again at each new address. no_timer_check: on a busy machine
        # no tick may come while the kernel tests its timer, and it would panic. With KVM it does not test it.
        cmdline = "console=ttyS0 loglevel=6 panic=-1 mitigations=off rcupdate.rcu_expedited=1 " \
                  f"norandmaps no_timer_check lab.node={self.number}"
        # Heartbeats go to this machine's page cache, which all hosts of the lab share: a disk that is
        # slow during a build must not look like a dead host.
        disk = "format=raw,if=none,file.locking=off,cache=unsafe"
        return [
            "qemu-system-x86_64", "-name", name, "-daemonize", "-pidfile", f"{name}.pid",
            *accel, "-m", MEMORY,
            "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot",  # a host that resets itself (self-fencing) stays down
            "-kernel", f"{image}/vmlinux", "-initrd", f"{image}/initrd",
            "-append", cmdline,
            "-chardev", f"file,id=console,path=share/{name}/console.log,append=on",
            "-serial", "chardev:console",
            "-qmp", f"unix:{name}.qmp,server=on,wait=off",
            "-fsdev", f"local,id=root,path={image}/root,security_model=none,readonly=on,"
                       "multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-fsdev", "local,id=share,path=share,security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
            "-drive", f"id=heartbeat,file=heartbeat.img,{disk}",
            "-device", "virtio-blk-pci,drive=heartbeat,share-rw=on",
            "-drive", f"id=spare,file=spare.img,{disk}",
            "-device", "virtio-blk-pci,drive=spare,share-rw=on",
            "-netdev", f"user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:7000",
            "-device", "virtio-net-pci,netdev=control,romfile=",
            "-netdev", f"socket,id=wire,mcast=230.0.0.1:{lab.wire_port()},localaddr=127.0.0.1",
            "-device", f"virtio-net-pci,id=cable,netdev=wire,romfile=,"
                       f"mac=52:54:00:77:00:{self.number:02x}",
            "-device", "virtio-rng-pci",
        ]

    def wait_ready(self, timeout=BOOT_SECONDS):
        """Waits until the host's heartbeat runs, /dlm is mounted and libvirt answers."""
        until = time.monotonic() + timeout
        waiting = ("cd /run/lab && until [ -e cluster ] && [ -e libvirt ];"
                   " do [ ! -e failed ] || exit 1; sleep 0.2; done")
        while True:
            try:
                return self.sh(waiting, timeout=max(1, until - time.monotonic()))
            except (OSError, LabError) as error:
                hopeless = isinstance(error, CommandFailed) or not self.is_up()
                if hopeless or time.monotonic() > until:
                    raise LabError(
                        f"{self.name} does not come up: {error}\n{self.tail()}") from None
            time.sleep(0.2)

    def is_up(self):
        return self._qemu.runs()

    def processor_seconds(self):
        """Returns the processor time that the host has used. Other load on this machine does not change
        it, unlike the times that the host's kernel reports of its processes."""
        fields = Path(f"/proc/{self._qemu.noted()['pid']}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def crash(self):
        """Cuts the power: no program in the host can shut down cleanly."""
        self._qemu.kill()

    def power_off(self):
        """Leaves the cluster, then cuts the power, so that no host waits for an eviction. For a host
        whose VMs and locks are no longer needed."""
        try:
            self.run("/lab/libvirt kill; pkill -9 qemu-system; /lab/cluster leave", timeout=20)
        except (OSError, LabError):
            pass  # crash() follows in any case
        self.crash()

    def freeze(self):
        """Stops the host's processors: it does not answer, and no program in it can detect that."""
        self.monitor("stop")

    def thaw(self):
        self.monitor("cont")

    # Cable

    def cut_cable(self):
        """Disconnects the host from the cluster's network. Its disk and the tests' connection to it
        still work."""
        self.monitor("set_link", name="cable", up=False)

    def mend_cable(self):
        self.monitor("set_link", name="cable", up=True)

    def slow_heartbeat_disk(self, bytes_per_second):
        """Limits the heartbeat's disk, for this host only. 0: no limit."""
        self.monitor("block_set_io_throttle", device="heartbeat", bps=bytes_per_second, bps_rd=0, bps_wr=0,
                     iops=0, iops_rd=0, iops_wr=0)

    def monitor(self, command, **arguments):
        """Sends a QMP command to this host's QEMU and returns the reply."""
        # The path of a socket has at most 107 bytes; the lab's folder may have a longer one.
        folder = os.open(self.lab.folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as qmp:
                qmp.settimeout(20)
                qmp.connect(f"/proc/self/fd/{folder}/{self.name}.qmp")
                stream = qmp.makefile("rw")
                stream.readline()
                for asked in ({"execute": "qmp_capabilities"},
                              {"execute": command, "arguments": arguments}):
                    stream.write(json.dumps(asked))
                    stream.flush()
                    answer = {}
                    while not answer.keys() & {"return", "error"}:
                        line = stream.readline()
                        if not line:
                            raise LabError(f"{self.name}: went away during monitor {command}")
                        answer = json.loads(line)
                if "error" in answer:
                    raise LabError(f"{self.name}: monitor {command}: {answer['error']['desc']}")
                return answer["return"]
        finally:
            os.close(folder)

    # Commands

    @property
    def agent_port(self):
        if not self.is_up():
            raise LabError(f"{self.name} is down")
        return self._qemu.noted()["port"]

    def start(self, command, input=None, env=None) -> Command:
        """Starts a shell command as root and does not wait for it."""
        return Command(self, command, input, env)

    def run(self, command, timeout=60, input=None, env=None) -> Result:
        """Runs a shell command as root. Waits until it has ended and no process has its stdout or
        stderr open. If that takes more than `timeout` seconds, kills it and raises HostTimeout."""
        started = self.start(command, input, env)
        try:
            return started.wait(timeout)
        finally:
            started.kill()

    def sh(self, command, timeout=60, input=None, env=None) -> str:
        """Runs a shell command that must succeed and returns its stdout."""
        result = self.run(command, timeout, input, env)
        if result.status:
            raise CommandFailed(f"{self.name}: {result}")
        return result.out

    def put(self, local, remote, mode=0o755):
        """Copies a file of this machine into the host. Renames it into place, so it replaces the old
        file atomically."""
        self.sh(f"cat >{remote}.new && chmod {mode:o} {remote}.new && mv {remote}.new {remote}",
                input=Path(local).read_bytes())

    # libvirt, the keeper and the locks

    def install_hook(self, path):
        """Installs a hook, and again at each boot of the host; None removes it. Restarts libvirtd,
        because libvirt looks for hooks only when it starts."""
        self.keep_hook(path)
        self.sh("/lab/libvirt hook && /lab/libvirt restart")

    def keep_hook(self, path):
        """Puts a hook on the host's disk. The next boot or reset installs it."""
        kept = self.folder / "disk/hooks/qemu"
        if path is None:
            kept.unlink(missing_ok=True)
        else:
            keep_program(path, kept)

    def restart_libvirtd(self):
        self.sh("/lab/libvirt restart")

    def start_libvirtd(self):
        self.sh("/lab/libvirt start")

    def kill_libvirtd(self):
        """Kills libvirtd with SIGKILL. Its VMs and hooks continue to run. start_libvirtd() starts it
        again."""
        self.sh("/lab/libvirt kill")

    def install_keeper(self, path):
        """Puts the keeper's program on the host's disk. start_keeper() installs and runs it."""
        keep_program(path, self.folder / "disk/start-guard")

    def start_keeper(self):
        """Starts the keeper. Returns when the keeper accepts locks from hooks. Does nothing if a keeper
        already runs."""
        self.sh("/lab/keeper start")

    def stop_keeper(self):
        """Sends SIGTERM, as systemd does for the service. Returns when the keeper has ended."""
        self.sh("/lab/keeper stop")

    def kill_keeper(self):
        self.sh("/lab/keeper kill")

    def holds(self, domain="vms"):
        """Returns the names in the domain's folder, /dlm/vms by default: the locks this host holds,
        and files it failed to remove."""
        return sorted(self.sh(f"ls -A /dlm/{domain} 2>/dev/null || :").split())

    def level(self, lock, domain="vms"):
        """Returns the level at which this host holds a lock, "EX" or "PR", or None. Reads the lock
        manager's debugfs, because `ls` does not show the level. A host's debugfs lists at least that
        host's own locks."""
        state = self.sh(f"sed -n '/^NAME:{lock}$/,/^$/p' /sys/kernel/debug/o2dlm/{domain}/"
                        "locking_state 2>/dev/null || :")
        for line in state.splitlines():
            # LOCK:version,list (0 granted, 1 converting, 2 blocked),level,wanted level,node,…
            if line.startswith("LOCK:1,"):
                _, queue, level, _, node = line.split(",")[:5]
                if int(node) == self.number and queue in "01":
                    return {"3": "PR", "5": "EX"}.get(level)
        return None

    # Logs

    def mark(self):
        """Returns the current end of the host's syslog, for log_since()."""
        log = self.folder / "syslog"
        return log.stat().st_size if log.exists() else 0

    def await_log(self):
        """Waits until the log daemon has written all lines that were sent to it before."""
        word = secrets.token_hex(8)
        self.sh(f"/lab/busybox logger -t lab {word}; until tail -n 50 /share/{self.name}/syslog | "
                f"grep -q {word}; do sleep 0.05; done", timeout=20)

    def log_since(self, mark):
        """Returns what the host's syslog got after `mark`. Also works if the host is down. The log
        daemon may write a line later than the hook sends it: see await_log()."""
        with open(self.folder / "syslog", "rb") as log:
            log.seek(mark)
            return log.read().decode(errors="replace")

    def tail(self, lines=25):
        """Returns the last lines of each of the host's logs, for people."""
        text = ""
        for log in (*sorted(self.folder.glob("*log")), *self.folder.glob("libvirt/qemu/*.log")):
            if log.exists() and log.stat().st_size:
                end = log.read_bytes()[-lines * 200:].decode(errors="replace").splitlines()
                text += f"--- {self.name}: {log.name}\n" + "\n".join(end[-lines:]) + "\n"
        return text


def keep_program(path, kept):
    """Copies a program to a host's disk, if the file there is missing or different. Renames it into
    place."""
    wanted = Path(path).read_bytes()
    if not kept.exists() or kept.read_bytes() != wanted:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(kept.name + ".new")
        part.write_bytes(wanted)
        part.chmod(0o755)
        part.rename(kept)


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
