"""Recognizes what start-guard(7) describes as a limit: a daemon of libvirt died in the last step of a
migration, so libvirt has the VM on both hosts, and both services log `conflict`. Any other double run counts
against the guard."""

import re
import time

from soak.history import events

LOGGED = 60    # seconds until both services have logged it: what start-guard(7) promises
AROUND = 10    # seconds; a copy may show life before virsh has reported the failure
LOST = re.compile("End of file|Disconnected from|client socket is closed|keepalive|[Cc]annot recv data|"
                  "Connection reset|Broken pipe")
SIGPIPE = 128 + 13   # the status of virsh if it writes to a lost connection


class LostReplies:
    def __init__(self, hosts, history):
        self._hosts = {host.name: host for host in hosts}
        self._history = history

    def explain(self, vm, here, there, at):
        """Returns whether a migration between the hosts `here` and `there` (their names) lost its
        connection since the VM last came to a host, as seen at `at` (seconds since 1970), and both
        services log it. Waits for the latter."""
        lost = [entry for entry in self._lost_migrations(vm, at)
                if {entry["host"], entry["to"]} == {here, there}]
        if not lost:
            return False
        until = time.time() + LOGGED
        while not all(self._logged(host, vm, lost[0]["at"]) for host in (here, there)):
            if time.time() > until:
                return False
            time.sleep(1)
        return True

    def end_one_copy(self, vm, here, there):
        """Ends the paused copy, if one is paused."""
        paused = [name for name in (here, there)
                  if self._hosts[name].run(f"virsh domstate {vm}").out.strip() == "paused"]
        self._hosts[(paused or [here])[0]].run(f"virsh destroy {vm}")

    def _lost_migrations(self, vm, at):
        """Returns the VM's migrations that lost a connection since its last start or other migration. virsh
        succeeds if it lost only the source."""
        lost = []
        for entry in self._history.entries():
            if entry["kind"] != "operation" or entry["vm"] != vm or entry["at"] - AROUND > at:
                continue
            cut = entry["status"] == SIGPIPE or LOST.search(entry["text"])
            if entry["what"].startswith("migrate") and cut:
                lost.append(entry)
            elif entry["status"] == 0 and entry["what"].startswith(("start", "restore", "revert", "migrate")):
                lost = []
        return lost

    def _logged(self, name, vm, since):
        return any(when >= since - 1 and "event=conflict" in text and f"vm={vm} " in text
                   for when, text in events(self._hosts[name]))   # the log has whole seconds
