"""Installs, upgrades and removes the packages with dpkg and rpm, on an overlay of this machine. The
.deb is in the folder START_GUARD_DEB.

Run this with `unshare --mount`, so that all mounts disappear at its end.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = os.environ["START_GUARD_BUILD"]

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
UNIT = "start-guard.service"
WANTS = f"etc/systemd/system/multi-user.target.wants/{UNIT}"
CONFIGURATION = "etc/libvirt/start-guard.toml"
INSTALLS_HOOK = "start-guard install-hook"
REMOVES_HOOK = "start-guard remove-hook"
RELOADS = "systemctl --system daemon-reload"
STARTS, RESTARTS, STOPS = (f"deb-systemd-invoke {verb} {UNIT}"
                           for verb in ("start", "restart", "stop"))
LEAVES = "start-guard leave"
RELEASES_ENDED = "start-guard release-ended"
STOP_O2CB = "usr/libexec/start-guard/stop-o2cb"
STARTS_O2CB = "systemctl --no-block start o2cb.service"
WRITABLE = "mount -o remount,rw /dlm"
PRESETS = f"systemctl --no-reload preset {UNIT}"


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


class Scripts(Life):
    """The scripts of the package. The programs they call are stubs that only record the call."""

    stubs = ("start-guard", "systemctl", "deb-systemd-invoke")

    def test_install(self):
        self.assertEqual(self.install(), [INSTALLS_HOOK, RELOADS, STARTS])
        self.assertTrue(os.readlink(self.root / WANTS).endswith(f"/lib/systemd/system/{UNIT}"))

    def test_warns_while_the_cluster_is_down_that_vms_will_not_start(self):
        clusters = self.root / "sys/kernel/config/cluster"
        mounts = self.root / "proc/mounts"
        mounts.write_text("proc /proc proc rw 0 0\n")
        for change, warning in (
                (lambda: None, "start-guard: the o2cb cluster does not run on this host."),
                (lambda: clusters.mkdir(parents=True),
                 "start-guard: the o2cb cluster does not run on this host."),
                (lambda: (clusters / "guard").mkdir(), "start-guard: dlmfs is not mounted on this host."),
                (lambda: mounts.write_text("ocfs2_dlmfs /dlm ocfs2_dlmfs rw,relatime 0 0\n"), None)):
            change()
            self.install()
            self.assertEqual(self.status(), "installed")
            warned = [line for line in self.printed.splitlines() if "start-guard: " in line]
            if warning:
                self.assertEqual(len(warned), 1, self.printed)
                self.assertTrue(warned[0].startswith(f"{warning} VMs will not start here until"))
            else:
                self.assertEqual(warned, [])

    def test_without_systemd(self):
        shutil.rmtree(self.root / "run/systemd")
        self.assertEqual(self.install(), [INSTALLS_HOOK])
        self.assertEqual(self.dpkg("-r", "start-guard"), [REMOVES_HOOK, LEAVES])

    def test_a_service_that_does_not_start_is_no_obstacle(self):
        self.fails("deb-systemd-invoke start")
        self.install()
        self.assertEqual(self.status(), "installed")

    def test_a_hook_that_is_not_in_its_place_is_one(self):
        self.fails(INSTALLS_HOOK)
        self.assertEqual(self.install(status=1), [INSTALLS_HOOK])
        self.assertEqual(self.status(), "half-configured")

    def test_upgrade(self):
        self.install()
        (self.root / CONFIGURATION).write_text("# mine\n")
        self.assertEqual(self.dpkg("-i", f"/tmp/{self.upgrade.name}"),
                         [INSTALLS_HOOK, RELOADS, RESTARTS])
        self.assertEqual((self.root / CONFIGURATION).read_text(), "# mine\n")

    def test_what_the_admin_has_disabled_stays_so(self):
        self.install()
        (self.root / WANTS).unlink()
        self.dpkg("-i", f"/tmp/{self.upgrade.name}")
        self.assertFalse(os.path.lexists(self.root / WANTS))

    def test_a_removal_that_is_refused(self):
        self.install()
        self.fails(REMOVES_HOOK)
        self.assertEqual(self.dpkg("-r", "start-guard", status=1),
                         [REMOVES_HOOK, INSTALLS_HOOK, RELOADS, STARTS])
        self.assertEqual(self.status(), "installed")

    def test_removal(self):
        self.install()
        self.assertEqual(self.dpkg("-r", "start-guard"), [REMOVES_HOOK, STOPS, LEAVES, RELOADS])
        self.assertTrue((self.root / CONFIGURATION).exists())
        self.dpkg("-P", "start-guard")
        self.assertFalse((self.root / CONFIGURATION).exists())

    def test_purge_leaves_nothing(self):
        self.install()
        state = self.root / "run/start-guard"
        state.mkdir()
        for file in ("keeper.flock", "hook.called", "d0c3b7a4-1111-4222-8333-4444555566ff.flock"):
            (state / file).touch()
        self.dpkg("-P", "start-guard")
        self.assertFalse(state.exists())
        shutil.rmtree(self.changed / "var/lib/dpkg")
        left = [path for folder, _, files in os.walk(self.changed) for file in files
                if (path := f"{Path(folder).relative_to(self.changed)}/{file}")
                and not path.startswith(("stubs/", "./called", "var/log/", "var/cache/"))]
        self.assertEqual(left, [])

    def test_purge_leaves_the_records_of_what_runs(self):
        self.install()
        record = self.root / "run/start-guard/d0c3b7a4-1111-4222-8333-4444555566ff"
        record.parent.mkdir()
        record.touch()
        self.dpkg("-P", "start-guard")
        self.assertTrue(record.exists())


class StopOfTheCluster(Life):
    """The program that systemd runs as the ExecStop= of o2cb.service. `start-guard` is a stub."""

    stubs = ("systemctl", "o2cb.init", "other", "findmnt", "mount", "umount")

    def setUp(self):
        super().setUp()
        run("dpkg-deb", "-x", self.package, self.root)
        self.put_stub("usr/sbin/start-guard")

    def always_fails(self, stub):
        (self.root / "stubs" / stub).unlink()
        (self.root / "stubs" / stub).symlink_to("/bin/false")

    def mount_dlmfs(self, *locks):
        """Makes findmnt report a dlmfs, which is a folder of the overlay."""
        (self.root / "mounted").write_text("/dlm\n")
        (self.root / "dlm/vms").mkdir(parents=True)
        for lock in locks:
            (self.root / "dlm/vms" / lock).touch()

    def shut_down(self):
        """Makes systemctl report a shutdown. The overlay has no /proc, only this file."""
        (self.root / "jobs").mkdir()
        (self.root / "jobs/shutdown.target").touch()
        (self.root / "proc/uptime").write_text("100.5 90.1\n")

    def stop(self, *lines, **more):
        """Stops o2cb.service, whose file has these lines."""
        (self.root / "o2cb.service").write_text("".join(f"{line}\n" for line in ("[Service]", *lines)))
        return self.run_there(f"/{STOP_O2CB}", **more)

    def test_the_drop_in_puts_it_in_the_place_of_the_units_own(self):
        text = (self.root / "usr/lib/systemd/system/o2cb.service.d/start-guard.conf").read_text()
        self.assertEqual([line for line in text.splitlines() if line and line[0] != "#"],
                         ["[Unit]", "StartLimitIntervalSec=0",
                          "Before=libvirtd.service virtqemud.service virtlxcd.service virtxend.service "
                          "libvirt-guests.service",
                          "[Service]", "ExecStop=", f"ExecStop=/{STOP_O2CB}", "TimeoutStopSec=5min"])

    def test_runs_the_units_own_stop(self):
        self.assertEqual(self.stop("ExecStart=/stubs/other", "ExecStop=/stubs/o2cb.init disable",
                                   "ExecStopPost=/stubs/other"),
                         [LEAVES, "o2cb.init disable"])

    def test_while_the_host_holds_locks_it_fails_and_starts_the_unit_again(self):
        self.fails(LEAVES)
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, STARTS_O2CB])

    def test_makes_dlmfs_read_only_and_unmounts_it(self):
        self.mount_dlmfs()
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, "mount -o remount,ro /dlm", "umount /dlm", "o2cb.init disable", WRITABLE])

    def test_if_a_vm_has_started_meanwhile_it_fails_and_makes_dlmfs_writable(self):
        self.mount_dlmfs("lock")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "mount -o remount,ro /dlm", WRITABLE, STARTS_O2CB, WRITABLE])
        self.assertIn("this host holds the lock /dlm/vms/lock", self.printed)

    def test_if_dlmfs_stays_mounted_it_fails_and_makes_it_writable(self):
        self.mount_dlmfs()
        self.always_fails("umount")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "mount -o remount,ro /dlm", WRITABLE, STARTS_O2CB, WRITABLE])

    def test_if_the_units_own_stop_fails_it_fails_and_starts_the_unit_again(self):
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", "ExecStop=/stubs/other",
                                   status=1),
                         [LEAVES, "o2cb.init disable", STARTS_O2CB])

    def test_at_a_shutdown_it_unlocks_what_has_ended(self):
        self.shut_down()
        self.fails(LEAVES)  # a container's lock stays
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, RELEASES_ENDED, LEAVES, "o2cb.init disable"])

    def test_at_a_shutdown_without_a_record_nothing_is_waited_for(self):
        self.shut_down()
        self.fails(LEAVES)
        self.fails(RELEASES_ENDED)
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable"),
                         [LEAVES, RELEASES_ENDED, "o2cb.init disable"])

    def test_at_a_shutdown_a_failed_stop_starts_nothing(self):
        self.shut_down()
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1),
                         [LEAVES, "o2cb.init disable"])

    def test_at_a_shutdown_a_vm_is_ended_and_else_the_host_reset_after_a_minute(self):
        """A shell that ignores SIGTERM stands for QEMU. A minute passes between two calls of release-ended."""
        self.shut_down()
        with subprocess.Popen(["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]) as qemu:
            try:
                (self.root / "usr/sbin/start-guard").write_text(f"""#!/bin/sh
