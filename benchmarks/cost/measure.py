"""One masked run of a sampler: how long, how much of it outside the model, how much memory, how many waits."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from latent_repaint.samplers.host import combine, evaluations
from latent_repaint.samplers.methods import Blend, Match, Method, RePaint

from ..host import HOST
from ..masks import box

METHODS: dict[str, Method | None] = {
    "host": None,
    "Blend": Blend(),
    "RePaint": RePaint(jump_length=1, jump_n_sample=2),
    "Match": Match(inner_steps=1.0),
}
READS = {"item", "tolist", "numpy", "cpu", "nonzero", "masked_select", "__bool__", "__float__", "__int__", "__index__"}


@dataclass
class TimedModel:
    """A model with all that a run needs.

    Arguments:
        loaded: from `models.load`.
        shape: of the latent; the mask is its middle.
        steps, cfg: of the run; euler, karras.
    """

    loaded: tuple[Any, list, list]
    shape: tuple[int, ...] = (1, 4, 16, 16)
    steps: int = 20
    cfg: float = 4.0

    def __post_init__(self) -> None:
        nodes, (model, positive, negative) = HOST.custom_sampler, self.loaded
        self.inside, self.on_evaluation = 0.0, lambda: None
        self.network = model.model.diffusion_model
        self.sampling = model.get_model_object("model_sampling")
        self.guider = nodes.CFGGuider.execute(model, positive, negative, self.cfg)[0]
        self.noise = nodes.RandomNoise.execute(1)[0]
        self.sigmas = nodes.BasicScheduler.execute(model, "karras", self.steps, 1.0)[0]
        self.plain = nodes.KSamplerSelect.execute("euler")[0]
        mask = box(*self.shape[-2:]).float()[None, None]
        samples = torch.randn(self.shape, generator=torch.Generator().manual_seed(0))
        self.latent = {"samples": samples, "noise_mask": mask}

    @contextmanager
    def clocked(self) -> Iterator[None]:
        """Hooks of the network, not a patch: around a patch Match takes no pass of one prompt alone."""
        start = 0.0

        def begin(*args: Any) -> None:
            nonlocal start
            self.on_evaluation()
            start = clock()

        def end(*args: Any) -> None:
            self.inside += clock() - start

        hooks = self.network.register_forward_pre_hook(begin), self.network.register_forward_hook(end)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def sampler(self, method: Method | None) -> Any:
        return self.plain if method is None else combine(self.plain, method, "cost")

    def evaluations(self, method: Method | None) -> int:
        return len(evaluations(self.sampler(method), self.sampling, self.sigmas, "cost"))

    def run(self, method: Method | None) -> tuple[float, float]:
        """Seconds in all, and of those outside the model."""
        self.inside, start = 0.0, clock()
        with self.clocked():
            self.sample(method)
        whole = clock() - start
        return whole, whole - self.inside

    @torch.inference_mode()
    def sample(self, method: Method | None) -> Tensor:
        """The samples of one run."""
        arguments = (self.noise, self.guider, self.sampler(method), self.sigmas, self.latent)
        return HOST.custom_sampler.SamplerCustomAdvanced.execute(*arguments)[0]["samples"]


def clock() -> float:
    """Seconds, after all that was queued on a GPU is done; without one, those of the CPU, whoever else uses it.

    `synchronize` itself is no wait in CUDA's count.
    """
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


@torch.inference_mode()
def times(timed: TimedModel, repeats: int) -> dict[str, tuple[float, float]]:
    """For each of METHODS, the medians of the time per evaluation, whole and outside the model.

    Runs are taken in turn, and the first round, which warms up, does not count.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for repeat in range(repeats + 1):
        for name in METHODS:
            whole, outside = timed.run(METHODS[name])
            if repeat:
                count = timed.evaluations(METHODS[name])
                taken[name].append((whole / count, outside / count))
    return {name: tuple(statistics.median(part) for part in zip(*runs, strict=True)) for name, runs in taken.items()}


@torch.inference_mode()
def peak_memory(timed: TimedModel, method: Method | None) -> float:
    """The largest memory that tensors of the run take at one time, in latents."""
    latent = timed.latent["samples"].numel() * 4
    timed.run(method)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        timed.run(method)
        return (torch.cuda.max_memory_allocated() - before) / latent
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        timed.run(method)
    events = profile.profiler.kineto_results.events()
    total = largest = 0
    for event in sorted((event for event in events if event.name() == "[memory]"), key=lambda e: e.start_ns()):
        total += event.nbytes()
        largest = max(largest, total)
    return largest / latent


class Waits(TorchFunctionMode):
    """Counts the calls that make a CPU wait for its GPU, had the tensor been on one: those that read a value."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        by_mask = func is Tensor.__getitem__ and getattr(args[1], "dtype", None) == torch.bool
        self.count += func.__name__ in READS or by_mask
        return func(*args, **(kwargs or {}))


@torch.inference_mode()
def waits(timed: TimedModel, method: Method | None) -> int:
    """How often the CPU waits for the GPU between the first model evaluation and the last.

    By CUDA's own count where there is a GPU. Before the first evaluation a run is planned, which reads its sigmas once.
    """
    counts: list[int] = []
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            timed.on_evaluation = lambda: counts.append(sum("synchroniz" in str(w.message) for w in caught))
            timed.run(method)
        torch.cuda.set_sync_debug_mode("default")
    else:
        with Waits() as reads:
            timed.on_evaluation = lambda: counts.append(reads.count)
            timed.run(method)
    timed.on_evaluation = lambda: None
    return counts[-1] - counts[0]
