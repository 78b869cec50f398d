"""A process that runs on after its parent ends. A file records its PID and start time, so that any
program can end exactly this process: the start time differs from that of a later process with the same
PID."""

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
        """Records a running process, and the further values in `more`."""
        part = self._file.with_suffix(".new")
        part.write_text(json.dumps({"pid": pid, "began": _state_and_start(pid)[1], **more}))
        part.rename(self._file)

    def noted(self):
        """Returns what note() recorded. The process may have ended since. PID 0 if nothing is
        recorded."""
        try:
            return json.loads(self._file.read_text())
        except FileNotFoundError:
            return {"pid": 0, "began": None}

    def runs(self):
        noted = self.noted()
        state, began = _state_and_start(noted["pid"])
        return began is not None and began == noted["began"] and state not in "ZX"

    def kill(self):
        """Sends SIGKILL and returns when the process has ended. Raises LabError after 30 s."""
        if not self.runs():
            return
        pid = self.noted()["pid"]
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if self.runs():  # so the pidfd refers to this process
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
