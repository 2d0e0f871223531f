"""Progress in model evaluations, for the host's page and the console."""

from collections.abc import Callable

from torch import Tensor
from tqdm.auto import tqdm


class Progress:
    """Counts model evaluations for the host's progress bar and the console's.

    Arguments:
        callback: the host's, (step, denoised, x, total steps) -> None, or None.
        total: evaluations announced.
        disable: whether the console shows nothing.
    """

    def __init__(self, callback: Callable | None, total: int, disable: bool):
        self.callback, self.total, self.done = callback, total, 0
        self.bar = tqdm(total=total, disable=disable)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self.bar.close()

    def __call__(self, denoised: Tensor, x: Tensor) -> None:
        if self.callback is not None:
            self.callback(self.done, denoised, x, self.total)
        self.done += 1
        self.bar.update()

    def leave_out(self) -> None:
        """Counts an announced evaluation that is not made."""
        self.done += 1
        self.bar.update()
