"""An interactive shell on its own terminal, to which tests send keys."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from program import REPOSITORY

COMPLETIONS = REPOSITORY / "install/completions"
ALL, LINE = "\x14", "\x07"  # ^T: inserts all completions; ^G: reports the line and empties it

BASH = f"""
PS1='ready> '
source {COMPLETIONS}/start-guard.bash
bind '"\\C-t": insert-completions'
tell() {{ printf '%s\\n' "$READLINE_LINE" >&$TELL; READLINE_LINE=; READLINE_POINT=0; }}
bind -x '"\\C-g": tell'
"""

ZSH = f"""
PS1='ready> '
fpath=({COMPLETIONS} $fpath)
autoload -Uz compinit && compinit -u -D
all() {{ _main_complete; compstate[insert]=all compstate[list]= }}
zle -C all complete-word all
bindkey '^T' all
tell() {{ print -r -- "$BUFFER" >&$TELL; BUFFER= }}
zle -N tell
bindkey '^G' tell
"""


class Shell:
    def __init__(self, name, folder, path):
        if name == "bash":
            command = ["bash", "--rcfile", folder / "rc", "-i"]
            Path(folder, "rc").write_text(BASH)
        else:
            command = ["zsh", "-d", "-i"]
            Path(folder, ".zshrc").write_text(ZSH)
        self.told, tell = os.pipe()
        self.terminal, end = pty.openpty()
        env = {"PATH": path, "HOME": str(folder), "ZDOTDIR": str(folder), "TELL": str(tell),
               "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=env,
                                        pass_fds=[tell], start_new_session=True, cwd=folder)
        os.close(tell)
        os.close(end)
        self.shown = ""
        self.wait(lambda: "ready> " in self.shown)

    def line(self, keys):
        """Sends keys and returns the resulting command line."""
        self.shown, self.answer = "", ""
        os.write(self.terminal, (keys + LINE).encode())
        self.wait(lambda: self.answer.endswith("\n"))
        return self.answer.removesuffix("\n")

    def wait(self, done):
        deadline = time.monotonic() + 30
        while not done():
            ready, _, _ = select.select([self.terminal, self.told], [], [],
                                        max(0, deadline - time.monotonic()))
            assert ready, f"the shell says no more than {self.shown!r}"
            if self.terminal in ready:
                self.shown += os.read(self.terminal, 4096).decode(errors="replace")
            if self.told in ready:
                self.answer += os.read(self.told, 4096).decode()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self.told)
