"""The lab of bare hosts: they boot systemd and have libvirt and ocfs2-tools as Debian installs them,
but neither a configured cluster nor the guard. Each has its own disk, which keeps its files over a
reboot.

Its folder is `systemd/` in the folder of the other lab.
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
                "-device", "virtio-blk-pci,drive=disk"]

    def wait_ready(self, timeout=BOOT_SECONDS):
        """Waits until systemd has finished the boot; units may have failed."""
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
        """Replaces the disk by that of a bare host. The host must be off."""
        subprocess.run(["cp", "--sparse=always", self.lab.image.bare_disk, self.disk], check=True)

    def shut_down(self, timeout=180):
        """Shuts down with systemctl, as an administrator does. Returns when the host is off."""
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

    def _start_afresh(self):
        super()._start_afresh()
        for host in self._hosts:
            host.make_bare()
