"""Shows the main function, as an operator sees it: one VM and two hosts; the VM's lock allows only one
host at a time to run it.

install/quickstart runs this as a program. A story runs show() on the hosts of the tests' lab.
"""

import argparse
import signal
import sys
import time

from image import LabError
from lab import Lab, in_parallel

NAME = "web"
UUID = "d0c3b7a4-1111-4222-8333-4444555566ff"
TRANSCRIPT = "transcript"  # in the lab's folder
EVICTION = 90  # seconds, a limit; with the lab's short timeouts an eviction takes about 20


class NotAsItShould(Exception):
    """The guard, or something it depends on, did not do what this program shows."""


class Screen:
    """Runs commands in the hosts and shows them with their real output, line by line, by calling
    `print_line`."""

    def __init__(self, print_line):
        self._print_line = print_line
        self.transcript = []

    def line(self, text=""):
        self.transcript.append(text)
        self._print_line(text)

    def type(self, host, command, remark=""):
        self.line(f"{host.name}# {command}{remark}")
        result = host.run(command)
        for text in (result.out + result.err).splitlines():
            if text.strip():
                self.line(text)
        return result

    def expect(self, true, what):
        if not true:
            raise NotAsItShould(f"expected, and not so: {what}")


def guard(lab, hook, keeper):
    """Installs the hook and the keeper on the lab's hosts, which must be up."""
    def guard_host(host):
        host.install_hook(hook)
        host.install_keeper(keeper)
        host.start_keeper()
    in_parallel(guard_host, lab.hosts())


def show(lab, print_line):
    """Shows the main function on the lab's two hosts. They must be up and guarded, and the VM must be
    defined. The second host is down at the end. Returns the lines of the transcript."""
    node1, node2 = lab.host(1), lab.host(2)
    screen = Screen(print_line)

    started = screen.type(node1, f"virsh start {NAME}")
    screen.expect(started.status == 0, "the VM starts on node1")
    locks = screen.type(node1, "ls /dlm/vms").out.split()
    screen.expect([lock[:23] for lock in locks] == [UUID[:23]], "node1 holds the VM's lock")
    none = screen.type(node2, "ls /dlm/vms", "    # made by the first start on a host").out
    screen.expect(none == "", "node2 holds no lock")
    screen.line()

    denied = screen.type(node2, f"virsh start {NAME}")
    screen.expect(denied.status != 0, "the VM is denied on node2")
    screen.expect("host node1 holds its lock" in denied.err, "the denial names node1")
    screen.expect(screen.type(node1, "ls /dlm/vms").out.split() == locks, "node1 keeps the lock")
    screen.expect(screen.type(node2, "ls /dlm/vms").out == "", "the denial leaves no lock on node2")
    screen.line()

    moved = screen.type(node1, f"virsh migrate --live {NAME} qemu+tcp://node2/system")
    screen.expect(moved.status == 0, "the VM moves to node2")
    screen.expect(screen.type(node2, "ls /dlm/vms").out.split() == locks, "node2 holds the lock")
    screen.expect(screen.type(node1, "ls /dlm/vms").out == "", "node1 holds no lock")
    denied = screen.type(node1, f"virsh start {NAME}")
    screen.expect("host node2 holds its lock" in denied.err, "the denial names node2")
    screen.line()

    node2.crash()
    crashed = time.monotonic()
    screen.line("(node2 has lost its power, with the VM on it)")
    while True:
        time.sleep(3)  # nobody notices it sooner
        after = time.monotonic() - crashed
        screen.expect(after < EVICTION, f"the VM starts on node1 within {EVICTION} s of the crash")
        if screen.type(node1, f"virsh start {NAME}", f"    # {after:.0f} s later").status == 0:
            break
    state = screen.type(node1, f"virsh domstate {NAME}").out.strip()
    screen.expect(state == "running", "the VM runs on node1")
    screen.expect(screen.type(node1, "ls /dlm/vms").out.split() == locks, "node1 holds the lock")
    return screen.transcript


def end_on_signals(lab):
    """Makes ^C, SIGTERM and SIGHUP end the hosts and this program at once."""
    def end(number, _):
        for host in (lab.host(1), lab.host(2)):
            host.crash()
        print("\nquickstart: interrupted; nothing is left running", file=sys.stderr)
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def main():
    parser = argparse.ArgumentParser(description="Used by install/quickstart.")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--hook", required=True)
    parser.add_argument("--keeper", required=True)
    parser.add_argument("--began", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()

    def step(saying):
        print(f"[{time.time() - asked.began:3.0f} s] {saying}", flush=True)

    lab = Lab(asked.dir)
    end_on_signals(lab)
    done = False
    try:
        lab.down()  # ends the hosts of an earlier run with --keep
        step("Booting two hosts (half a minute to one)")
        lab.up(hosts=2)
        step("Putting the hook at /etc/libvirt/hooks/qemu on both, and starting the keeper")
        guard(lab, asked.hook, asked.keeper)
        step(f"Defining one VM, {NAME}, on both hosts")
        lab.define_vm(NAME, UUID)
        step("This is what happens now (half a minute to one):\n")
        transcript = show(lab, lambda line: print("    " + line if line else "", flush=True))
        (lab.folder / TRANSCRIPT).write_text("\n".join(transcript) + "\n")
        print()
        if asked.keep:
            step("Booting node2 again (a quarter of a minute to one)")
            lab.host(2).boot()
            lab.host(2).start_keeper()
        done = True
    except (OSError, LabError, NotAsItShould) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    finally:
        if not (done and asked.keep):
            lab.down()
    step("Done: the hosts are up." if asked.keep else "Done: nothing is left running.")
    if asked.keep:
        lab_command = f"sudo tests/cluster/lab --dir {asked.dir}"
        for host in lab.hosts():
            print(f"    a shell in {host.name}:  {lab_command} sh {host.name}")
        print(f"    to end both:       {lab_command} down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
