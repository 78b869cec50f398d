"""Makes what a host of the lab boots: Debian's stock kernel, unpacked but not installed, and a small
initial RAM disk with the modules that the root file system and the cluster need.

The root file system is this machine's own `/`, read-only, so no disk image has to be built.
"""

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

GUEST_FILES = Path(__file__).resolve().parent / "guest"
BARE_DISK = Path(__file__).resolve().parent / "bare_disk"

# Each tool that the lab runs, here or in a host, and its Debian package.
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
    "mke2fs": "e2fsprogs",
    "depmod": "kmod",
    "/usr/bin/python3": "python3",
}

# The modules that the initial RAM disk loads. The kernel requests crc32c_generic by name at run time,
# so no module lists it as a dependency. A host with systemd has a disk, and loads the modules of the
# cluster itself.
MODULES = {
    "": "virtio_pci virtio_blk virtio_net virtio_rng 9p 9pnet_virtio overlay crc32c_generic",
    "cluster": "configfs ocfs2 ocfs2_stack_o2cb ocfs2_dlmfs",
    "disk": "ext4",
}

# The packages that a host with systemd has, in the state after Debian's installation. Packages that
# match AFRESH are installed again for it: their files on this machine may have been changed.
SYSTEMD_PACKAGES = ("libvirt-daemon-system", "libvirt-daemon-driver-lxc", "libvirt-clients",
                    "libvirt-daemon-driver-qemu", "apparmor", "ocfs2-tools")
AFRESH = re.compile(r"libvirt-(daemon|clients|login-shell)|apparmor|ocfs2-tools|start-guard")

# libvirt's QEMU driver is a plug-in of libvirtd, in a separate package.
QEMU_DRIVER = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so"


class LabError(Exception):
    """The lab cannot do something. The message tells the reader what to fix."""


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
    """The kernel and the initial RAM disk. They are made in a folder and stay there."""

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
        """Returns the package that linux-image-amd64 depends on. Downloads it once; never installs
        it."""
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
        # A kernel that is unpacked here boots in two seconds. Unpacking itself in the emulator takes
        # five seconds.
        start = packed.find(b"\xfd7zXZ\x00")
        if start < 0:
            raise LabError(f"{package}: the kernel in it is not packed with xz")
        part = self.kernel.with_suffix(".part")
        part.write_bytes(lzma.LZMADecompressor().decompress(packed[start:]))
        part.rename(self.kernel)

    def make_bare_disk(self):
        """Makes the disk of a host with systemd, with libvirt's daemon installed, and returns its
        path. Downloads the packages once. Runs depmod, so that modprobe finds the kernel's modules."""
        if not list(self.tree.glob("lib/modules/*/modules.dep.bin")):
            release = next(self.tree.glob("lib/modules/*")).name
            _output("depmod", "-b", self.tree, release)
        packages = self.folder / "packages"
        packages.mkdir(exist_ok=True)
        installed, wanted = self._plan_bare_disk()
        for kept in packages.iterdir():
            if not wanted.pop(kept.name.rpartition("_")[0], None):
                kept.unlink()
        if wanted:
            print(f"lab: fetching {' '.join(wanted.values())}", flush=True)
            _output("apt-get", "-q", "download", *wanted.values(), cwd=packages)
        disk = self.folder / "bare.img"
        _output("unshare", "--mount", BARE_DISK, packages, disk, *installed)
        return disk

    def _plan_bare_disk(self):
        """Returns the packages matching AFRESH that this machine has, and the packages that apt would
        install if it had none of those: {file name without the architecture: name=version}."""
        status = self.folder / "status"
        entries = Path("/var/lib/dpkg/status").read_text().split("\n\n")
        name_of = {entry: re.match(r"\s*Package: (\S+)", entry) for entry in entries}
        afresh = [entry for entry in entries if name_of[entry] and AFRESH.match(name_of[entry][1])]
        status.write_text("\n\n".join(entry for entry in entries if entry not in afresh))
        plan = _output("apt-get", "-s", "--no-install-recommends", "-o",
                       f"Dir::State::status={status}", "install", *SYSTEMD_PACKAGES)
        wanted = {}
        for name, version in re.findall(r"^Inst (\S+) .*?\((\S+)", plan, re.MULTILINE):
            wanted[f"{name}_{version.replace(':', '%3a')}"] = f"{name}={version}"
        return [name_of[entry][1] for entry in afresh], wanted

    def _modules(self, names, loaded=()):
        """Returns the files of the modules, each after the modules it depends on, for insmod. Omits
        the modules in `loaded`."""
        files = {f.stem.replace("-", "_"): f for f in self.tree.glob("lib/modules/**/*.ko")}
        order = list(loaded)

        def add(name):
            if name not in files:
                raise LabError(f"the kernel has no module {name}")
            needs = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())[1].decode()
            for needed in filter(None, needs.split(",")):
                add(needed.replace("-", "_"))
            if files[name] not in order:
                order.append(files[name])

        for name in names.split():
            add(name)
        return order[len(loaded):]

    def _pack_initrd(self):
        root = self.folder / "initrd.d"
        shutil.rmtree(root, ignore_errors=True)
        for made in ("bin", "dev", "proc", "sys", "modules", "low", "top", "root"):
            (root / made).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        shutil.copytree(GUEST_FILES, root / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "lab/init").rename(root / "init")
        always = self._modules(MODULES[""])
        for place, names in MODULES.items():
            (root / "modules" / place).mkdir(exist_ok=True)
            for number, module in enumerate(self._modules(names, always) if place else always):
                shutil.copy(module, root / "modules" / place / f"{number:03}-{module.name}")
        part = self.initrd.with_suffix(".part")
        names = "\n".join(str(f.relative_to(root)) for f in sorted(root.rglob("*")))
        with open(part, "wb") as archive:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                           input=names.encode(), stdout=archive, check=True)
        part.rename(self.initrd)
        shutil.rmtree(root)
