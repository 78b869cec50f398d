"""Measures how long each call of the hook takes on the lab's hosts, from their kernels' traces.

Each host writes its kernel's trace of the hook's processes to its folder; the file remains after the
host ends. The results are in the file `hook-calls` in the lab's folder, one line of JSON for each
story:
    {"story": …, "calls": [[host, seconds], …], "stops_hook": …}
"""

import json
import re

from image import LabError

LONGEST = 11  # seconds: the default of acquire_timeout plus one

_EVENT = re.compile(r"(?m)^(?P<boot>boot)$|"
                    r" (?P<time>[\d.]+): sched_process_"
                    r"(?P<event>exec: filename=/etc/libvirt/hooks/|exit: ).*?\bpid=(?P<pid>\d+)")


def seconds_of_calls(trace, uptime=None):
    """Returns the duration in seconds of each call in a trace. A call that has not ended counts up to
    `uptime`; without `uptime` it is omitted, because its host has lost power."""
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
    """The calls of the hook in one story. The story begins when this object is made."""

    def __init__(self, lab):
        self._lab = lab
        self._hosts = {host: self._size(host) for host in lab.every_host()}

    @staticmethod
    def _size(host):
        return host.hook_trace.stat().st_size if host.hook_trace.exists() else 0

    def seconds(self):
        """Returns [(host name, seconds)] for each call until now."""
        return [(host.name, round(seconds, 3)) for host, begin in self._hosts.items()
                for seconds in self._of_host(host, begin)]

    def end(self, story, stops_hook):
        """Writes the calls to the lab's file. Returns a text about the calls that took too long; it is
        empty if the story stops the hook itself."""
        calls = self.seconds()
        with open(self._lab.hook_calls, "a") as noted:
            noted.write(json.dumps({"story": story, "calls": calls, "stops_hook": stops_hook}) + "\n")
        return "" if stops_hook else \
            "".join(f"a call of the hook on {name} took {seconds} s, more than {LONGEST} s\n"
                    for name, seconds in calls if seconds > LONGEST)

    def _of_host(self, host, begin):
        trace = self._read(host, begin)
        if len(seconds_of_calls(trace, 0)) > len(seconds_of_calls(trace)) and host.is_up():
            try:  # the last lines of the trace may be late, or a call has not ended
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
