"""The training loop: AdamW, an average of the weights, and checkpoints from which it goes on."""

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

log = logging.getLogger("train")
KEEP_EVERY = 180  # seconds between checkpoints


class Fit:
    """A model in training, its optimizer and the average of its weights over about the last tenth of the steps.

    SIGTERM ends it after the step that it is at, with a checkpoint.

    Args:
        path: of the checkpoint; if it exists, training goes on from it.
        rate: of AdamW. It stays the same, so that training can go on for as long as there is time; only `finish`
            lets it fall.
    """

    def __init__(self, path: Path, model: torch.nn.Module, rate: float):
        self.path, self.model, self.rate = path, model, rate
        self.average = torch.optim.swa_utils.AveragedModel(
            model, avg_fn=lambda old, new, n: old + (new - old) / (1 + 0.1 * n), use_buffers=False
        )
        parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
        self.step, self.seconds, self.pictures, self.ended = 0, 0.0, 0, False
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ended", True))
        if path.exists():
            saved = torch.load(path, weights_only=True, map_location=next(model.parameters()).device)
            model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.step, self.seconds, self.pictures = saved["step"], saved["seconds"], saved["pictures"]

    def begin_at(self, step: int, seconds: float, pictures: int) -> None:
        """Goes on from weights that the model holds already, as those of an average."""
        self.average.module.load_state_dict(self.model.state_dict())
        self.average.n_averaged.fill_(step)
        self.step, self.seconds, self.pictures = step, seconds, pictures

    def keep(self) -> None:
        parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        state = {name: part.state_dict() for name, part in parts.items()}
        facts = {"step": self.step, "seconds": self.seconds, "pictures": self.pictures}
        torch.save(state | facts, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def run(self, loss: Callable[[int], torch.Tensor], batch: int, minutes: float, finish: bool) -> None:
        """Trains for some time.

        Args:
            loss: from the number of the step, which also seeds the data, to a scalar.
            batch: pictures a step.
            finish: let the rate fall to zero, as a straight line over the time.
        """
        started, first, logged, recent = time.monotonic(), self.step, time.monotonic(), []
        before, kept = self.seconds, started
        while (passed := time.monotonic() - started) < 60 * minutes and not self.ended:
            left = 1 - passed / (60 * minutes) if finish else 1
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate * min(1, (self.step - first + 1) / 100) * left
            torch.manual_seed(self.step)
            value = loss(self.step)
            self.optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.average.update_parameters(self.model)
            recent.append(value.item())
            self.step, self.pictures = self.step + 1, self.pictures + batch
            self.seconds = before + time.monotonic() - started
            now = time.monotonic()
            if now - logged > 30:
                log.info(
                    "%s step %d, %.1f min, loss %.4f", self.path.stem, self.step, self.seconds / 60, np.mean(recent)
                )
                logged, recent = now, []
            if now - kept > KEEP_EVERY:
                self.keep()
                kept = now
        self.keep()
