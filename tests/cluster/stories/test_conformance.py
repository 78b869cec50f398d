"""The kernel's dlmfs behaves as its fake in the unit tests does. One test suite checks both."""

import os
import subprocess
from pathlib import Path

from lab import REPOSITORY
from story import Story

BUILT = Path(Story.hook).parents[1] / "tests/conformance"
IN_LAB = REPOSITORY / "tests/conformance/in_lab"


class TheKernel(Story):
    hook = None

    def test_dlmfs_behaves_as_its_fake_does(self):
        hosts = [self.node1, self.node2, self.lab.host(3)]
        hosts[2].boot()
        commands = ";".join(f"exec {IN_LAB} {host.name} {BUILT}/dlmfs_agent" for host in hosts)
        subprocess.run([BUILT / "conformance_tests"], check=True, timeout=900,
                       env={**os.environ, "START_GUARD_CONFORMANCE_HOSTS": commands,
                            "START_GUARD_LAB_DIR": str(self.lab.folder)})
