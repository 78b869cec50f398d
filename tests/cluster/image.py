"""Makes what the lab's hosts boot: the root file system and the kernel of one release of Debian, and a
small initial RAM disk with the modules that the root file system and the cluster need.

The root file system is a folder with freshly installed packages. Hosts share it, read-only. So nothing
depends on what is installed on this machine.
"""

import fcntl
import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
GUEST_FILES = HERE / "guest"
SOURCES = HERE / "sources"
BUILD_MODULAR = HERE / "build_modular"
ADD_SELINUX = HERE / "add_selinux"
POLICY = [GUEST_FILES / "libvirt_gaps.cil", *sorted((REPOSITORY / "install/selinux").iterdir())]

# Each tool that the lab runs on this machine, and its Debian package.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "/usr/bin/python3": "python3",
}

# The packages of a host. The kernel is that of the release.
PACKAGES = ("linux-image-amd64", "systemd-sysv", "dbus", "apparmor", "libvirt-daemon-system",
            "libvirt-daemon-driver-lxc", "libvirt-daemon-driver-qemu", "libvirt-clients",
            "qemu-system-x86", "ocfs2-tools", "busybox-static", "iproute2", "kmod", "procps",
            "python3", "strace", "util-linux")
# The variants of a release: their further packages, and the files that change their root.
VARIANTS = {
    "": ((), ()),
    "modular": ((), (BUILD_MODULAR,)),
    "sanlock": (("sanlock", "libvirt-sanlock"), ()),   # for tests/bench/compare
    "selinux": (("auditd", "policycoreutils", "selinux-policy-default", "selinux-policy-dev",
                 "semodule-utils"), (ADD_SELINUX, *POLICY)),
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Runs a command in its own mount and PID namespace. If this process is killed, so is each process of it.
ISOLATED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc")

# Run in the root file system after the installation of the packages. The lab's hosts have no ssh, so
# migrations use libvirt's TCP socket. The journal is persistent.
SETTINGS = r"""
echo 'auth_tcp = "none"' >>/etc/libvirt/libvirtd.conf
systemctl -q enable libvirtd-tcp.socket
mkdir -p /var/log/journal
: >/etc/resolv.conf
"""

# The modules that the initial RAM disk loads. The kernel requests crc32c_generic by name at run time,
# so no module lists it as a dependency. A host with systemd has a disk, and loads the modules of the
# cluster itself.
MODULES = {
    "": "virtio_pci virtio_blk virtio_net virtio_rng 9p 9pnet_virtio overlay crc32c_generic",
    "cluster": "configfs ocfs2 ocfs2_stack_o2cb ocfs2_dlmfs",
    "disk": "ext4",
}


class LabError(Exception):
    """The lab cannot do something. The message tells the reader what to fix."""


def check_tools():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)}
    if not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if missing:
        raise LabError(f"the lab needs: apt-get install {' '.join(sorted(missing))}")


