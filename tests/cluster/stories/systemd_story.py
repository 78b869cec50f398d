"""Base for stories of bare hosts with systemd: the hosts, the commands of README.md and
install/README.md (the pages) that make a guarded cluster of them, the packages, and queries to a host."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

from stories.guarded import LATE, GuardedVm, lock_name

import vm
from host import CommandFailed
from lab import REPOSITORY, in_parallel
from systemd_lab import SystemdLab

PAGES = "".join((REPOSITORY / page).read_text() for page in ("README.md", "install/README.md"))
LAB = SystemdLab()
HOSTS = [LAB.host(1), LAB.host(2)]
FURTHER = LAB.host(3)
VM_FIRMWARE = "/var/lib/libvirt/images/vm-idle"  # QEMU's own user cannot use the share
DEB = "/root/start-guard_this_amd64.deb"
HOOKS = "/etc/libvirt/hooks"
PACKAGES = []  # the package of this build, and the same package with a higher version

# The hosts of the lab have no ssh.
IN_THE_LAB = {
    "virsh migrate --live web qemu+ssh://node2/system":
        "virsh migrate --live web qemu+tcp://node2/system",
}

# Most stories' VM has no disk. A real VM's disk would be on shared storage.
XML = vm.XML.replace("/share/vm-idle", VM_FIRMWARE)


def blocks(part):
    """Returns (hosts, lines) for each block of commands in a part of the pages, in their order."""
    found = re.findall(rf"<!-- {part}, tried on: (.*?) -->\n```sh\n(.*?)```", PAGES, re.DOTALL)
    if not found:
        raise LookupError(f"no page has commands of the part {part}")
    return [(where, text.splitlines()) for where, text in found]


def follow(part):
    """Runs the commands of a part of the page. Returns {host name: output}."""
    places = {"one host": HOSTS[:1], "every host": HOSTS, "node1": HOSTS[:1], "node2": HOSTS[1:]}
    said = {host.name: "" for host in HOSTS}

    def run(host, lines):
        said[host.name] += run_lines(host, lines)

    for where, lines in blocks(part):
        in_parallel(lambda host: run(host, lines), places[where])
    return said


def run_lines(host, lines):
    return "".join(run_line(host, line) for line in lines)


def run_line(host, line):
    """Runs one command of the pages as root. Follows the advice of `check`, to try again, if a group of its
    checks has reached its limit: on a busy machine the host may be too slow."""
    command = f"cd /root && {IN_THE_LAB.get(line, line)}"
    for _ in range(4):
        result = host.run(command, timeout=300)
        if not LATE.search(result.out):
            break
    if result.status:
        raise CommandFailed(f"{host.name}: {result}")
    return result.out


def make_packages(folder):
    """Makes two packages: the .deb of this build (in the folder START_GUARD_DEB, or made from
    START_GUARD_BUILD), and one with a higher version, whose hook differs only in its bytes."""
    ready = os.environ.get("START_GUARD_DEB")
    if not ready:
        ready = folder / "this"
        build = os.environ.get("START_GUARD_BUILD") or REPOSITORY / "build"
        subprocess.run([REPOSITORY / "install/debian-package", "--build", build, ready], check=True,
                       stdout=subprocess.DEVNULL)
    given, = Path(ready).glob("start-guard_*.deb")
    higher = folder / "higher"
    subprocess.run(["dpkg-deb", "-R", given, higher], check=True)
    control = higher / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+higher", control.read_text()))
    with open(higher / "usr/libexec/start-guard/qemu", "ab") as hook:
        hook.write(b"higher")  # after the end of the program, so only the file changes
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", higher, folder / "higher.deb"],
                   check=True, capture_output=True)
    PACKAGES[:] = given, folder / "higher.deb"


SET_UP = {}  # output of the page's commands for the set-up, by host name


def set_up_hosts():
    """Makes a guarded cluster of bare hosts. For a module's setUpModule. If the lab is up (`lab --systemd
    up`), the hosts stay up for the next module, which uses the cluster that this one has made."""
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    make_packages(Path(folder.name))
    if not all(host.is_up() for host in HOSTS):
        LAB.down()
        unittest.addModuleCleanup(LAB.down)
        LAB.down_after(os.getpid())
        LAB.up(len(HOSTS))
    LAB.occupy()
    output = HOSTS[0].folder / "set-up.json"
    if not output.exists():
        try:
            in_parallel(equip, HOSTS)
            output.write_text(json.dumps(follow("set up")))
        except Exception:
            LAB.down()  # the next module needs bare hosts
            raise
    SET_UP.update(json.loads(output.read_text()))


def equip(host):
    """Copies the package and the VM's firmware to a host."""
    host.put(PACKAGES[0], DEB, mode=0o644)
    host.put(LAB.folder / "share/vm-idle", VM_FIRMWARE, mode=0o644)


class SystemdStory(GuardedVm):
    """A story in which both hosts are in the cluster and guarded; the VM is defined on both and runs on
    none."""

    lab = LAB
    node1, node2 = HOSTS
    hook = None
    xml = XML

    def setUp(self):
        self.uuid = str(uuid.uuid4())
        self.lock = lock_name(self.uuid)
        in_parallel(self.settle, HOSTS)

    def settle(self, host):
        if not host.is_up():
            host.boot()
        host.sh("virsh -q list --name | xargs -r -n1 virsh -q destroy; "
                "! virsh -q dominfo web >/dev/null 2>&1 || virsh -q undefine web; "
                "systemctl start o2cb", timeout=120)
        if host.run("dpkg -s start-guard | grep -q '^Status: .* installed$'").status:
            self.install(host, PACKAGES[0])
        host.sh("systemctl start start-guard")
        host.sh("virsh -q define /dev/stdin", input=self.xml.format(name="web", uuid=self.uuid))

    def install(self, host, package):
        """Installs a package with dpkg. The page uses apt-get, which is much slower in the emulator."""
        host.put(package, DEB, mode=0o644)
        host.sh(f"dpkg -i {DEB}", timeout=300)

    def assert_kept(self, host):
        """Asserts that the VM runs there, and that within 20 s (the time of a restart) the service has its
        lock open at EX: virsh may report a migration before the end of the hand-over."""
        self.assertTrue(self.runs_on(host))
        self.eventually(lambda: self.opened(host) == 1 and host.level(self.lock) == "EX", within=20)

    def opened(self, host):
        return host.sh("readlink /proc/$(systemctl show -P MainPID start-guard)/fd/* || :").split(
            ).count(f"/dlm/vms/{self.lock}")

    def o2cb(self, host):
        return host.run("systemctl is-active o2cb").out.strip()

    def qemu(self, host):
        return host.sh("pgrep -x qemu-system-x86").split()

    def journal(self, host, *options):
        return host.sh(f"journalctl -q --no-pager -o cat {' '.join(options)}")

    def as_sent(self, host, *options):
        """Returns journal messages in the order in which they were sent. journald reads the messages of
        systemd and of the guard from two sockets and may store them in another order."""
        lines = host.sh(f"journalctl -q --no-pager -o json {' '.join(options)}").splitlines()
        # Output of a service has no time stamp of its sender, only that of its reception.
        stamps = "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"
        entries = sorted(map(json.loads, lines),
                         key=lambda entry: int(next(entry[s] for s in stamps if s in entry)))
        return "".join(f"{entry['MESSAGE']}\n" for entry in entries)

    def assert_shuts_down_cleanly(self, host, other):
        """Shuts down a host on which the VM runs, and starts the VM on the other one, which need not
        wait for an eviction. Asserts the order: VM, lock, libvirt, service, cluster."""
        other.sh("dmesg -C")
        host.shut_down()
        self.starts(other)
        seen = other.sh("dmesg")
        self.assertRegex(seen, rf"o2dlm: Node {host.number} leaves domain")
        self.assertNotIn(f"has evicted node {host.number}", seen)
        host.boot()
        log = self.as_sent(host, "-b -1", "_PID=1 + SYSLOG_IDENTIFIER=start-guard")
        self.assert_in_order(log, "event=unlocked", "Stopped libvirtd.service",
                             "event=keeper-stopped", "Stopped start-guard.service",
                             "Stopping o2cb.service", "Stopped o2cb.service")
        return log

    def assert_in_order(self, log, *lines):
        places = [log.rfind(line) for line in lines]
        self.assertNotIn(-1, places, log)
        self.assertEqual(places, sorted(places), log)

    def denials_by_apparmor(self, host):
        """Returns AppArmor's denials for libvirt's daemon and its hooks since the boot."""
        return [line for line in self.journal(host, "-b", "-k").splitlines()
                if 'apparmor="DENIED"' in line and 'profile="libvirtd"' in line]
