"""The lists in README.md match the sources. (Stories in the lab run its commands.)"""

import re
import unittest

from program import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


class Lists(unittest.TestCase):
    """The README lists messages and keys that exist."""

    sources = "".join(file.read_text() for folder in ("conf", "dlmfs", "guard", "hook")
                      for file in sorted((REPOSITORY / folder).rglob("*.cpp")))
    sources = re.sub(r'"\s*\n\s*"', "", sources)  # joins a literal that spans several lines

    def table(self, title):
        section = re.search(rf"^## {title}\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)[1]
        rows = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
        return [[cell.strip() for cell in row] for row in rows[2:]]

    def test_every_listed_message_is_in_the_sources(self):
        for row in self.table("Messages, and what to do"):
            for part in row[0].strip("`").split("…"):
                self.assertTrue(part in self.sources, f"no source has the message: {part}")

    def test_every_key_is_listed_with_its_default(self):
        keys, table = {}, ""
        for line in (REPOSITORY / "conf/start-guard.toml").read_text().splitlines():
            if line.startswith("["):
                table = line.strip("[]")
            elif found := re.fullmatch(r"#(\w+) = (.*)", line):
                keys[f"{table}.{found[1]}"] = found[2]
        listed = {row[0].strip("`"): row[1].strip("`") for row in self.table("Configuration")}
        self.assertEqual(keys, listed)


if __name__ == "__main__":
    unittest.main()