def own_suite():
    """Returns the name of this machine's release of Debian, for example "trixie". On another
    distribution returns the name of Debian's stable release."""
    release = dict(re.findall(r'^(\w+)="?(.*?)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    return release["VERSION_CODENAME"] if release["ID"] == "debian" else "trixie"


def _output(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


class Image:
    """The root file system, the kernel and the initial RAM disk for one release. They are in
    build/images/SUITE, where every lab finds them. They are made once and stay there. The suite
    trixie+modular is trixie with libvirt's modular daemons, built from source, instead of libvirtd.
    The suite bookworm+sanlock is bookworm with sanlock and libvirt's plugin for it.
    The suite bookworm+selinux is bookworm with SELinux and start-guard's policy module. Its hosts do
    not share the root: each has a copy of it on its disk, because SELinux keeps labels in the files."""

    def __init__(self, suite):
        self.suite = suite
        self.release, _, self.variant = suite.partition("+")
        if self.variant not in VARIANTS:
            raise LabError(f"no such suite: {suite}")
        further, self.changes = VARIANTS[self.variant]
        self.packages = PACKAGES + further
        self.folder = REPOSITORY / "build/images" / suite
        self.root = self.folder / "root"
        self.kernel = self.folder / "vmlinux"
        self.initrd = self.folder / "initrd"
        self.bare_disk = self.folder / "bare.img"

    def make(self):
        """Makes what is missing, or was made by another version of this program."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            recipe = self.folder / "recipe"
            wanted = f"{' '.join(self.packages)}\n{SETTINGS}" + \
                "".join(file.read_text() for file in (SOURCES, *self.changes))
            if not recipe.exists() or recipe.read_text() != wanted:
                recipe.unlink(missing_ok=True)
                self._make_root()
                self._make_kernel()
                self._make_bare_disk()
                recipe.write_text(wanted)
            self._pack_initrd()

    def _make_root(self):
        print(f"lab: installing a host of {self.suite}", flush=True)
        shutil.rmtree(self.root, ignore_errors=True)
        # Check-Valid-Until: a mirror may keep an old state of a release that is still in development.
        _output(*ISOLATED, "mmdebstrap", "--variant=apt", f"--include={' '.join(self.packages)}", "--quiet",
                "--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"',
                '--aptopt=Acquire::Check-Valid-Until "false"',
                '--customize-hook=chroot "$1" sh -euc "$LAB_SETTINGS"',
                self.release, self.root, "-", input=_output(SOURCES, self.release),
                # INITRD=No: the kernel's package makes no initial RAM disk.
                env={**os.environ, "INITRD": "No", "LC_ALL": "C.UTF-8", "LAB_SETTINGS": SETTINGS})
        if self.variant == "modular":
            _output(BUILD_MODULAR, self.release, self.root)
        if self.variant == "selinux":
            _output(*ISOLATED, ADD_SELINUX, self.root, *POLICY)

    def _make_kernel(self):
        packed = next(self.root.glob("boot/vmlinuz-*")).read_bytes()
        # A kernel packed with xz takes five seconds in the emulator to unpack itself. Unpacked here, it
        # boots in two. Later releases pack it with zstd, which is fast.
        start = packed.find(b"\xfd7zXZ\x00")
        self.kernel.write_bytes(packed if start < 0 else
                                lzma.LZMADecompressor().decompress(packed[start:]))

    def _make_bare_disk(self):
        """Makes the disk of a host with systemd. It keeps the host's changes to the root, so it is empty;
        with SELinux, it is the root itself."""
        self.bare_disk.unlink(missing_ok=True)
        if self.variant == "selinux":
            _output("mke2fs", "-q", "-t", "ext4", "-F", "-d", self.root, self.bare_disk, "4G")
            return
        layer = self.folder / "layer"
        shutil.rmtree(layer, ignore_errors=True)
        for made in ("upper", "work"):
            (layer / made).mkdir(parents=True)
        _output("mke2fs", "-q", "-t", "ext4", "-F", "-d", layer, self.bare_disk, "2G")
        shutil.rmtree(layer)

    def _modules(self, names, loaded=()):
        """Returns {file name: module} of the modules, each after the modules it depends on, for insmod.
        Omits the modules in `loaded`, and those that are built into the kernel."""
        folder, = self.root.glob("usr/lib/modules/*")
        files = {re.sub(r"\.ko.*", "", f.name).replace("-", "_"): f for f in folder.glob("**/*.ko*")}
        builtin = (folder / "modules.builtin").read_text().replace("-", "_")
        found = dict(loaded)

        def add(name):
            if name not in files:
                if f"/{name}.ko" in builtin or name == "crc32c_generic":  # gone since Linux 6.16
                    return
                raise LabError(f"the kernel has no module {name}")
            module = files[name].read_bytes()
            if files[name].suffix == ".xz":
                module = lzma.decompress(module)
            needs = re.search(rb"\0depends=([^\0]*)\0", module)[1].decode()
            for needed in filter(None, needs.split(",")):
                add(needed.replace("-", "_"))
            found.setdefault(f"{name}.ko", module)

        for name in names.split():
            add(name)
        return {name: module for name, module in found.items() if name not in loaded}

    def _pack_initrd(self):
        root = self.folder / "initrd.d"
        shutil.rmtree(root, ignore_errors=True)
        for made in ("bin", "dev", "proc", "sys", "modules", "low", "top", "root"):
            (root / made).mkdir(parents=True)
        shutil.copy(self.root / "usr/bin/busybox", root / "bin/busybox")
        shutil.copytree(GUEST_FILES, root / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "lab/init").rename(root / "init")
        always = self._modules(MODULES[""])
        for place, names in MODULES.items():
            (root / "modules" / place).mkdir(exist_ok=True)
            modules = self._modules(names, always) if place else always
            for number, (name, module) in enumerate(modules.items()):
                (root / "modules" / place / f"{number:03}-{name}").write_bytes(module)
        part = self.initrd.with_suffix(".part")
        names = "\n".join(str(f.relative_to(root)) for f in sorted(root.rglob("*")))
        with open(part, "wb") as archive:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                           input=names.encode(), stdout=archive, check=True)
        part.rename(self.initrd)
        shutil.rmtree(root)
