"""What the user sees while it runs: one line, drawn over itself on a terminal and now and then elsewhere."""

from __future__ import annotations

import sys
import time

WIDTH = 24
SECONDS_BETWEEN_LINES = 30.0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Progress:
    """Pictures a minute, done, failed, time left.

    Arguments:
        total: How many pictures there are to do.
    """

    def __init__(self, total: int):
        self.total, self.done, self.failed = total, 0, 0
        self._started = self._drawn = time.monotonic()
        self.seconds = 0.0
        self._terminal = sys.stdout.isatty()

    def restart(self) -> None:
        """Begin to count the time: the hosts have started."""
        self._started = time.monotonic()

    def count(self, failed: bool) -> None:
        self.done, self.failed = self.done + (not failed), self.failed + failed

    def say(self, text: str) -> None:
        """A line of its own above the bar."""
        say(("\r" + " " * 110 + "\r" if self._terminal else "") + text)

    def draw(self, running: int) -> None:
        now = time.monotonic()
        if now - self._drawn < (0.25 if self._terminal else SECONDS_BETWEEN_LINES):
            return
        self._drawn = now
        line = self.line(running, now - self._started)
        sys.stdout.write("\r" + line.ljust(110) if self._terminal else line + "\n")
        sys.stdout.flush()

    def end(self) -> None:
        """Stop the clock, and leave the bar as it stands."""
        self.seconds = time.monotonic() - self._started
        if self._terminal:
            sys.stdout.write("\r" + self.line(0, self.seconds).ljust(110) + "\n")

    def rate(self) -> float:
        """Pictures a minute, all in all."""
        return 60 * (self.done + self.failed) / self.seconds if self.seconds else 0.0

    def line(self, running: int, seconds: float) -> str:
        ended = self.done + self.failed
        rate = ended / max(seconds, 1e-9)
        filled = WIDTH * ended // max(self.total, 1)
        left = span((self.total - ended) / rate) if ended else "unknown"
        return (
            f"[{'#' * filled}{'.' * (WIDTH - filled)}] {ended}/{self.total}, {self.failed} failed, {running} running, "
            f"{60 * rate:.1f} a minute, {left} left"
        )


def span(seconds: float) -> str:
    """A time in words: 42 s, 3 min 20 s, 5 h 3 min, 2 d 4 h."""
    whole = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {small}"
    return f"{whole} s"
