"""Many live migrations at the same time, in both directions."""

import uuid

from stories.guarded import KeptVm, lock_name

from lab import in_parallel


class ManyMigrations(KeptVm):
    """Migrations at the same time in both directions, as many as libvirt's daemons have workers: each
    worker prepares a migration, and libvirt answers no queries meanwhile. By default a daemon has 20
    workers."""

    EACH_WAY = 3

    def setUp(self):
        super().setUp()
        vms = {f"vm{number}": str(uuid.uuid4()) for number in range(2 * self.EACH_WAY)}
        for name, own_uuid in vms.items():
            self.lab.define_vm(name, own_uuid)
        names = list(vms)
        self.here = {self.node1: names[::2], self.node2: names[1::2]}
        self.locks = {name: lock_name(own_uuid) for name, own_uuid in vms.items()}
        for host in self.here:
            self.addCleanup(host.kill_libvirtd)  # the next story gets a new daemon
        in_parallel(lambda host: host.sh("virt-admin server-threadpool-set libvirtd --min-workers 1 "
                                         f"--max-workers {self.EACH_WAY}"), self.here)
        in_parallel(lambda host: host.sh(f"for vm in {' '.join(self.here[host])}; do "
                                         "virsh -q start $vm || exit; done", timeout=600),
                    self.here)

    def assert_locks_on(self, host, names):
        self.eventually(lambda: sorted(host.holds()) == sorted(self.locks[name] for name in names),
                        within=60)
        self.eventually(lambda: {host.level(self.locks[name]) for name in names} == {"EX"},
                        within=60)

    def test_all_are_granted_and_each_lock_follows_its_vm(self):
        other = {self.node1: self.node2, self.node2: self.node1}
        marks = {host: host.mark() for host in self.here}
        for turn in range(2):
            migrating = [(name, source.start(f"virsh -q migrate --live {name} "
                                             f"qemu+tcp://{other[source].name}/system"))
                         for source, names in self.here.items() for name in names]
            results = [(name, each.wait(600)) for name, each in migrating]
            print(f"(up to {max(result.seconds for _, result in results):.1f} s)", end=" ",
                  flush=True)
            self.assertEqual([(name, result.err) for name, result in results if result.status], [])
            self.here = {other[host]: names for host, names in self.here.items()}
            for host, names in self.here.items():
                self.assertEqual(sorted(host.sh("virsh -q list --name").split()), sorted(names))
                self.assert_locks_on(host, names)
        for host, mark in marks.items():
            self.assertFalse(self.log_has(host, mark, "event=conflict"))
