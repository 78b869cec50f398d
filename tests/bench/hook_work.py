"""What the hook does at prepare and at release, reduced to the open and the unlink, as one would
write it in Python: the measure of what the hook must beat."""

import os
import re
import sys

xml = sys.stdin.read()
name = re.search("<uuid>(.*)</uuid>", xml).group(1)[:31]
if sys.argv[2] == "prepare":
    os.close(os.open("/dlm/vms/" + name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK))
elif sys.argv[2] == "release":
    os.unlink("/dlm/vms/" + name)
