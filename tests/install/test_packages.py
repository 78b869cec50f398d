"""The .deb (in the folder START_GUARD_DEB) and the .rpm of this build: their contents, and what lintian
and rpm report about them. The source package."""

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
    "usr/lib/systemd/system/virt-guest-shutdown.target.d/start-guard.conf": 0o644,
    "usr/lib/systemd/system/o2cb.service.d/start-guard.conf": 0o644,
    "usr/lib/systemd/system/start-guard.service": 0o644,
    "usr/libexec/start-guard/qemu": 0o755,
    "usr/libexec/start-guard/stop-o2cb": 0o755,
    "usr/sbin/start-guard": 0o755,
    "usr/share/bash-completion/completions/start-guard": 0o644,
    "usr/share/doc/start-guard/copyright": 0o644,
    "usr/share/doc/start-guard/README.md": 0o644,
    "usr/share/doc/start-guard/install/FAQ.md": 0o644,
    "usr/share/doc/start-guard/install/README.md": 0o644,
    "usr/share/doc/start-guard/install/session.svg": 0o644,
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
    def folder(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        return Path(folder.name)

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
                             ("usr/lib/systemd/system/virt-guest-shutdown.target.d/start-guard.conf",
                              "install/virt-guest-shutdown.conf"),
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
        cls.package, = Path(os.environ["START_GUARD_DEB"]).glob("start-guard_*.deb")
        cls.root = cls.folder()
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
        self.assertEqual(needed, {"libc6", "libgcc-s1", "libstdc++6", "libsystemd0", "libvirt0",
                                  "ocfs2-tools"})
        self.assertEqual(self.field("Recommends"), "libvirt-daemon-system")

    def test_scripts(self):
        scripts = {"postinst", "postrm", "prerm"}
        self.assertEqual(set(self.control), scripts | {"conffiles", "control", "md5sums"})
        for name in scripts:
            self.assertEqual(self.control[name][0].mode, 0o755)
            before, after = (INSTALL / f"debian/start-guard.{name}").read_text().split("#DEBHELPER#\n")
            script = self.control[name][1].decode()
            self.assertEqual((script[:len(before)], script[len(script) - len(after):]), (before, after))
            self.assertIn("dh_installsystemd", script[len(before):len(script) - len(after)])
            subprocess.run(["shellcheck", "--shell=sh", "-"], check=True, text=True, input=script)

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


class Source(Package):
    """The source release and Debian's source package, made of the files as they are now."""

    @classmethod
    def setUpClass(cls):
        cls.made = cls.folder()
        subprocess.run([INSTALL / "source-package", "--worktree", cls.made], check=True,
                       stdout=subprocess.DEVNULL)

    def test_version_is_that_of_the_project_and_of_the_newest_release_in_the_changelog(self):
        version = re.search(r"project\(start-guard VERSION (\S+)",
                            (REPOSITORY / "CMakeLists.txt").read_text())[1]
        released = re.findall(r"^## (\d\S*), \d{4}-\d\d-\d\d$",
                              (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
        self.assertEqual(released[0], version)
        full = f"start-guard_{version}-1"
        names = {path.name for path in self.made.iterdir()}
        self.assertLessEqual({f"start-guard-{version}.tar.xz", f"start-guard_{version}.orig.tar.xz",
                              f"{full}.debian.tar.xz", f"{full}.dsc"}, names)
        tree = self.folder() / "tree"
        subprocess.run(["dpkg-source", "--no-check", "-x", self.made / f"{full}.dsc", tree],
                       check=True, capture_output=True)
        changelog = text("dpkg-parsechangelog", "-l", tree / "debian/changelog", "--format", "rfc822",
                         "--all", "-S", "Version")
        self.assertEqual(changelog.split(), [f"{each}-1" for each in released])

    def test_release_has_the_files_of_the_repository_and_no_others(self):
        release, = self.made.glob("start-guard-*.tar.xz")
        with tarfile.open(release) as tar:
            top = {Path(*Path(name).parts[1:2]).name for name in tar.getnames()} - {""}
            self.assertEqual({name.split("/")[0] for name in tar.getnames()},
                             {release.name.removesuffix(".tar.xz")})
        self.assertEqual(top, {path.name for path in REPOSITORY.iterdir()} - {".git", "build"})

    @unittest.skipUnless((REPOSITORY / ".git").exists(), "not a git repository")
    def test_release_of_a_repository_has_the_files_of_the_last_commit(self):
        folder = self.folder()
        subprocess.run([INSTALL / "source-package", folder], check=True, stdout=subprocess.DEVNULL)
        release, = folder.glob("start-guard-*.tar.xz")
        with tarfile.open(release) as tar:
            found = {member.name.partition("/")[2] for member in tar if not member.isdir()}
        committed = text("git", "-C", REPOSITORY, "ls-tree", "-r", "-z", "--name-only", "HEAD")
        self.assertEqual(found, set(committed.split("\0")) - {""})


class Rpm(Package):
    @classmethod
    def make(cls, **environment):
        """Makes the package and returns it."""
        folder = cls.folder()
        # The package's folders must be accessible to all, whatever the caller's umask is.
        made = subprocess.run(["cpack", "-G", "RPM", "-B", folder], cwd=BUILD,
                              capture_output=True, text=True, umask=0o077,
                              env=os.environ | environment)
        assert made.returncode == 0, made.stdout + made.stderr
        package, = folder.glob("*.rpm")
        return package

    @classmethod
    def setUpClass(cls):
        cls.package = cls.make()
        cls.root = cls.folder()
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
                                   "/usr/share/doc/start-guard/install",
                                   "/usr/lib/systemd/system/virt-guest-shutdown.target.d",
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
        found = self.scriptlets(self.make(HOME=home.name))
        for name, macro in macros.items():
            source = (INSTALL / "rpm" / name).read_text().strip()
            self.assertEqual(found[name], source.replace(f"%{macro} start-guard.service",
                                                         f"the-machines {macro} start-guard.service"))

    def test_version(self):
        self.check_versions(self.query("--qf", "%{VERSION}"))


class Scripts(unittest.TestCase):
    def test_are_sound(self):
        # Those of the rpm have macros; the test above checks what becomes of them.
        scripts = [INSTALL / name for name in ("debian-package", "debian/tests/unit", "source-package",
                                               "stop-o2cb")]
        scripts += (INSTALL / "debian").glob("start-guard.p*")
        scripts.append(REPOSITORY / "tests/install/build_in_clean_root")
        subprocess.run(["shellcheck", "--shell=sh", *scripts], check=True)


if __name__ == "__main__":
    unittest.main()
