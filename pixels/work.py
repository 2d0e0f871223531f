"""Where pixels are computed, and how a long computation is cancelled."""

from collections.abc import Callable
from typing import NamedTuple

import torch


def _never() -> None:
    pass


class Work(NamedTuple):
    """
    Attributes:
        device: where to compute, a part of one picture at a time, however long the video; None: where pictures are.
        stop_if_asked: called between parts; raises if the user has cancelled.
    """

    device: torch.device | None = None
    stop_if_asked: Callable[[], None] = _never


HERE = Work()
"""Where the pictures are, to the end."""
