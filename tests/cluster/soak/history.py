"""What a soak did and saw: one line of JSON for its seed, and for each operation, fault, rest and finding.

    {"at": seconds since 1970, "kind": "operation", "host": "node1", "what": "start", "vm": "vm2", …}
"""

import collections
import datetime
import json
import re
import threading
import time

_SYSLOG = re.compile(r"^(?P<at>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) \S+ (?P<text>start-guard.*)$")


class History:
    def __init__(self, path):
        self.path = path
        self._file = open(path, "w", buffering=1)
        self._lock = threading.Lock()
        self.counts = collections.Counter()   # of (kind, what)
        self.slowest = {}                     # of each operation: (seconds, at)
        self.findings = []                    # [(at, text)]

    def add(self, kind, what, began=None, **more):
        """Adds a line. `began`: when it began (time.time()), if it took time."""
        now = time.time()
        entry = {"at": round(began or now, 3), "kind": kind, "what": what, **more}
        if began:
            entry["seconds"] = round(now - began, 3)
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self.counts[kind, what] += 1
            if kind == "operation":
                self.slowest[what] = max(self.slowest.get(what, (0, 0)), (now - began, began))
            if kind == "finding":
                self.findings.append((entry["at"], what))

    def total(self, kind):
        return sum(count for (of_kind, _), count in self.counts.items() if of_kind == kind)

    def entries(self):
        """Yields all lines so far, as dictionaries."""
        with open(self.path) as history:
            for line in history:
                yield json.loads(line)

    def excerpt(self, hosts, at, before=30, after=3, most=80):
        """Returns the lines of the history around `at`, with the log events of all hosts, by time. The
        hosts' logs have whole seconds."""
        lines = []
        for entry in self.entries():
            when = entry.pop("at")
            until = when + entry.get("seconds", 0)
            if until >= at - before and when <= at + after:
                lines.append((when, " ".join(f"{key}={value}" for key, value in entry.items())))
        for host in hosts:
            for when, text in events(host):
                if at - before <= when <= at + after:
                    lines.append((when, f"{host.name}: {text}"))
        lines.sort(key=lambda line: line[0])
        return "\n".join(f"{when - at:+8.1f} s  {text}" for when, text in lines[-most:])


def events(host):
    """Yields (time, text) of the guard's lines in the host's log."""
    log = host.folder / "syslog"
    if not log.exists():
        return
    year = datetime.datetime.now(datetime.timezone.utc).year
    for line in log.read_text(errors="replace").splitlines():
        found = _SYSLOG.match(line)
        if found:
            moment = datetime.datetime.strptime(f"{year} {found['at']} +0000", "%Y %b %d %H:%M:%S %z")
            yield moment.timestamp(), found["text"]
