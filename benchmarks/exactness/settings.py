"""Every method, and all the ways in which it may spend a budget of model evaluations.

The host and Blend spend a budget by more steps, RePaint by more visits of each step (and by longer jumps, fewer or more
steps), Langevin and Match by more inner steps (and fewer or more steps). Each setting takes at most the budget, as near
to it as the method can come. On EPS models `ddpm` and `euler_ancestral` are the same update, so where settings are many
only one of them runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latent_repaint.samplers.host import combine, evaluations
from latent_repaint.samplers.mathematics.noise_level import noise_level
from latent_repaint.samplers.methods import Blend, Match, Method, RePaint

from .langevin import inner_steps_within, langevin
from .sampling import sigmas, solver

METHODS = ("host", "blend fixed", "blend fresh", "blend predicted", "repaint", "langevin", "match")
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


def settings(method: str, model: Any, budget: int) -> Iterator[Setting]:
    name, _, known_noise = method.partition(" ")
    walks = [steps for steps in (5, 10, 20, 40) if budget / 20 <= steps < budget]  # where there is inner work
    for scheduler in SCHEDULERS:
        if name in ("host", "blend"):
            yield from by_more_steps(known_noise, model, scheduler, budget)
            continue
        for steps in walks:
            schedule = sigmas(model, scheduler, steps)
            if name == "repaint":
                yield from by_visits(model, scheduler, schedule, budget)
            elif name == "langevin" and (n := inner_steps_within(budget, schedule)):
                for step in (0.2, 0.5, 1.0):
                    label = f"euler {scheduler} {steps} steps n={n} step={step}"
                    yield Setting(label, scheduler, steps, langevin(solver("euler"), n, step=step))
            elif name == "match":
                for inner in SINGLE_STEP:
                    sampler = around(inner, Match(inner_steps=budget / steps - 1))
                    yield Setting(f"{inner} {scheduler} {steps} steps", scheduler, steps, sampler, True)


def around(inner: str, method: Method) -> Any:
    return combine(solver(inner), method, "benchmark")


def by_more_steps(known_noise: str, model: Any, scheduler: str, budget: int) -> Iterator[Setting]:
    """The host, or Blend with some known noise."""
    is_flow = noise_level(model.model.model_sampling, torch.tensor(0.5)).a < 1
    for inner in SOLVERS:
        if known_noise and is_flow and inner == "ddpm":
            continue  # our nodes refuse it: it leaves noise in the picture, in the host as well
        sampler = around(inner, Blend(known_noise=known_noise)) if known_noise else solver(inner)
        yield Setting(f"{inner} {scheduler}", scheduler, budget, sampler)


def by_visits(model: Any, scheduler: str, schedule: Tensor, budget: int) -> Iterator[Setting]:
    """RePaint with the largest jump_n_sample that stays within the budget, if 2 does."""
    steps = len(schedule) - 1
    for jump_length in (length for length in (1, 5, 10) if length < steps):
        for inner in SINGLE_STEP if jump_length == 1 else SINGLE_STEP[1:]:
            best, visits = None, 2
            while True:
                sampler = around(inner, RePaint(jump_length=jump_length, jump_n_sample=visits))
                if len(evaluations(sampler, model.model.model_sampling, schedule, "benchmark")) > budget:
                    break
                best, visits = sampler, visits + 1
            if best:
                label = f"{inner} {scheduler} {steps} steps J={jump_length} r={visits - 1}"
                yield Setting(label, scheduler, steps, best)
