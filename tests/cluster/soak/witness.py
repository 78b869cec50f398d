"""Finds VMs that run on two hosts at once. Knows nothing of the guard, of libvirt or of the cluster: it
only sees, from outside the hosts, in which host's folder a VM's signs of life arrive."""

import threading
import time

WITHIN = 1.5e9   # nanoseconds: signs of life on one host, on another, and on the first one again
EVERY = 0.1      # seconds between two looks


class Sightings:
    """The last signs of life of one VM. In a live migration they move from one host to another once.
    A VM that runs twice shows life here, there, and here again."""

    def __init__(self):
        self._last = {}   # of each host

    def add(self, host, at):
        """Adds a sign of life at `at` (nanoseconds). Returns the other host if the VM shows life there
        as well."""
        before = self._last.get(host)
        self._last[host] = at
        if before is None:
            return None
        return next((other for other, seen in self._last.items()
                     if other != host and before < seen < at and at - before <= WITHIN), None)


class Witness(threading.Thread):
    """Calls report(vm, host, other host) for each double run, at most once in ten seconds for a VM."""

    def __init__(self, folders, vms, report):
        """`folders`: the folder of the signs of life of each host, by the host's name."""
        super().__init__(daemon=True)
        self._files = {(host, vm): folder / vm for host, folder in folders.items() for vm in vms}
        self._report = report
        self._stopping = threading.Event()
        self.seen = dict.fromkeys(vms, 0)   # how many signs of life, so that nobody trusts a blind witness

    def run(self):
        sizes, sightings, quiet_until = {}, {vm: Sightings() for _, vm in self._files}, {}
        while not self._stopping.wait(EVERY):
            for (host, vm), path in self._files.items():
                try:
                    file = path.stat()
                except FileNotFoundError:
                    continue
                grown = file.st_size > sizes.get((host, vm), file.st_size)  # libvirt makes it empty
                sizes[host, vm] = file.st_size
                if not grown:
                    continue
                self.seen[vm] += 1
                # The time of the last write, which this machine's kernel notes: exact, however late the look.
                other = sightings[vm].add(host, file.st_mtime_ns)
                if other and time.monotonic() > quiet_until.get(vm, 0):
                    quiet_until[vm] = time.monotonic() + 10
                    self._report(vm, host, other)

    def stop(self):
        self._stopping.set()
        self.join()
