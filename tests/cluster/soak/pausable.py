"""A thread that works in steps, and pauses between two of them."""

import threading


class Pausable(threading.Thread):
    """Calls act() again and again after go_on(), until pause(). If act() raises, that is a finding, and
    the thread ends."""

    def __init__(self, history):
        super().__init__(daemon=True)
        self._history = history
        self._work, self._idle, self._ended = threading.Event(), threading.Event(), False

    def act(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self._ended:
                if not self._work.wait(0.2):
                    self._idle.set()
                    continue
                self._idle.clear()
                self.act()
        except Exception as error:
            self._history.add("finding", f"{type(self).__name__}: {error!r}")
        finally:
            self._ended = True
            self._idle.set()

    def go_on(self):
        if not self._ended:
            self._idle.clear()
            self._work.set()

    def pause(self):
        self._work.clear()

    def wait_idle(self):
        self._idle.wait()

    def stop(self):
        self._ended = True
        self._work.clear()
