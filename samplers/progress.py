"""Progress in steps, for the host's page and the console: those of the solver, and extra evaluations."""

from collections.abc import Callable

from torch import Tensor
from tqdm.auto import tqdm


class Progress:
    """Counts the steps of a run. However often a solver asks the model in a step of its own, that is one.

    Arguments:
        callback: the host's, (step, denoised, x, total steps) -> None, or None.
        total: steps of the run.
        disable: whether the console shows nothing.
    """

    def __init__(self, callback: Callable | None, total: int, disable: bool):
        self.callback, self.total = callback, total
        self.begun = range(0)  # the steps of the solver's piece that is under way
        self.bar = tqdm(total=total, disable=disable)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, error: type | None, *rest) -> None:
        if error is None:
            self.begin(0)
        self.bar.close()

    def begin(self, steps: int) -> None:
        """A piece of so many steps begins, of the solver or of extra evaluations; the one before is over."""
        self.begun = range(self.begun.stop, self.begun.stop + steps)
        self.bar.update(self.begun.start - self.bar.n)

    def step(self, i: int, denoised: Tensor, x: Tensor) -> None:
        """Shows the i-th step of the piece that is under way; a solver may count on beyond its last."""
        step = self.begun[min(i, len(self.begun) - 1)]
        if self.callback is not None:
            self.callback(step, denoised, x, self.total)
        self.bar.update(step + 1 - self.bar.n)
