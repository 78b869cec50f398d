"""The man pages match the program and its sources."""

import re
import subprocess
import unittest

from program import NOT_YET, REPOSITORY, options, run, verbs

MAN = REPOSITORY / "install/man"
PAGES = sorted(MAN.iterdir())
COMMAND_PAGE = (MAN / "start-guard.8").read_text()
HOOK_PAGE = (MAN / "start-guard-hook.8").read_text()
# What a newcomer reads before there are man pages.
TEXTS = [(REPOSITORY / file).read_text() for file in ("README.md", "install/README.md", "install/FAQ.md")]


def rendered(page):
    shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=1000", page], check=True,
                           capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", re.sub(".\b", "", shown))


def part(text, begin, end=r"^\.S[hs]|\Z"):
    """Returns the text between two lines of a page. `begin` and `end` match the beginnings of these
    lines."""
    return re.search(rf"{begin}.*?\n(.*?)(?:{end})", text, re.DOTALL | re.MULTILINE)[1]


def items(text, macro):
    """Returns the words with which list items begin: `.It Va one , two` gives one and two."""
    return [word for line in re.findall(rf"^\.It {macro} (.*)", text, re.MULTILINE)
            for word in re.split(rf" , (?:{macro} )?", line)]


class Pages(unittest.TestCase):
    def test_are_sound(self):
        self.assertEqual([page.name for page in PAGES], ["start-guard-events.7", "start-guard-hook.8", "start-guard.7", "start-guard.8",
                          "start-guard.toml.5"])
        for page in PAGES:
            lint = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True)
            # mandoc knows only those other pages that are installed.
            said = [line for line in lint.stdout.splitlines()
                    if "referenced manual not found" not in line]
            self.assertEqual(said, [])

    def test_refer_to_each_other(self):
        for page in PAGES:
            listed = part(page.read_text(), r"^\.Sh SEE ALSO")
            for other in set(PAGES) - {page}:
                name, section = other.name.rsplit(".", 1)
                self.assertIn(f".Xr {name} {section}", listed, page.name)

    def test_every_reference_to_a_section_names_one_that_is_there(self):
        """The texts refer to a section of a page as `start-guard(7)`, TITLE."""
        sections = {(page.name, title) for page in PAGES
                    for title in re.findall(r"^\.Sh (.*)$", page.read_text(), re.MULTILINE)}
        listed = [*TEXTS, (REPOSITORY / "SECURITY.md").read_text()]
        found = [(f"{name}.{section}", title) for text in listed for name, section, title in
                 re.findall(r"`(start-guard[a-z.-]*)\((\d)\)`,\s([A-Z][A-Z -]+[A-Z])", text)]
        self.assertGreater(len(found), 0)
        self.assertLessEqual(set(found), sections)


class Verbs(unittest.TestCase):
    """start-guard(8) describes exactly the verbs and options of the program."""

    synopsis = part(COMMAND_PAGE, r"^\.Sh SYNOPSIS")
    described = set(re.findall(r"^\.Ss ([a-z-]+)$", COMMAND_PAGE, re.MULTILINE))

    def test_not_yet_lists_only_what_is_not_there(self):
        self.assertEqual(NOT_YET & verbs(), set(), "take it off NOT_YET in program.py")

    def test_every_verb_is_in_the_synopsis_and_described(self):
        self.assertEqual(self.described, verbs() | NOT_YET)
        in_synopsis = re.findall(r"^\.Cm (\S+)$", self.synopsis, re.MULTILINE)
        self.assertEqual(sorted(in_synopsis), sorted(self.described))

    def test_every_option_is_described(self):
        for verb in verbs():
            described = items(part(COMMAND_PAGE, rf"^\.Ss {verb}$"), "Fl")
            self.assertEqual({"-" + option.split()[0] for option in described}, options(verb), verb)

    def test_the_synopsis_shows_options_that_are_described(self):
        for verb in self.described:
            line = part(self.synopsis, rf"^\.Cm {verb}$", r"^\.Nm|\Z")
            shown = {option.split()[0] for option in re.findall(r"(?:Fl|\|) ([\w-]+)", line)}
            described = items(part(COMMAND_PAGE, rf"^\.Ss {verb}$"), "Fl")
            self.assertLessEqual(shown - {"-"}, {option.split()[0] for option in described}, verb)
            self.assertEqual(bool(shown), bool(described), verb)

    def test_whatever_call_is_shown_can_be_made(self):
        texts = [*TEXTS, *(rendered(page) for page in PAGES)]
        calls = [call for text in texts for call in
                 re.findall(r"(?:[`'] ?|[#$] )start-guard ([a-z][a-z-]*)((?: --?[\w-]+)*)", text)]
        self.assertGreater(len(calls), 10)
        for verb, given in calls:
            self.assertIn(verb, self.described)
            if verb not in NOT_YET:
                self.assertLessEqual(set(given.split()), options(verb), verb)

    def test_the_names_in_the_examples_are_so(self):
        shown = re.findall(r"[#$] start-guard (name|uuid) (\S+)\n(\S+)", COMMAND_PAGE)
        self.assertGreater(len(shown), 0)
        for verb, given, printed in shown:
            self.assertEqual(run(verb, given).strip(), printed)


class Configuration(unittest.TestCase):
    """start-guard.toml(5) lists the keys of conf/start-guard.toml. tests/conf/shipped_file_test.cpp
    compares that file with the parser."""

    page = (MAN / "start-guard.toml.5").read_text()

    def test_every_key_is_listed_with_its_default(self):
        keys, table = [], ""
        for line in (REPOSITORY / "conf/start-guard.toml").read_text().splitlines():
            if line.startswith("["):
                table = line
            elif found := re.fullmatch(r"#(\w+) = (.*)", line):
                keys.append((table, found[1], found[2]))
        listed = []
        for table, text in re.findall(r"^\.Ss The (\S+) table\n(.*?)^\.El", self.page,
                                      re.DOTALL | re.MULTILINE):
            for key, default in re.findall(r"^\.It Va (\w+) No = (.*)", text, re.MULTILINE):
                listed.append((table, key, re.sub(r"^Qq (.*)", r'"\1"', default)))
        self.assertEqual(listed, keys)


class Messages(unittest.TestCase):
    """start-guard-hook(8) lists messages that exist."""

    sources = "".join(file.read_text() for folder in ("conf", "dlmfs", "guard", "hook")
                      for file in sorted((REPOSITORY / folder).rglob("*.cpp")))
    sources = re.sub(r'"\s*\n\s*"', "", sources)  # joins a literal that spans several lines

    def test_every_listed_message_is_in_the_sources(self):
        listed = re.findall(r"^\.It Ql (.*)", part(HOOK_PAGE, r"^\.Sh DIAGNOSTICS", r"^\.Sh"),
                            re.MULTILINE)
        self.assertGreater(len(listed), 30)
        for message in listed:
            for piece in message.split("..."):
                self.assertIn(piece, self.sources)


if __name__ == "__main__":
    unittest.main()
