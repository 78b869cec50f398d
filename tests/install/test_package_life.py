"""Installs, upgrades and removes the packages with dpkg and rpm."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

from package_life import LEAVES, PATH, Life

BUILD = os.environ["START_GUARD_BUILD"]
UNIT = "start-guard.service"
WANTS = f"etc/systemd/system/multi-user.target.wants/{UNIT}"
CONFIGURATION = "etc/libvirt/start-guard.toml"
INSTALLS_HOOK = "start-guard install-hook"
REMOVES_HOOK = "start-guard remove-hook"
RELOADS = "systemctl --system daemon-reload"
STARTS, RESTARTS, STOPS = (f"deb-systemd-invoke {verb} {UNIT}"
                           for verb in ("start", "restart", "stop"))
PRESETS = f"systemctl --no-reload preset {UNIT}"


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
