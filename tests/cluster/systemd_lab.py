"""The lab of bare hosts: they boot systemd, have libvirt and ocfs2-tools as Debian installs them, and
nothing of a cluster, nor of the guard. Each has a disk of its own, and finds on it after a reboot
what it had before.

It lies in a folder of the other lab's, `systemd/`, and shares its image.
"""

import subprocess
import time
from pathlib import Path

from host import BOOT_SECONDS, Host
from image import LabError
from lab import Lab


class SystemdHost(Host):
    def __init__(self, lab, number):
        super().__init__(lab, number)
        self.disk: Path = lab.folder / f"{self.name}.img"

    def _command_line(self, port):
        argv = super()._command_line(port)
        append = argv.index("-append") + 1
        argv[append] += " lab.systemd systemd.show_status=0"
        return [*argv, "-drive", f"id=disk,file={self.name}.img,format=raw,if=none,cache=unsafe",
                "-device", "virtio-blk-pci,drive=disk",
                "-fsdev", f"local,id=image,path={self.lab.image_path},security_model=none,"
                          "readonly=on",
                "-device", "virtio-9p-pci,fsdev=image,mount_tag=image"]

    def wait_ready(self, timeout=BOOT_SECONDS):
        """Returns once systemd has started all that it starts at a boot, well or not."""
        until = time.monotonic() + timeout
        while True:
            try:
                state = self.run("systemctl is-system-running", timeout=20).out.strip()
                if state in ("running", "degraded"):
                    return
                error = f"it is {state}"
            except (OSError, LabError) as failure:
                error = failure
            if not self.is_up() or time.monotonic() > until:
                raise LabError(f"{self.name} does not come up: {error}\n{self.tail()}")
            time.sleep(0.5)

    def make_bare(self):
        """Puts another machine in the place of this one, which is off: a bare one."""
        subprocess.run(["cp", "--sparse=always", self.lab.bare_disk, self.disk], check=True)

    def shut_down(self, timeout=180):
        """As its administrator does it; returns when it is off."""
        self.run("systemctl --no-block poweroff", timeout=20)
        self.wait_off(timeout)

    def wait_off(self, timeout=180):
        until = time.monotonic() + timeout
        while self.is_up():
            if time.monotonic() > until:
                raise LabError(f"{self.name} does not go down\n{self.tail()}")
            time.sleep(0.2)

    def tail(self, lines=25):
        text = super().tail(lines)
        try:
            text += f"--- {self.name}: journal\n" + self.sh(f"journalctl -q -n {lines}", timeout=20)
        except (OSError, LabError):
            pass
        return text


class SystemdLab(Lab):
    host_kind = SystemdHost
    below = "systemd"
    image_path = "../image"

    def _start_afresh(self):
        super()._start_afresh()
        self.bare_disk = self._image.make_bare_disk()
        for host in self._hosts:
            host.make_bare()