echo "start-guard $1" >>/called
[ "$1" = release-ended ] || exit 1
[ ! -e /second ] || [ -e /third ] || {{ touch /third; echo 165.2 1 >/proc/uptime; }}
[ ! -e /second ] || [ ! -s /proc/sysrq-trigger ] || exit 0
touch /second
printf '%s\\n' "{qemu.pid} web: its QEMU is alive" '- db\\n0: hangs'
exit 75
""")
                calls = self.stop("ExecStop=/stubs/o2cb.init disable")
                self.assertEqual(qemu.wait(10), -9)  # by the second signal
            finally:
                qemu.kill()
        self.assertEqual(calls.count(RELEASES_ENDED), 3)
        self.assertEqual((self.root / "proc/sysrq-trigger").read_text(), "b\n")
        self.assertRegex(self.printed, r"<2>this host is reset: .*web: its QEMU is alive;- db\\n0: hangs")

    def test_a_command_that_may_fail_does_not_end_the_stop(self):
        self.fails("o2cb.init disable")
        self.assertEqual(self.stop("ExecStop = -/stubs/o2cb.init disable", "ExecStop=/stubs/other"),
                         [LEAVES, "o2cb.init disable", "other "])

    def test_a_script_in_init_d_does_not_call_systemctl(self):
        self.assertEqual(
            self.stop("ExecStop=/bin/sh -c 'echo $SYSTEMCTL_SKIP_REDIRECT >>/called'"), [LEAVES, "1"])

    def test_fails_if_the_units_file_cannot_be_read(self):
        self.always_fails("systemctl")
        self.assertEqual(self.stop("ExecStop=/stubs/o2cb.init disable", status=1), [])


class Hook(Life):
    """The real program installs the hook on a host on which libvirt does not run. /proc is not mounted,
    so the program does not see libvirt's daemon on this machine."""

    stubs = ("systemctl", "deb-systemd-invoke")

    def setUp(self):
        super().setUp()
        self.hooks = self.root / "etc/libvirt/hooks"
        shutil.rmtree(self.hooks.parent, ignore_errors=True)

    def files(self):
        return sorted(str(path.relative_to(self.hooks)) for path in self.hooks.rglob("*")
                      if path.is_file())

    def put_own(self):
        self.hooks.mkdir(parents=True)
        (self.hooks / "qemu").write_text("#!/bin/sh\n")
        (self.hooks / "qemu").chmod(0o755)

    def test_comes_and_goes(self):
        before = self.files()
        self.install()
        hook = self.hooks / "qemu"
        self.assertEqual(hook.read_bytes(),
                         (self.root / "usr/libexec/start-guard/qemu").read_bytes())
        self.assertEqual(hook.stat().st_mode & 0o7777, 0o755)
        self.dpkg("-i", f"/tmp/{self.upgrade.name}")
        self.assertEqual(self.files(), before + ["qemu"])
        self.dpkg("-r", "start-guard")
        self.assertEqual(self.files(), before)

    def test_an_earlier_one_is_replaced(self):
        self.install()
        hook = self.hooks / "qemu"
        with hook.open("ab") as file:
            file.write(b"of another version")
        earlier = hook.stat().st_ino
        self.dpkg("-i", f"/tmp/{self.upgrade.name}")
        self.assertNotEqual(hook.stat().st_ino, earlier)
        self.assertEqual(hook.read_bytes(),
                         (self.root / "usr/libexec/start-guard/qemu").read_bytes())

    def test_the_admins_own_stays(self):
        self.put_own()
        self.install()
        self.assertEqual(self.files(), ["qemu", "qemu.d/00-start-guard"])
        self.assertEqual((self.hooks / "qemu").read_text(), "#!/bin/sh\n")
        self.dpkg("-P", "start-guard")
        self.assertEqual(self.files(), ["qemu"])

    def test_stays_while_a_vm_runs(self):
        self.install()
        record = self.root / "run/start-guard/d0c3b7a4-1111-4222-8333-4444555566ff"
        record.parent.mkdir(exist_ok=True)
        record.write_text("one that can't be read counts as well")
        self.dpkg("-r", "start-guard", status=1)
        self.assertEqual((self.status(), self.files()), ("installed", ["qemu"]))
        record.unlink()
        self.dpkg("-r", "start-guard")
        self.assertEqual(self.files(), [])


