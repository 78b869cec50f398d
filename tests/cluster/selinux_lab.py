"""The lab of hosts with SELinux: bare hosts with Debian's policy and start-guard's policy module.

Its folder is `selinux/` in the folder of the other lab.
"""

from systemd_lab import SystemdHost, SystemdLab


class SelinuxHost(SystemdHost):
    mode = "enforcing=1"

    def _command_line(self, port):
        argv = super()._command_line(port)
        argv[argv.index("-append") + 1] += (
            f" lab.selinux security=selinux selinux=1 {self.mode} audit=1 audit_backlog_limit=8192")
        return argv


class SelinuxLab(SystemdLab):
    host_kind = SelinuxHost
    below = "selinux"
