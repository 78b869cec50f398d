"""Runs commands in a host of the lab for the tests outside: one connection, one command.

A request is a line of JSON {command, env, input: bytes that follow}; the answer is a line of
JSON {status, out, err: bytes that follow}. A client that closes its connection takes back its
command: the command's whole process group is killed. Each command has threads of its own, so one
that sleeps in the kernel for ever (dlmfs can do that) costs the others nothing.
"""

import json
import os
import signal
import socket
import subprocess
import threading

ADDRESS = ("10.0.2.15", 7000)  # the side of QEMU's user network that the host forwards to
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
        # Ends when the command has ended and nobody holds its stdout and stderr any more, which is
        # what libvirt waits for with a hook.
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
