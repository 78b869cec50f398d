"""Runs commands in a host of the lab for the tests outside: one connection for each command.

A request is a line of JSON {command, env, input: number of bytes that follow}. The answer is a line of
JSON {status, out, err: number of bytes that follow}. If a client closes its connection, the agent kills
the command's whole process group. Each command has its own threads, so a command that sleeps in the
kernel for ever (possible with dlmfs) does not delay the others.
"""

import json
import os
import signal
import socket
import subprocess
import threading

ADDRESS = ("10.0.2.15", 7000)  # in QEMU's user network; QEMU forwards the agent's port to it
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "USER": "root", "LOGNAME": "root", "LC_ALL": "C.UTF-8"}


def serve(connection):
    with connection, connection.makefile("rb") as stream:
        line = stream.readline()
        if not line:
            return
        request = json.loads(line)
        data = stream.read(request["input"])
        child = subprocess.Popen(
            ["/bin/sh", "-c", request["command"]], env={**ENVIRONMENT, **request["env"]}, cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)
        threading.Thread(target=kill_when_abandoned, args=(stream, child), daemon=True).start()
        # Returns when the command has ended and no process has its stdout or stderr open. libvirt
        # waits for a hook in the same way.
        out, err = child.communicate(data)
        answer = {"status": child.returncode, "out": len(out), "err": len(err)}
        connection.sendall(json.dumps(answer).encode() + b"\n" + out + err)
        connection.shutdown(socket.SHUT_RDWR)


def kill_when_abandoned(stream, child):
    try:
        stream.read(1)
    except (OSError, ValueError):
        pass
    if child.returncode is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    listener = socket.create_server(ADDRESS, backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
