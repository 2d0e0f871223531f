"""From the command line to the exit code: 0 all done, 1 some pictures failed, 2 refused, 130 interrupted."""

from __future__ import annotations

import os
import secrets

from .errors import Refused
from .options import parsed
from .prepare import prepare
from .progress import say
from .stop import Stop

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    stop = Stop()
    try:
        found = prepare(options)
        if not options.address:
            _lock_ray()
        from .run import run  # Ray reads its settings when it is imported

        return run(options, found, stop)
    except Refused as error:
        say(f"\nNot done: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nEnded. The same command goes on where this one stopped.")
        return INTERRUPTED


def _lock_ray() -> None:
    """Ray runs whatever it is sent, and its ports are open to the network: let it listen to this run alone."""
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
