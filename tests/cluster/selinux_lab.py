"""The lab of hosts with SELinux: each boots systemd from its own disk, whose files have SELinux's labels.
They have libvirt, ocfs2-tools, Debian's policy and start-guard's policy module, but neither a configured
cluster nor the guard.

Its folder is `selinux/` in the folder of the other lab. It uses the other lab's image. It needs mmdebstrap,
which makes the tree of Debian that becomes the disk.
"""

import hashlib
import os
import shutil
import subprocess

from host import Host
from image import BARE_DISK, GUEST_FILES, MODULES, LabError, _output
from lab import REPOSITORY, Lab
from systemd_lab import SystemdHost

POLICY = REPOSITORY / "install/selinux"
GAPS = GUEST_FILES / "libvirt_gaps.cil"
MAKE_DISK = BARE_DISK.parent / "selinux_disk"
MODULES_OF_HOST = " ".join(MODULES.values())


class SelinuxHost(SystemdHost):
    mode = "enforcing=1"

    def _command_line(self, port):
        argv = Host._command_line(self, port)
        argv[argv.index("-initrd") + 1] = "initrd"
        argv[argv.index("-append") + 1] += (
            f" security=selinux selinux=1 {self.mode} audit=1 audit_backlog_limit=8192"
            " systemd.show_status=0")
        return [*argv, "-drive", f"id=disk,file={self.name}.img,format=raw,if=none,cache=unsafe",
                "-device", "virtio-blk-pci,drive=disk"]


class SelinuxLab(Lab):
    host_kind = SelinuxHost
    below = "selinux"
    image_path = "../image"

    def _start_afresh(self):
        super()._start_afresh()
        self._make_initrd()
        self.bare_disk = self._make_disk()
        for host in self._hosts:
            host.make_bare()

    def _make_initrd(self):
        """Packs the other lab's initial RAM disk again, with another first program."""
        root = self.folder / "initrd.d"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        with open(self._image.initrd, "rb") as packed:
            subprocess.run(["cpio", "-id", "--quiet"], cwd=root, stdin=packed, check=True)
        shutil.copy(root / "lab/init-selinux", root / "init")
        names = "\n".join(str(file.relative_to(root)) for file in sorted(root.rglob("*")))
        with open(self.folder / "initrd", "wb") as archive:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                           input=names.encode(), stdout=archive, check=True)
        shutil.rmtree(root)

    def _make_disk(self):
        """Makes the disk, unless it was made from the same policy module. Returns its path."""
        sources = [*sorted(POLICY.iterdir()), GAPS, MAKE_DISK]
        key = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
        known, disk = self.folder / "disk.key", self.folder / "bare.img"
        if not (disk.exists() and known.exists() and known.read_text() == key):
            known.unlink(missing_ok=True)
            modules = self._image._modules(MODULES_OF_HOST)
            (self.folder / "modules").write_text(
                "".join(f"{file.relative_to(self._image.tree)}\n" for file in modules))
            print("lab: making the disk of a host with SELinux", flush=True)
            _output("unshare", "--mount", "--pid", "--fork", "--kill-child", MAKE_DISK,
                    os.environ.get("START_GUARD_SELINUX_SUITE", "bookworm"), self._image.tree,
                    self.folder, POLICY, disk)
            known.write_text(key)
        return disk
