"""The lab: up to three hosts in one cluster, with libvirt, on one machine.

All its files are in one folder, `build/lab` or START_GUARD_LAB_DIR:
    share/       /share in every host: logs, the files on each host's disk, files to pass
    heartbeat.img, spare.img    the shared disks, /dev/vda and /dev/vdb in a host
    nodeN.json, nodeN.pid, nodeN.qmp, watcher.json    the processes, and the sockets of QEMU's monitors
    hook-calls   how long the hook's calls took in each story
    hosts, suite, wire, accel    the number of hosts, the release of Debian that they boot, the port of
                 their network, kvm or tcg
What the hosts boot is in build/images/SUITE, for all labs.
"""

import fcntl
import os
import select
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vm
from host import Host, free_port
from image import REPOSITORY, Image, LabError, check_tools, own_suite
from process import NotedProcess

MOST_HOSTS = 3  # o2cb's configuration has all three from the start, so a third can join at any time


class Lab:
    host_kind = Host
    below = ""  # the lab's folder, relative to the folder given

    def __init__(self, folder=None):
        default = os.environ.get("START_GUARD_LAB_DIR") or REPOSITORY / "build/lab"
        self.folder = Path(folder or default).resolve() / self.below
        self.hook_calls = self.folder / "hook-calls"
        self._occupied = None
        self._watcher = NotedProcess(self.folder / "watcher.json")
        self._hosts = [self.host_kind(self, number) for number in range(1, MOST_HOSTS + 1)]

    def host(self, number) -> Host:
        return self._hosts[number - 1]

    def every_host(self):
        return self._hosts

    def hosts(self):
        """Returns the hosts that `up` started. A story may boot a further one for itself."""
        try:
            return self._hosts[:int((self.folder / "hosts").read_text())]
        except FileNotFoundError:
            raise LabError(f"no lab in {self.folder}: run tests/cluster/lab up") from None

    @property
    def image(self) -> Image:
        """What the hosts boot."""
        return Image((self.folder / "suite").read_text())

    def up(self, hosts=2, suite=None):
        """Starts the hosts that do not run yet, and waits until all are ready. They boot the Debian
        release `suite`: START_GUARD_SUITE, or this machine's own, if it is None."""
        self.folder.mkdir(parents=True, exist_ok=True)
        suite = self.make_image(suite)
        with self._alone():
            if not any(host.is_up() for host in self._hosts):
                (self.folder / "suite").write_text(suite)
                self._start_afresh()
            elif suite != self.image.suite:
                raise LabError(f"{self.folder} is up with {self.image.suite}: run "
                               "tests/cluster/lab down first")
            (self.folder / "hosts").write_text(str(hosts))
            for host in self.hosts():
                if not host.is_up():
                    host.power_on()
            in_parallel(lambda host: host.wait_ready(), self.hosts())

    def make_image(self, suite=None):
        """Makes what the hosts of a release boot, if it is missing. Returns the name of the release."""
        check_tools()
        suite = suite or os.environ.get("START_GUARD_SUITE") or own_suite()
        Image(suite).make()
        return suite

    def down_after(self, owner):
        """Starts a background process that ends the hosts when process `owner` ends, for whatever
        reason. It waits on a pidfd, so a later process with the same PID cannot be mistaken for it."""
        gone = os.pidfd_open(owner)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._watcher.kill()
        watcher = os.fork()
        if watcher:
            os.close(gone)
            self._watcher.note(watcher)
            return
        os.setsid()
        for fd in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        select.select([gone], [], [])
        try:
            self._end_hosts()
        finally:
            os._exit(0)

    def down(self):
        """Ends every host, using the PIDs recorded at its start. Keeps the kernel and the logs."""
        self._watcher.kill()
        self._end_hosts()

    def _end_hosts(self):
        if self.folder.exists():
            with self._alone():
                for host in self._hosts:
                    host.crash()

    def occupy(self):
        """Waits until no other process runs stories in this lab, then keeps the lab locked until this
        process ends: two processes would reset each other's hosts."""
        if self._occupied:
            return
        self.hosts()
        self._occupied = os.open(self.folder / "occupied", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._occupied, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"lab: {self.folder} is in use by another process; waiting", flush=True)
            fcntl.flock(self._occupied, fcntl.LOCK_EX)

    def _alone(self):
        """Returns a locked file. Until it is closed, another `lab up` or `lab down` waits."""
        lock = open(self.folder / "lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def _start_afresh(self):
        for calls in (self.hook_calls, self.folder / "systemd" / self.hook_calls.name):
            calls.unlink(missing_ok=True)
        for host in self._hosts:
            shutil.rmtree(host.folder, ignore_errors=True)
        (self.folder / "share/cache").mkdir(parents=True, exist_ok=True)
        for name, content in vm.files().items():
            (self.folder / "share" / name).write_bytes(content)
        for disk, size in (("heartbeat.img", 1 << 20), ("spare.img", 1 << 29)):
            (self.folder / disk).unlink(missing_ok=True)
            with open(self.folder / disk, "wb") as made:
                made.truncate(size)
        (self.folder / "wire").write_text(str(free_port(socket.SOCK_DGRAM)))
        self.kvm()

    def wire_port(self):
        """Returns the multicast port of this lab's network. Each lab has another one."""
        return int((self.folder / "wire").read_text())

    def kvm(self):
        """Returns whether KVM can boot a kernel here. Tries it once, because KVM may be present and
        yet hang. In that test the kernel finds no root and panics, which ends QEMU."""
        known = self.folder / "accel"
        if not known.exists():
            argv = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256",
                    "-nodefaults", "-display", "none", "-no-reboot",
                    "-kernel", self.image.kernel, "-append", "panic=-1"]
            works = False
            if os.access("/dev/kvm", os.R_OK | os.W_OK):
                try:
                    works = subprocess.run(argv, timeout=10, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL).returncode == 0
                except subprocess.TimeoutExpired:
                    pass
            known.write_text("kvm" if works else "tcg")
        return known.read_text() == "kvm"

    # For stories

    def define_vm(self, name, uuid, hosts=None, xml=vm.XML):
        """Defines the same tiny VM on each host, by default without a disk."""
        in_parallel(lambda host: host.sh("virsh -q define /dev/stdin",
                                         input=xml.format(name=name, uuid=uuid)),
                    hosts or self.hosts())

    def reset(self, hook=None):
        """Resets every host: it is up, its cable is connected, its heartbeat runs, it has no VM, saved
        VM, lock, record or configuration; `hook` (a path, or None) is installed and libvirtd has
        loaded it. Ends further hosts."""
        for host in self._hosts[len(self.hosts()):]:
            if host.is_up():
                host.power_off()
        in_parallel(lambda host: self._reset(host, hook), self.hosts())

    def boot_further(self, number, hook=None) -> Host:
        """Boots a further host, freshly reset. It runs until the next reset()."""
        self._reset(self.host(number), hook)
        return self.host(number)

    def _reset(self, host, hook):
        host.keep_hook(hook)
        if host.is_up():
            try:
                host.mend_cable()
                host.thaw()
                return host.sh("/lab/reset", timeout=45)
            except (OSError, LabError) as error:
                print(f"lab: {host.name} can't be reset and is booted again: {error}", flush=True)
                host.crash()
        for left in ("vms", "save"):
            shutil.rmtree(host.folder / "disk" / left, ignore_errors=True)
        host.boot()
        return host.sh("/lab/reset", timeout=45)


def in_parallel(work, hosts):
    """Calls work(host) for all hosts in parallel. When all have ended, raises the first failure."""
    with ThreadPoolExecutor(max_workers=MOST_HOSTS) as pool:
        return list(pool.map(work, hosts))
