"""Every method, and all the ways in which it may spend a budget of model evaluations.

host and blend spend a budget by more steps, RePaint by more visits of each step (and by longer jumps, fewer or more
steps), Langevin and match by more inner steps (and fewer or more steps). Each setting takes at most the budget, as
near to it as the method can come. On EPS models `ddpm` and `euler_ancestral` are the same update, so where settings
are many only one of them runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latent_repaint.samplers.host import combine, evaluations
from latent_repaint.samplers.mathematics.noise_level import noise_level
from latent_repaint.samplers.methods import Blend, Match, RePaint

from .langevin import inner_steps_within, langevin
from .sampling import sigmas, solver

SCHEDULERS = ("karras", "normal")
SOLVERS = ("euler", "euler_ancestral", "ddpm", "dpmpp_2m")
SINGLE_STEP = ("euler", "euler_ancestral")


@dataclass(frozen=True)
class Setting:
    """One way to run a method: a SAMPLER for a schedule of so many steps."""

    label: str
    scheduler: str
    steps: int
    sampler: Any
    one_picture_a_latent: bool = False  # needed where a method decides something for each picture of a batch


def _solvers(model: Any) -> tuple[str, ...]:
    """Our nodes refuse `ddpm` for a flow: it leaves noise in the picture, in the host as well."""
    is_flow = noise_level(model.model.model_sampling, torch.tensor(0.5)).a < 1
    return tuple(name for name in SOLVERS if not (is_flow and name == "ddpm"))


def _walk_lengths(budget: int) -> list[int]:
    """Numbers of steps of which a method with inner work may choose."""
    return [steps for steps in (5, 10, 20, 40) if budget / 20 <= steps < budget]


def _host(model: Any, budget: int) -> Iterator[Setting]:
    for scheduler in SCHEDULERS:
        for name in SOLVERS:
            yield Setting(f"{name} {scheduler}", scheduler, budget, solver(name))


def _blend(known_noise: str) -> Callable[[Any, int], Iterator[Setting]]:
    def settings(model: Any, budget: int) -> Iterator[Setting]:
        for scheduler in SCHEDULERS:
            for name in _solvers(model):
                sampler = combine(solver(name), Blend(known_noise=known_noise), "benchmark")
                yield Setting(f"{name} {scheduler}", scheduler, budget, sampler)

    return settings


def _visits_within(budget: int, model: Any, schedule: Tensor, jump_length: int, name: str) -> Any:
    """RePaint with the largest jump_n_sample that stays within the budget; None if not even 2 does."""
    best, visits = None, 2
    while True:
        method = RePaint(jump_length=jump_length, jump_n_sample=visits)
        sampler = combine(solver(name), method, "benchmark")
        if len(evaluations(sampler, model.model.model_sampling, schedule, "benchmark")) > budget:
            return best
        best, visits = (sampler, visits), visits + 1


def _repaint(model: Any, budget: int) -> Iterator[Setting]:
    for scheduler in SCHEDULERS:
        for steps in _walk_lengths(budget):
            for jump_length in (1, 5, 10):
                if jump_length >= steps:
                    continue
                for name in SINGLE_STEP if jump_length == 1 else SINGLE_STEP[1:]:
                    found = _visits_within(budget, model, sigmas(model, scheduler, steps), jump_length, name)
                    if found:
                        label = f"{name} {scheduler} {steps} steps J={jump_length} r={found[1]}"
                        yield Setting(label, scheduler, steps, found[0])


def _langevin(model: Any, budget: int) -> Iterator[Setting]:
    for scheduler in SCHEDULERS:
        for steps in _walk_lengths(budget):
            n = inner_steps_within(budget, sigmas(model, scheduler, steps))
            for step in (0.2, 0.5, 1.0):
                if n:
                    label = f"euler {scheduler} {steps} steps n={n} step={step}"
                    yield Setting(label, scheduler, steps, langevin(solver("euler"), n, step=step))


def _match(model: Any, budget: int) -> Iterator[Setting]:
    for scheduler in SCHEDULERS:
        for steps in _walk_lengths(budget):
            for name in SINGLE_STEP:
                sampler = combine(solver(name), Match(inner_steps=budget / steps - 1), "benchmark")
                yield Setting(f"{name} {scheduler} {steps} steps", scheduler, steps, sampler, True)


METHODS: dict[str, Callable[[Any, int], Iterator[Setting]]] = {
    "host": _host,
    "blend fixed": _blend("fixed"),
    "blend fresh": _blend("fresh"),
    "blend predicted": _blend("predicted"),
    "repaint": _repaint,
    "langevin": _langevin,
    "match": _match,
}