class Rpm(Life):
    """Debian's rpm. It does not know the installed Debian packages, hence --nodeps."""

    stubs = ("start-guard", "systemctl", "deb-systemd-invoke")

    @classmethod
    def make(cls, revision):
        folder = cls.folder / str(revision)
        subprocess.run(["cpack", "-G", "RPM", "-B", folder, "-D", f"CPACK_RPM_PACKAGE_RELEASE={revision}"],
                       cwd=BUILD, check=True, capture_output=True)
        package, = folder.glob("*.rpm")
        return package

    def rpm(self, *arguments, **more):
        return self.run_there("rpm", "--nodeps", "--define", f"_install_script_path {PATH}",
                              *arguments, **more)

    def install(self):
        return self.rpm("-i", f"/tmp/{self.package.name}")

    def upgrade_it(self):
        return self.rpm("-U", f"/tmp/{self.upgrade.name}")

    def set_policy(self, *lines):
        """Sets the only presets of the host."""
        for folder in ("etc", "usr/lib"):
            shutil.rmtree(self.root / folder / "systemd/system-preset", ignore_errors=True)
        policy = self.root / "usr/lib/systemd/system-preset/90-test.preset"
        policy.parent.mkdir()
        policy.write_text("".join(f"{line}\n" for line in lines))

    def enabled(self):
        return os.path.lexists(self.root / WANTS)

    def test_install(self):
        self.assertEqual(self.install(), [INSTALLS_HOOK, PRESETS])

    def test_presets_decide_whether_the_service_is_enabled(self):
        for policy, enabled in (((f"enable {UNIT}", "disable *"), True), (("disable *",), False)):
            with self.subTest(policy):
                self.set_policy(*policy)
                self.install()
                self.assertEqual(self.enabled(), enabled)
                self.rpm("-e", "start-guard")
                self.assertFalse(self.enabled())

    def test_the_package_has_no_preset_of_its_own(self):
        self.set_policy("disable *")
        self.install()
        self.assertFalse(self.enabled())
        (self.root / WANTS).parent.mkdir(parents=True, exist_ok=True)
        (self.root / WANTS).symlink_to(f"/usr/lib/systemd/system/{UNIT}")
        self.upgrade_it()
        self.assertTrue(self.enabled())     # the admin's decision stays

    def test_upgrade(self):
        self.install()
        (self.root / WANTS).unlink()
        (self.root / CONFIGURATION).write_text("# mine\n")
        self.assertEqual(self.upgrade_it(),
                         [INSTALLS_HOOK, "systemctl daemon-reload", f"systemctl try-restart {UNIT}"])
        self.assertEqual((self.root / CONFIGURATION).read_text(), "# mine\n")
        self.assertFalse(self.enabled())    # the admin's decision stays

    def test_a_removal_that_is_refused(self):
        self.install()
        self.fails(REMOVES_HOOK)
        self.assertEqual(self.rpm("-e", "start-guard", status=1), [REMOVES_HOOK])
        self.assertTrue((self.root / "usr/sbin/start-guard").exists())
        self.assertTrue(self.enabled())

    def test_removal(self):
        self.install()
        state = self.root / "run/start-guard"
        state.mkdir()
        self.assertEqual(self.rpm("-e", "start-guard"),
                         [REMOVES_HOOK, f"systemctl --no-reload disable --now {UNIT}", LEAVES])
        self.assertFalse((self.root / "usr/libexec/start-guard").exists())
        self.assertFalse((self.root / "usr/lib/systemd/system/o2cb.service.d").exists())
        self.assertFalse(self.enabled())
        self.assertFalse(state.exists())

    def test_systemds_helper_does_the_same_where_there_is_one(self):
        self.put_stub("usr/lib/systemd/systemd-update-helper")
        helped = {verb: f"systemd-update-helper {verb}-system-units {UNIT}"
                  for verb in ("install", "mark-restart", "remove")}
        self.assertEqual(self.install(), [INSTALLS_HOOK, helped["install"]])
        self.assertEqual(self.upgrade_it(), [INSTALLS_HOOK, helped["mark-restart"]])
        self.assertEqual(self.rpm("-e", "start-guard"), [REMOVES_HOOK, helped["remove"], LEAVES])

    def test_without_a_running_systemd_it_can_be_installed_and_removed(self):
        (self.root / "fails/systemctl --no-reload").touch()
        self.assertEqual(self.install(), [INSTALLS_HOOK, PRESETS])
        self.rpm("-e", "start-guard")
        self.assertFalse((self.root / "usr/sbin/start-guard").exists())


if __name__ == "__main__":
    unittest.main()
