"""An overlay of this machine, on which the tests install, upgrade and remove the packages. The .deb is in the
folder START_GUARD_DEB.

Run such tests with `unshare --mount`, so that all mounts disappear at their end.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

# Records its call, and fails if the test requests that. The calls of systemctl that only change links in
# /etc are executed: those by deb-systemd-helper, and `preset` and `disable` in the rpm's scriptlets.
# `show` tells the file of o2cb.service, and the job of a unit that the test has noted. findmnt tells what the
# test has noted as mounted.
STUB = """#!/bin/sh
name=${0##*/}
case "$name $1" in
    "systemctl --root="*) exec /usr/bin/systemctl "$@" ;;
    "systemctl --no-reload") /usr/bin/systemctl --root=/ "$2" start-guard.service ;;
    "systemctl show")
        case $2 in
            --property=Job) [ ! -e "/jobs/$4" ] || echo 123 ;;
            *) echo /o2cb.service ;;
        esac
        exit
        ;;
    "findmnt "*) [ ! -e /mounted ] || cat /mounted; exit ;;
esac
echo "$name $*" >>/called
[ ! -e "/fails/$name $1" ] || exit 1
"""
PATH = "/stubs:/usr/sbin:/usr/bin:/sbin:/bin"
LEAVES = "start-guard leave"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Life(unittest.TestCase):
    stubs = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("mount", "-t", "tmpfs", "tmpfs", cls.folder)
        cls.addClassCleanup(run, "umount", "--lazy", cls.folder)
        cls.package, cls.upgrade = (cls.make(revision) for revision in (1, 2))

    @classmethod
    def make(cls, revision):
        given, = Path(os.environ["START_GUARD_DEB"]).glob("start-guard_*.deb")
        if revision == 1:
            return given
        tree = cls.folder / "tree"
        run("dpkg-deb", "-R", given, tree)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^(Version: .*)-1$", rf"\1-{revision}", control.read_text()))
        package = cls.folder / given.name.replace("-1_", f"-{revision}_")
        run("dpkg-deb", "-Zgzip", "--root-owner-group", "-b", tree, package)
        return package

    def setUp(self):
        """Mounts an overlay over this machine's root. The scripts there assume that systemd runs."""
        self.changed, work, self.root = (self.folder / f"{name}-{self.id()}"
                                         for name in ("changed", "work", "root"))
        for each in (self.changed, work, self.root):
            each.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={self.changed},workdir={work}", self.root)
        self.addCleanup(run, "umount", "--recursive", self.root)
        for path in ("run", "tmp"):
            run("mount", "-t", "tmpfs", "tmpfs", self.root / path)
        run("mount", "--bind", "/dev", self.root / "dev")
        (self.root / "run/systemd/system").mkdir(parents=True)
        (self.root / "fails").mkdir()
        (self.root / "stubs").mkdir()
        for name in self.stubs:
            self.put_stub(f"stubs/{name}")
        for package in (self.package, self.upgrade):
            shutil.copy(package, self.root / "tmp")

    def put_stub(self, path):
        stub = self.root / path
        stub.unlink(missing_ok=True)
        stub.write_text(STUB)
        stub.chmod(0o755)

    def run_there(self, *command, status=0):
        """Runs a command in the overlay, asserts its exit status and returns the calls of its
        scripts."""
        (self.root / "called").unlink(missing_ok=True)
        done = subprocess.run(
            ["chroot", self.root, "env", f"PATH={PATH}", *command],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.printed = done.stdout
        self.assertEqual(done.returncode, status, done.stdout)
        called = self.root / "called"
        return called.read_text().splitlines() if called.exists() else []

    def dpkg(self, *arguments, **more):
        # This machine need not have the cluster's tools.
        return self.run_there("dpkg", "--no-triggers", "--ignore-depends=ocfs2-tools", *arguments, **more)

    def install(self, **more):
        return self.dpkg("-i", f"/tmp/{self.package.name}", **more)

    def fails(self, call):
        (self.root / "fails" / call).touch()

    def status(self):
        return subprocess.run(["dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f",
                               "${db:Status-Status}", "start-guard"], capture_output=True,
                              text=True).stdout
