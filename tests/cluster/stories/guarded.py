"""What the stories of a guarded VM share: the VM, and the questions asked of a host about it."""

import base64
import uuid

from story import Story

STATE = "/run/start-guard"
CONFIGURATION = "/etc/libvirt/start-guard.toml"


def lock_name(text):
    """The name of the lock of a UUID: its first 23 characters, then its last 6 bytes in base64url."""
    return text[:23] + base64.urlsafe_b64encode(bytes.fromhex(text[24:])).decode()


class GuardedVm(Story):
    """Stories of the VM `web`, defined on both hosts and running on none. Its UUID is a new one each
    time: of an old one the cluster may still remember who mastered its lock, and its bell's text."""

    def setUp(self):
        super().setUp()
        self.uuid = str(uuid.uuid4())
        self.lock = lock_name(self.uuid)
        self.lab.define_vm("web", self.uuid)

    def configure(self, host, text):
        host.sh(f"cat >{CONFIGURATION}", input=text)

    def start(self, host, timeout=60):
        return host.run("virsh start web", timeout=timeout)

    def starts(self, host):
        """The VM starts there; fails with all that virsh said otherwise."""
        result = self.start(host)
        self.assertEqual(result.status, 0, result)
        return result

    def denied(self, result, *words):
        """A start was denied with one sentence of ours that has these words in it."""
        self.assertNotEqual(result.status, 0, result)
        self.assertEqual(result.err.count("start-guard: "), 1, result)
        sentence = result.err.partition("start-guard: ")[2]
        self.assertIn("VM 'web'", sentence)
        for word in words:
            self.assertIn(word, sentence)
        return sentence

    def runs_on(self, host):
        return host.sh("virsh domstate web").strip() == "running"

    def assert_runs_only_on(self, host):
        self.assertEqual([h.name for h in self.lab.hosts() if h.is_up() and self.runs_on(h)],
                         [host.name])

    def assert_holds(self, host):
        self.assertEqual(host.holds(), [self.lock], host.name)
        self.assertIn(self.uuid, host.sh(f"ls {STATE}"))

    def assert_clean(self, host, *but):
        """Nothing of the VM on this host: no lock, no bell, no record, no child of a hook."""
        left = host.sh(f"ls /dlm/vms /dlm/vms-bell {STATE} 2>/dev/null || :").split()
        left = [name for name in left if not name.endswith(":") and name not in but]
        self.assertEqual(left, [], host.name)

    def forget_lock(self, host):
        """What an operator's mistake does: the running VM's lock and record are gone."""
        host.sh(f"rm -f /dlm/vms/{self.lock} /dlm/vms-bell/{self.lock} {STATE}/{self.uuid}")

    def log_has(self, host, mark, *words):
        return any(all(word in line for word in words)
                   for line in host.log_since(mark).splitlines())
