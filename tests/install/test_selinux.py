"""The SELinux module compiles with Debian's policy of this machine's release, and the policy linked with
it has the rules that matter. Uses a copy of the policy; does not need SELinux in the kernel."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import setools

from program import REPOSITORY

MAKEFILE = Path("/usr/share/selinux/devel/Makefile")
STORES = ("etc/selinux/default", "var/lib/selinux/default")
HOOK, SERVICE = "start_guard_hook_t", "start_guard_t"
ENVIRONMENT = os.environ | {"LC_ALL": "C", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def run(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=ENVIRONMENT, **more)


def output(*command, **more):
    done = run(*command, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


class Module(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        root = Path(folder.name)
        # semodule changes this copy, never the machine's policy.
        for store in STORES:
            shutil.copytree(f"/{store}", root / store, symlinks=True)
        sources = root / "sources"
        shutil.copytree(REPOSITORY / "install/selinux", sources)
        cls.compiled = output("make", "-f", MAKEFILE, "start_guard.pp", cwd=sources)
        output("semodule", "-n", "-p", root, "-s", "default", "-i",
               "start_guard.pp", "start_guard_dlmfs.cil", cwd=sources)
        linked, = (root / "etc/selinux/default/policy").glob("policy.*")
        cls.policy = setools.SELinuxPolicy(str(linked))
        cls.labels = root / "etc/selinux/default/contexts/files/file_contexts"

    def rules(self, kind, source, target, object_class, *permissions):
        query = setools.TERuleQuery(self.policy, ruletype=[kind], source=source, target=target,
                                    tclass=[object_class], perms=permissions)
        return list(query.results())

    def allowed(self, source, target, object_class, permission):
        return bool(self.rules("allow", source, target, object_class, permission))

    def assert_transition(self, source, program, target):
        self.assertEqual([str(rule.default) for rule in
                          self.rules("type_transition", source, program, "process")], [target])
        self.assertTrue(self.allowed(source, program, "file", "execute"))
        self.assertTrue(self.allowed(source, target, "process", "transition"))
        self.assertTrue(self.allowed(target, program, "file", "entrypoint"))

    def test_compiles_without_a_warning(self):
        self.assertNotIn("warning", self.compiled.lower())

    def test_libvirts_daemon_runs_the_hook_in_its_domain(self):
        self.assert_transition("virtd_t", "start_guard_hook_exec_t", HOOK)

    def test_systemd_runs_the_service_in_its_domain(self):
        self.assert_transition("init_t", "start_guard_exec_t", SERVICE)
        # The unit has NoNewPrivileges=.
        self.assertTrue(self.allowed("init_t", SERVICE, "process2", "nnp_transition"))

    def test_hook_and_service_use_locks_and_records(self):
        for domain in (HOOK, SERVICE):
            for directory in ("start_guard_dlmfs_t", "start_guard_runtime_t"):
                self.assertTrue(self.allowed(domain, directory, "dir", "create"), domain)
                for permission in ("create", "open", "unlink", "write"):
                    self.assertTrue(self.allowed(domain, directory, "file", permission), domain)
        self.assertTrue(self.allowed(HOOK, SERVICE, "unix_stream_socket", "connectto"))

    def test_messages_of_the_cluster_pass_whoever_started_it(self):
        for domain in (HOOK, SERVICE):
            for starter in ("initrc_t", "unconfined_t"):
                self.assertTrue(self.allowed(domain, starter, "tcp_socket", "write"), domain)

    def test_hook_may_neither_call_libvirt_nor_change_disks(self):
        self.assertFalse(self.allowed(HOOK, "virtd_t", "unix_stream_socket", "connectto"))
        for domain in (HOOK, SERVICE):
            self.assertFalse(self.allowed(domain, "virt_image_t", "file", "write"))
            self.assertFalse(self.allowed(domain, "svirt_t", "process", "sigkill"))

    def test_dlmfs_has_a_label(self):
        labels = setools.GenfsconQuery(self.policy, fs="ocfs2_dlmfs").results()
        self.assertEqual([str(label.context) for label in labels],
                         ["system_u:object_r:start_guard_dlmfs_t:s0"])

    def test_files_have_labels(self):
        for path, label in (("/usr/sbin/start-guard", "start_guard_exec_t"),
                            ("/usr/libexec/start-guard/qemu", "start_guard_hook_exec_t"),
                            ("/etc/libvirt/hooks/qemu", "start_guard_hook_exec_t"),
                            ("/etc/libvirt/hooks/lxc", "start_guard_hook_exec_t"),
                            ("/etc/libvirt/hooks/qemu.d/00-start-guard", "start_guard_hook_exec_t"),
                            ("/etc/libvirt/hooks/qemu.d/own", "virt_etc_rw_t"),
                            ("/run/start-guard/keeper.sock", "start_guard_runtime_t")):
            with self.subTest(path):
                self.assertIn(f":object_r:{label}:s0", output("matchpathcon", "-f", self.labels,
                                                              "-m", "file", path))


if __name__ == "__main__":
    unittest.main()
