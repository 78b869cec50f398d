"""The .deb and the .rpm of this build: their contents, and what lintian and rpm report about them."""

import gzip
import os
import re
import subprocess
import tarfile
import tempfile
import unittest
from io import BytesIO
from pathlib import Path

from program import PROGRAM, REPOSITORY

BUILD = os.environ["START_GUARD_BUILD"]
INSTALL = REPOSITORY / "install"
CONFIGURATION = "etc/libvirt/start-guard.toml"

EVERYWHERE = {
    CONFIGURATION: 0o644,
    "usr/lib/systemd/system/libvirt-guests.service.d/start-guard.conf": 0o644,
    "usr/lib/systemd/system/o2cb.service.d/start-guard.conf": 0o644,
    "usr/lib/systemd/system/start-guard.service": 0o644,
    "usr/libexec/start-guard/qemu": 0o755,
    "usr/libexec/start-guard/stop-o2cb": 0o755,
    "usr/sbin/start-guard": 0o755,
    "usr/share/bash-completion/completions/start-guard": 0o644,
    "usr/share/doc/start-guard/copyright": 0o644,
    "usr/share/doc/start-guard/FAQ.md": 0o644,
    "usr/share/doc/start-guard/README.md": 0o644,
    "usr/share/man/man5/start-guard.toml.5.gz": 0o644,
    "usr/share/man/man7/start-guard-events.7.gz": 0o644,
    "usr/share/man/man7/start-guard.7.gz": 0o644,
    "usr/share/man/man8/start-guard-hook.8.gz": 0o644,
    "usr/share/man/man8/start-guard.8.gz": 0o644,
    "usr/share/start-guard/selinux/start_guard.fc": 0o644,
    "usr/share/start-guard/selinux/start_guard.te": 0o644,
    "usr/share/start-guard/selinux/start_guard_dlmfs.cil": 0o644,
}
DEBIAN = EVERYWHERE | {
    "usr/share/doc/start-guard/changelog.Debian.gz": 0o644,
    "usr/share/doc/start-guard/changelog.gz": 0o644,
    "usr/share/lintian/overrides/start-guard": 0o644,
    "usr/share/zsh/vendor-completions/_start-guard": 0o644,
}
ELSEWHERE = EVERYWHERE | {
    "usr/share/doc/start-guard/CHANGELOG.md": 0o644,
    "usr/share/doc/start-guard/LICENSE": 0o644,
    "usr/share/zsh/site-functions/_start-guard": 0o644,
}


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **more).stdout


def text(*command):
    return output(*command, text=True)


