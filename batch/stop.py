"""Ctrl-C: the first finishes what is running, the second ends at once."""

from __future__ import annotations

import signal
from typing import Protocol

from .progress import say


class Stoppable(Protocol):
    stopping: bool


class Stop:
    """What to do about SIGINT and SIGTERM.

    Attributes:
        pool: What has to be stopped; before there is one, the first signal ends at once too.
        asked: There was a signal.
    """

    def __init__(self) -> None:
        self.pool: Stoppable | None = None
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, *_: object) -> None:
        if self.asked or self.pool is None:
            raise KeyboardInterrupt
        self.asked = self.pool.stopping = True
        say("\nFinishing what is running. Ctrl-C once more ends at once.")
