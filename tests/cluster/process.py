"""A process that outlives whoever started it, noted in a file so that anyone can end it, and it
alone: its start time tells it from a later process with the same pid."""

import json
import os
import select
import signal
from pathlib import Path

from image import LabError


class NotedProcess:
    def __init__(self, file: Path):
        self._file = file

    def note(self, pid, **more):
        """Writes down a process that runs, and what else is to be remembered of it."""
        part = self._file.with_suffix(".new")
        part.write_text(json.dumps({"pid": pid, "began": _state_and_start(pid)[1], **more}))
        part.rename(self._file)

    def noted(self):
        """What was written down, about a process that may have ended since; or nothing."""
        try:
            return json.loads(self._file.read_text())
        except FileNotFoundError:
            return {"pid": 0, "began": None}

    def runs(self):
        noted = self.noted()
        state, began = _state_and_start(noted["pid"])
        return began is not None and began == noted["began"] and state not in "ZX"

    def kill(self):
        """SIGKILL; returns when the process is gone."""
        if not self.runs():
            return
        pid = self.noted()["pid"]
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if self.runs():  # so the pidfd is this process's
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                if not select.select([pidfd], [], [], 30)[0]:
                    raise LabError(f"process {pid} outlives SIGKILL")
        finally:
            os.close(pidfd)


def _state_and_start(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None, None
    return fields[0], int(fields[19])
