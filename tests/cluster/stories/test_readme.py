"""What README.md says is so: its commands run as they stand, its lists are those of the sources."""

import re
import unittest

from stories.guarded import KeptVm
from story import Story

from lab import REPOSITORY, in_parallel

README = (REPOSITORY / "README.md").read_text()

# The hosts of the lab run without systemd, and without ssh. The lab's own restart would put its own
# hook in place; the keeper that it starts has to be the one that was installed.
IN_THE_LAB = {
    "systemctl restart libvirtd":
        "/lab/libvirt stop && libvirtd -d -l && until virsh -q list; do sleep 0.2; done",
    "systemctl enable --now start-guard":
        "grep -q '^ExecStart=/usr/sbin/start-guard keep$' /etc/systemd/system/start-guard.service && "
        "cmp /usr/sbin/start-guard /share/$(hostname)/disk/start-guard && /lab/keeper start",
    "systemctl restart start-guard": "/lab/keeper stop && /lab/keeper start",
    "systemctl disable --now start-guard": "/lab/keeper stop",
    "virsh migrate --live web qemu+ssh://node2/system":
        "virsh migrate --live web qemu+tcp://node2/system",
}
CLONE = "/root/start-guard"


def tried_blocks():
    """(on which hosts, lines) of each block of commands that says where it is to be tried."""
    blocks = re.findall(r"<!-- tried on: (.*?) -->\n```sh\n(.*?)```", README, re.DOTALL)
    return [(where, text.splitlines()) for where, text in blocks]


class RealHosts(Story):
    hook = None

    def setUp(self):
        super().setUp()
        self.addCleanup(self.start_over)
        self.lab.define_vm("web", "d0c3b7a4-1111-4222-8333-4444555566ff")
        for host in self.lab.hosts():
            host.sh("/lab/cluster leave && umount /dlm 2>/dev/null; "
                    f"rm -rf /etc/libvirt/hooks {CLONE} && cd {REPOSITORY} && "
                    f"mkdir -p {CLONE}/build/hook {CLONE}/build/guard && "
                    f"cp -r install {CLONE}/", timeout=120)
            host.put(Story.hook, f"{CLONE}/build/hook/qemu")
            host.put(KeptVm.keeper, f"{CLONE}/build/guard/start-guard")
            host.install_keeper(KeptVm.keeper)

    def start_over(self):
        """The hosts are in a cluster now that the lab knows nothing of, and on its spare disk."""
        in_parallel(lambda host: host.crash(), self.lab.hosts())
        with open(self.lab.folder / "spare.img", "r+b") as spare:
            size = spare.seek(0, 2)
            spare.truncate(0)
            spare.truncate(size)

    def test_the_commands_put_the_guard_on_real_hosts_and_take_it_away(self):
        places = {"one host": [self.node1], "every host": self.lab.hosts(),
                  "node1": [self.node1], "node2, denied": [self.node2]}
        blocks = tried_blocks()
        self.assertEqual([where for where, _ in blocks].count("node2, denied"), 1)
        said = ""
        for where, lines in blocks:
            for line in lines:
                said += "".join(self.try_line(host, line, denied=where.endswith("denied"))
                                for host in places[where])
            if where == "node2, denied":
                self.upgrade_while_the_vm_runs()
        self.assertIn("Heartbeat mode: Global", said)
        self.assertRegex(said, r"Nodes in O2CB cluster: 1 2")
        self.assertIn("d0c3b7a4-1111-4222-8333RERVVWb_", said)
        for host in self.lab.hosts():
            self.assertEqual(host.sh("ls -A /dlm /etc/libvirt/hooks"),
                             "/dlm:\n\n/etc/libvirt/hooks:\n")
            self.assertEqual(host.run("ls -d /run/start-guard /usr/sbin/start-guard "
                                      "/etc/systemd/system/start-guard.service").out, "")
        self.assertEqual(self.node2.sh("virsh domstate web").strip(), "running")
        self.node1.sh("virsh start web")  # on both: there is no guard any more

    def try_line(self, host, line, denied=False):
        result = host.run(f"cd {CLONE} && {IN_THE_LAB.get(line, line)}", timeout=120)
        if denied:
            self.assertIn("start-guard: VM 'web'", result.err)
            self.assertIn("host node1 holds its lock", result.err)
        else:
            self.assertEqual(result.status, 0, f"{host.name}: {result}")
        return result.out

    def upgrade_while_the_vm_runs(self):
        self.assertIn("`systemctl restart start-guard`", README)
        placing = [line for _, lines in tried_blocks() for line in lines
                   if line.startswith(("install -m 755", "mv"))]
        self.assertEqual(len(placing), 4)
        for host in self.lab.hosts():
            for line in (*placing, "systemctl restart start-guard"):
                self.try_line(host, line)
        self.try_line(self.node2, "virsh start web", denied=True)


class Lists(unittest.TestCase):
    """A message, event or key that is added, renamed or dropped is so in the README as well."""

    sources = "".join(file.read_text() for folder in ("conf", "dlmfs", "guard", "hook")
                      for file in sorted((REPOSITORY / folder).rglob("*.cpp")))
    sources = re.sub(r'"\s*\n\s*"', "", sources)  # a literal over several lines

    def table(self, title):
        section = re.search(rf"^## {title}\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)[1]
        rows = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
        return [[cell.strip() for cell in row] for row in rows[2:]]

    def test_every_message_is_one_of_the_sources(self):
        for row in self.table("Messages, and what to do"):
            for part in row[0].strip("`").split("…"):
                self.assertTrue(part in self.sources, f"no source says: {part}")

    def test_every_refusal_of_a_hand_over_is_listed(self):
        listed = "".join(row[0] for row in self.table("Messages, and what to do"))
        refusals = re.findall(r'held_by\(answer\) \+\s*"(, and [^;:,"]*)', self.sources)
        self.assertGreaterEqual(len(refusals), 5)
        for refusal in refusals:
            self.assertIn(refusal, listed)

    def test_every_event_of_the_sources_is_listed_with_its_priority(self):
        text = re.sub(r"\s+", " ", self.sources)
        logged = {(event, priority.lower()) for priority, event in
                  re.findall(r'LOG_([A-Z]+), (?:(?:guard::)?log_line\( ?)?"([a-z-]+)"', text)}
        logged |= {(event, "err") for event in re.findall(r'log_problem\("([a-z-]+)"', text)}
        # The keeper's that are put together: reached(…, "libvirt") and fmt::format("{}-lost", …).
        endings = re.findall(r'LOG_([A-Z]+), log_line\(fmt::format\("{}(-[a-z]+)"', text)
        logged |= {(reached + ending, priority.lower()) for priority, ending in endings
                   for reached in re.findall(r'reached\([^;]*, "([a-z]+)"\)', text)}
        logged |= {(event, "notice" if event == "adopted" else "info") for event in
                   re.findall(r'taken_back\(now, answer, "([a-z-]+)"\)', text)}
        listed = {(event.strip("`"), priority) for event, priorities, _ in self.table("The log")
                  for priority in priorities.split(", ")}
        self.assertEqual(logged, listed)

    def test_every_key_is_listed_with_its_default(self):
        keys, table = {}, ""
        for line in (REPOSITORY / "conf/start-guard.toml").read_text().splitlines():
            if line.startswith("["):
                table = line.strip("[]")
            elif found := re.fullmatch(r"#(\w+) = (.*)", line):
                keys[f"{table}.{found[1]}"] = found[2]
        listed = {row[0].strip("`"): row[1].strip("`") for row in self.table("Configuration")}
        self.assertEqual(keys, listed)