class Package(unittest.TestCase):
    maxDiff = None

    @classmethod
    def make(cls, kind, **environment):
        """Makes the package and returns it."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        # The package's folders must be accessible to all, whatever the caller's umask is.
        made = subprocess.run(["cpack", "-G", kind.upper(), "-B", folder.name], cwd=BUILD,
                              capture_output=True, text=True, umask=0o077,
                              env=os.environ | environment)
        assert made.returncode == 0, made.stdout + made.stderr
        package, = Path(folder.name).glob(f"*.{kind}")
        return package

    @classmethod
    def make_for_all_tests(cls, kind):
        cls.package = cls.make(kind)
        cls.root = cls.package.parent / "root"
        cls.root.mkdir()

    def read(self, path):
        content = (self.root / path).read_bytes()
        return gzip.decompress(content) if path.endswith(".gz") else content

    def check_texts(self):
        """Asserts that these files are unchanged copies of files in the repository."""
        for path, source in ((CONFIGURATION, "conf/start-guard.toml"),
                             ("usr/lib/systemd/system/start-guard.service",
                              "install/start-guard.service"),
                             ("usr/lib/systemd/system/o2cb.service.d/start-guard.conf",
                              "install/o2cb.conf"),
                             ("usr/lib/systemd/system/libvirt-guests.service.d/start-guard.conf",
                              "install/libvirt-guests.conf"),
                             ("usr/libexec/start-guard/stop-o2cb", "install/stop-o2cb"),
                             ("usr/share/bash-completion/completions/start-guard",
                              "install/completions/start-guard.bash")):
            self.assertEqual(self.read(path), (REPOSITORY / source).read_bytes(), path)

    def check_programs(self):
        """Asserts that the programs are stripped and do not contain the path of a source file, and that
        the hook is linked statically."""
        for path in ("usr/sbin/start-guard", "usr/libexec/start-guard/qemu"):
            self.assertNotIn(".symtab", text("readelf", "-SW", self.root / path))
            self.assertFalse(os.fsencode(REPOSITORY / "guard") + b"/" in self.read(path), path)
        # The file that install-hook installs.
        self.assertIn(b"/usr/libexec/start-guard/qemu\0", self.read("usr/sbin/start-guard"))
        self.assertNotIn("INTERP", text("readelf", "-lW",
                                        self.root / "usr/libexec/start-guard/qemu"))

    def check_versions(self, version):
        """Asserts that all files have the same version and build."""
        said = text(PROGRAM, "--version")
        self.assertRegex(said, rf"^{re.escape(version)} \(build [0-9a-f]{{12}}\)\n$")
        self.assertEqual(text(self.root / "usr/sbin/start-guard", "--version"), said)
        self.assertEqual(text(self.root / "usr/libexec/start-guard/qemu", "--version"),
                         f"start-guard {said}")
        for page in (path for path in EVERYWHERE if path.startswith("usr/share/man/")):
            self.assertIn(f"\n.Os start-guard {version}\n", self.read(page).decode(), page)
        top = re.search(r"^## (.*), \d{4}-\d\d-\d\d$", (REPOSITORY / "CHANGELOG.md").read_text(),
                        re.MULTILINE)
        self.assertEqual(top[1], version)


class Deb(Package):
    @classmethod
    def setUpClass(cls):
        cls.make_for_all_tests("deb")
        cls.tar = cls.opened("--fsys-tarfile")
        cls.tar.extractall(cls.root)
        cls.control = {}
        tar = cls.opened("--ctrl-tarfile")
        for member in tar:
            if member.isfile():
                name = member.name.removeprefix("./")
                cls.control[name] = member, tar.extractfile(member).read()

    @classmethod
    def opened(cls, part):
        return tarfile.open(fileobj=BytesIO(output("dpkg-deb", part, cls.package)))

    def field(self, name):
        return text("dpkg-deb", "-f", self.package, name).strip()

    def test_files(self):
        files = {member.name.removeprefix("./"): member.mode for member in self.tar
                 if not member.isdir()}
        self.assertEqual(files, DEBIAN)
        for member in self.tar:
            self.assertEqual((member.uname, member.gname), ("root", "root"), member.name)
            if member.isdir():
                self.assertEqual(member.mode, 0o755, member.name)
        self.check_texts()
        self.check_programs()

    def test_the_configuration_stays_the_admins(self):
        self.assertEqual(self.control["conffiles"][1].decode(), f"/{CONFIGURATION}\n")

    def test_dependencies(self):
        needed = {each.split(" ")[0] for each in self.field("Depends").split(", ")}
        self.assertEqual(needed, {"libc6", "libgcc-s1", "libstdc++6", "libsystemd0", "libvirt0"})
        self.assertEqual(self.field("Recommends"), "libvirt-daemon-system, ocfs2-tools")

    def test_scripts(self):
        scripts = {"postinst", "postrm", "prerm"}
        self.assertEqual(set(self.control), scripts | {"conffiles", "control", "md5sums"})
        for name in scripts:
            self.assertEqual(self.control[name][0].mode, 0o755)
            self.assertEqual(self.control[name][1], (INSTALL / "deb" / name).read_bytes())

    def test_version(self):
        version, revision = self.field("Version").split("-")
        self.assertEqual(revision, "1")
        self.check_versions(version)
        changelog = self.root / "usr/share/doc/start-guard/changelog.Debian.gz"
        self.assertEqual(text("dpkg-parsechangelog", "-l", changelog, "-S", "Version").strip(),
                         f"{version}-1")

    def test_lintian_says_what_is_overridden_for_a_reason_and_no_more(self):
        said = subprocess.run(["lintian", "--pedantic", "--display-info", "--show-overrides",
                               "--allow-root", "--tag-display-limit", "0", self.package],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        overrides = self.read("usr/share/lintian/overrides/start-guard").decode().splitlines()
        self.assertTrue(overrides[0].startswith("#"))
        self.assertEqual(
            {line for line in said.splitlines() if not line.startswith("N:")},
            {f"O: {line}" for line in overrides if not line.startswith("#")})


class Rpm(Package):
    @classmethod
    def setUpClass(cls):
        cls.make_for_all_tests("rpm")
        subprocess.run(["cpio", "-id", "--quiet"], check=True, cwd=cls.root,
                       input=output("rpm2cpio", cls.package))

    def query(self, *what):
        return text("rpm", "-qp", *what, self.package)

    def scriptlets(self, package):
        return {name: text("rpm", "-qp", "--qf", f"%{{{tag}}}", package).strip()
                for name, tag in (("post", "POSTIN"), ("preun", "PREUN"), ("postun", "POSTUN"))}

    def test_files(self):
        files, folders = {}, set()
        shown = "[%{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]"
        for line in self.query("--qf", shown).splitlines():
            mode, *owner, path = line.split(" ")
            self.assertEqual(owner, ["root", "root"])
            if int(mode, 8) & 0o40000:
                folders.add(path)
            else:
                files[path.removeprefix("/")] = int(mode, 8) & 0o7777
        self.assertEqual(files, ELSEWHERE)
        # All other folders belong to other packages.
        self.assertEqual(folders, {"/usr/libexec/start-guard", "/usr/share/doc/start-guard",
                                   "/usr/lib/systemd/system/libvirt-guests.service.d",
                                   "/usr/lib/systemd/system/o2cb.service.d",
                                   "/usr/share/start-guard", "/usr/share/start-guard/selinux"})
        self.check_texts()
        self.check_programs()

    def test_the_configuration_stays_the_admins(self):
        self.assertEqual(self.query("--configfiles"), f"/{CONFIGURATION}\n")
        flags = self.query("--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]")
        self.assertIn(f"/{CONFIGURATION} cn\n", flags)      # n: noreplace

    def test_requirements(self):
        needed = self.query("--requires")
        for library in ("libvirt.so.0", "libsystemd.so.0", "libc.so.6"):
            self.assertIn(f"{library}()", needed)
        self.assertEqual(self.query("--qf", "%{PREFIXES}"), "(none)")   # it can't be relocated
        flags = self.query("--qf", "[%{REQUIRENAME} %{REQUIREFLAGS:deptype}\n]")
        self.assertEqual(re.findall(r"^systemd (.*)$", flags, re.MULTILINE),
                         ["post", "preun", "postun"])

    def test_scriptlets(self):
        for tag in ("POSTIN", "PREUN", "POSTUN"):
            self.assertEqual(self.query("--qf", f"%{{{tag}PROG}}"), "/bin/sh")
        for tag in ("PREIN", "PRETRANS", "POSTTRANS"):
            self.assertEqual(self.query("--qf", f"%{{{tag}}}"), "(none)")
        for name, script in self.scriptlets(self.package).items():
            self.assertNotRegex(script, r"(?m)^%", name)    # a macro that rpmbuild did not know
            subprocess.run(["shellcheck", "--shell=sh", "-"], check=True, text=True, input=script)

    def test_scriptlets_use_the_systemd_macros_of_the_machine_that_builds_them(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        macros = {"post": "systemd_post", "preun": "systemd_preun",
                  "postun": "systemd_postun_with_restart"}
        Path(home.name, ".rpmmacros").write_text(
            "".join(f"%{macro}() the-machines {macro} %{{*}}\n" for macro in macros.values()))
        found = self.scriptlets(self.make("rpm", HOME=home.name))
        for name, macro in macros.items():
            source = (INSTALL / "rpm" / name).read_text().strip()
            self.assertEqual(found[name], source.replace(f"%{macro} start-guard.service",
                                                         f"the-machines {macro} start-guard.service"))

    def test_version(self):
        self.check_versions(self.query("--qf", "%{VERSION}"))


class Scripts(unittest.TestCase):
    def test_are_sound(self):
        # Those of the rpm have macros; the test above checks what becomes of them.
        scripts = [INSTALL / "deb" / name for name in ("changelog", "postinst", "postrm", "prerm")]
        scripts.append(INSTALL / "stop-o2cb")
        subprocess.run(["shellcheck", "--shell=sh", *scripts], check=True)


if __name__ == "__main__":
    unittest.main()
