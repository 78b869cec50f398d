"""How long each call of the hook took on the lab's hosts, by the trace of their kernels.

Each host writes its kernel's trace of the hook's processes to its folder, where it outlives the host.
What the stories made of it is in the lab's folder, `hook-calls`, one line of JSON for each story:
    {"story": …, "calls": [[host, seconds], …], "stops_hook": …}
"""

import json
import re

from image import LabError

LONGEST = 11  # seconds: acquire_timeout's default, and one more

_EVENT = re.compile(r"(?m)^(?P<boot>boot)$|"
                    r" (?P<time>[\d.]+): sched_process_"
                    r"(?P<event>exec: filename=/etc/libvirt/hooks/|exit: ).*?\bpid=(?P<pid>\d+)")


def seconds_of_calls(trace, uptime=None):
    """The seconds of each call in a trace; of a call that has not ended, up to `uptime`, or it is left
    out: its host has lost its power."""
    began, seconds = {}, []
    for event in _EVENT.finditer(trace):
        if event["boot"]:
            began.clear()
        elif event["event"] != "exit: ":
            began[event["pid"]] = float(event["time"])
        elif event["pid"] in began:
            seconds.append(float(event["time"]) - began.pop(event["pid"]))
    return seconds + [uptime - begin for begin in began.values() if uptime is not None]


class HookCalls:
    """Those of one story, which begins now."""

    def __init__(self, lab):
        self._lab = lab
        self._hosts = {host: self._size(host) for host in lab.every_host()}

    @staticmethod
    def _size(host):
        return host.hook_trace.stat().st_size if host.hook_trace.exists() else 0

    def seconds(self):
        """[(host's name, seconds)] of each call until now."""
        return [(host.name, round(seconds, 3)) for host, begin in self._hosts.items()
                for seconds in self._of_host(host, begin)]

    def end(self, story, stops_hook):
        """Notes the calls; those that took too long, as text, unless the story stops the hook itself."""
        calls = self.seconds()
        with open(self._lab.hook_calls, "a") as noted:
            noted.write(json.dumps({"story": story, "calls": calls, "stops_hook": stops_hook}) + "\n")
        return "" if stops_hook else \
            "".join(f"a call of the hook on {name} took {seconds} s, more than {LONGEST} s\n"
                    for name, seconds in calls if seconds > LONGEST)

    def _of_host(self, host, begin):
        trace = self._read(host, begin)
        if len(seconds_of_calls(trace, 0)) > len(seconds_of_calls(trace)) and host.is_up():
            try:  # until the last line has come, or for a call that has not ended
                uptime = float(host.sh("cat /proc/uptime", timeout=20).split()[0])
            except (OSError, LabError):
                uptime = None
            return seconds_of_calls(self._read(host, begin), uptime)
        return seconds_of_calls(trace)

    @staticmethod
    def _read(host, begin):
        if not host.hook_trace.exists():
            return ""
        with open(host.hook_trace, "rb") as trace:
            trace.seek(begin)
            return trace.read().decode(errors="replace")
