"""The completions in bash and zsh match the program's verbs and options. The tests send keys to real
shells."""

import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

from program import NOT_YET, options, verbs
from shell import ALL, COMPLETIONS, Shell

VIRSH = """#!/bin/sh
echo "$*" >>"$HOME/asked"
[ -e "$HOME/away" ] && { echo 'error: failed to connect to the hypervisor' >&2; exit 1; }
case $* in
    *--name) printf '%s\\n' web 'my vm' "it's" two:parts two:pieces '' ;;
    *--uuid) printf '%s\\n' d0c3b7a4-1111-4222-8333-4444555566ff '' ;;
esac
"""
NAMES = ["it's", "my vm", "two:parts", "two:pieces", "web"]


class Completion:
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, text in (("virsh", VIRSH), ("be-the-master", "#!/bin/sh\n")):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        self.shell = Shell(self.name, self.folder, f"{self.folder}:/usr/bin:/bin")
        self.addCleanup(self.shell.close)

    def all(self, begun):
        """Returns all completions of the last word of the line."""
        return sorted(shlex.split(self.shell.line(begun + ALL))[len(begun.split(" ")) - 1:])

    def test_every_verb(self):
        self.assertEqual(self.all("start-guard "), sorted(verbs() | NOT_YET))
        self.assertEqual(self.all("start-guard -"), ["--help", "--version"])
        self.assertEqual(options(), {"--version"})

    def test_every_option(self):
        for verb in verbs():
            self.assertEqual(self.all(f"start-guard {verb} -"),
                             sorted(options(verb) | {"--help"}), verb)

    def test_the_begun_word_is_ended(self):
        self.assertEqual(self.shell.line("start-guard hol\t"), "start-guard holder ")
        self.assertEqual(self.shell.line("start-guard list --cl\t"), "start-guard list --cluster ")

    def test_vms(self):
        self.assertEqual(self.all("start-guard holder "), NAMES)
        self.assertEqual(self.all("start-guard release --force "), NAMES)

    def test_a_vm_with_a_space_in_its_name(self):
        for begun in ("m", "my\\ v", "'my", '"my v'):
            line = self.shell.line(f"start-guard release {begun}\t")
            self.assertEqual(shlex.split(line), ["start-guard", "release", "my vm"], begun)

    def test_a_vm_with_a_colon_in_its_name(self):
        line = self.shell.line("start-guard holder tw\ta\t")
        self.assertEqual(shlex.split(line), ["start-guard", "holder", "two:parts"])

    def test_uuids(self):
        self.assertEqual(self.shell.line("start-guard name d\t"),
                         "start-guard name d0c3b7a4-1111-4222-8333-4444555566ff ")

    def test_libvirt_is_only_read_and_only_where_it_matters(self):
        for verb in verbs():
            self.all(f"start-guard {verb} ")
        asked = set((self.folder / "asked").read_text().splitlines())
        ask = "-q -r -c qemu:///system list --all"
        self.assertEqual(asked, {f"{ask} --name", f"{ask} --uuid"})

    def test_silence_while_libvirt_is_away(self):
        (self.folder / "away").touch()
        self.assertEqual(self.shell.line("start-guard holder w\t"), "start-guard holder w")
        self.assertTrue((self.folder / "asked").exists())
        self.assertNotIn("error", self.shell.shown)

    def test_lock_has_its_command_behind_its_name_and_two_dashes(self):
        for begun in ("lock ", "lock -w ", "lock --domain own ", "lock master -w ",
                      "lock -n master be-the-m"):
            self.assertEqual(self.shell.line(f"start-guard {begun}\t"), f"start-guard {begun}")
        for begun in ("lock master ", "lock -E 7 --domain own master "):
            self.assertEqual(self.shell.line(f"start-guard {begun}\t"), f"start-guard {begun}-- ")

    def test_lock_completes_the_command_it_runs(self):
        begun = "start-guard lock -w 5 --domain own master -- "
        self.assertEqual(self.shell.line(begun + "be-the-m\t"), begun + "be-the-master ")
        (self.folder / "a-file").touch()
        self.assertEqual(self.shell.line(begun + "cat a-f\t"), begun + "cat a-file ")

    def test_lock_leaves_the_commands_options_alone(self):
        begun = "start-guard lock master -- cat --dom"
        self.assertEqual(self.shell.line(begun + "\t"), begun)


class InBash(Completion, unittest.TestCase):
    name = "bash"

    def test_the_file_is_sound(self):
        subprocess.run(["bash", "-n", COMPLETIONS / "start-guard.bash"], check=True)


class InZsh(Completion, unittest.TestCase):
    name = "zsh"

    def test_the_file_is_sound(self):
        subprocess.run(["zsh", "-n", COMPLETIONS / "_start-guard"], check=True)


if __name__ == "__main__":
    unittest.main()
