"""What a host of the lab boots: Debian's stock kernel, unpacked and not installed, and a small
initial RAM disk with the modules needed to reach its root and its cluster.

The root itself is this machine's own `/`, seen read-only, so there is no disk image to build.
"""

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

GUEST_FILES = Path(__file__).resolve().parent / "guest"

# Each tool the lab runs, here or in a host, and the Debian package that brings it.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "strace": "strace",
    "mkfs.ocfs2": "ocfs2-tools",
    "/usr/bin/python3": "python3",
}

# crc32c_generic is asked for by name at run time, so no module names it as a dependency.
MODULES = """virtio_pci virtio_blk virtio_net virtio_rng 9p 9pnet_virtio overlay configfs
    crc32c_generic ocfs2 ocfs2_stack_o2cb ocfs2_dlmfs""".split()

# libvirt's QEMU driver is a plug-in of libvirtd, in a package of its own.
QEMU_DRIVER = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so"


class LabError(Exception):
    """Something the lab can't do, said so that the reader knows what to mend."""


def check_tools():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)}
    if not Path(QEMU_DRIVER).exists():
        missing.add("libvirt-daemon-driver-qemu")
    if missing:
        raise LabError(f"the lab needs: apt-get install {' '.join(sorted(missing))}")
    linked = subprocess.run(["ldd", shutil.which("busybox")], capture_output=True, text=True)
    if "=>" in linked.stdout:
        raise LabError("busybox must be the static one: apt-get install busybox-static")


def _output(*argv, cwd=None):
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


class Image:
    """The kernel and the initial RAM disk, made in a folder and kept there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.tree = folder / "tree"
        self.kernel = folder / "vmlinux"
        self.initrd = folder / "initrd"

    def make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.kernel.exists():
            self._unpack(self._download())
        self._pack_initrd()

    def _download(self):
        """The package that linux-image-amd64 stands for; fetched once, never installed."""
        kept = sorted(self.folder.glob("linux-image-*.deb"))
        if kept:
            return kept[-1]
        about = _output("apt-cache", "show", "--no-all-versions", "linux-image-amd64")
        package = re.search(r"^Depends:.*?(linux-image-[\w.+-]+)", about, re.MULTILINE)
        if not package:
            raise LabError("apt knows no linux-image-amd64: run apt-get update")
        print(f"lab: fetching {package[1]}", flush=True)
        part = self.folder / "part"
        part.mkdir(exist_ok=True)
        _output("apt-get", "-q", "download", package[1], cwd=part)
        fetched = next(part.glob("*.deb"))
        kept = fetched.rename(self.folder / fetched.name)
        part.rmdir()
        return kept

    def _unpack(self, package):
        shutil.rmtree(self.tree, ignore_errors=True)
        _output("dpkg-deb", "-x", package, self.tree)
        packed = next(self.tree.glob("boot/vmlinuz-*")).read_bytes()
        # Unpacked here it boots in two seconds; unpacking itself in the emulator takes it five.
        start = packed.find(b"\xfd7zXZ\x00")
        if start < 0:
            raise LabError(f"{package}: the kernel in it is not packed with xz")
        part = self.kernel.with_suffix(".part")
        part.write_bytes(lzma.LZMADecompressor().decompress(packed[start:]))
        part.rename(self.kernel)

    def _modules(self):
        """The modules' files, each after those it depends on: no depmod, no modprobe."""
        files = {f.stem.replace("-", "_"): f for f in self.tree.glob("lib/modules/**/*.ko")}
        order = []

        def add(name):
            if name not in files:
                raise LabError(f"the kernel has no module {name}")
            needs = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())[1].decode()
            for needed in filter(None, needs.split(",")):
                add(needed.replace("-", "_"))
            if files[name] not in order:
                order.append(files[name])

        for module in MODULES:
            add(module)
        return order

    def _pack_initrd(self):
        root = self.folder / "initrd.d"
        shutil.rmtree(root, ignore_errors=True)
        for made in ("bin", "dev", "proc", "sys", "modules", "low", "top", "root"):
            (root / made).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        shutil.copytree(GUEST_FILES, root / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "lab/init").rename(root / "init")
        for number, module in enumerate(self._modules()):
            shutil.copy(module, root / f"modules/{number:03}-{module.name}")
        part = self.initrd.with_suffix(".part")
        names = "\n".join(str(f.relative_to(root)) for f in sorted(root.rglob("*")))
        with open(part, "wb") as archive:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                           input=names.encode(), stdout=archive, check=True)
        part.rename(self.initrd)
        shutil.rmtree(root)
