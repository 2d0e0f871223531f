"""Every method as KSampler Inpaint runs it, against the exact posterior of a problem."""

from __future__ import annotations

import math
import statistics
from typing import Any

import torch
from torch import Tensor

from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from ..denoiser_model import patcher
from ..host import HOST
from .distance import Distance, Judge
from .fields import Problem

METHODS = ("host", "blend", "repaint", "match")
SOLVERS = ("euler", "euler_ancestral", "lcm", "dpmpp_sde")
SCHEDULER = "karras"


class PosteriorTrial:
    """One problem, its model, some known parts, and the posterior of each.

    Arguments:
        given: known parts, shape (n, known cells).
        count: pictures of each, all in one batch.
        seeds: of the runs, whose measures are averaged.
    """

    def __init__(self, problem: Problem, given: Tensor, count: int, seeds: tuple[int, ...] = (1,)) -> None:
        self.problem, self.given, self.count, self.seeds = problem, given, count, seeds
        self.model = patcher(problem.prior.denoise)
        self.judges = [Judge(problem.posterior(y)) for y in given]
        self.runs: dict[tuple[str, str, Any], Distance] = {}

    def run(self, method: str, solver: str, budget: str) -> Distance:
        """`budget`: steps x evaluations a step."""
        sampler, steps = sampler_and_steps(method, solver, budget)
        # of the host and Blend 5x4 and 10x2 are one run
        same = method, solver, steps if method in ("host", "blend") else budget
        if same not in self.runs:
            found = [self.sampled(sampler, steps, seed) for seed in self.seeds]
            parts = [judge.distance(x) for pictures, _ in found for judge, x in zip(self.judges, pictures, strict=True)]
            means = Distance(*(statistics.fmean(values) for values in zip(*parts, strict=True)))
            error = math.hypot(*(part.error for part in parts)) / len(parts)
            self.runs[same] = means._replace(error=error, used=found[0][1])
        return self.runs[same]

    @torch.inference_mode()
    def sampled(self, sampler: Any, steps: int, seed: int) -> tuple[tuple[Tensor, ...], int]:
        """By the host's own nodes: the painted parts of `count` pictures of each known part, and model evaluations."""
        nodes, unknown = HOST.custom_sampler, self.problem.unknown
        picture = torch.zeros(len(self.given) * self.count, unknown.numel())
        picture[:, self.problem.known] = self.given.repeat_interleave(self.count, 0)
        latent = {"samples": picture.view(-1, 1, *unknown.shape), "noise_mask": unknown.float()[None, None]}
        schedule = nodes.BasicScheduler.execute(self.model, SCHEDULER, steps, 1.0)[0]
        guider = nodes.BasicGuider.execute(self.model, [[torch.zeros(1, 1, 1), {}]])[0]
        noise = nodes.RandomNoise.execute(seed)[0]
        self.model.model.evaluations = 0
        out = nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, schedule, latent)[0]["samples"]
        return out.flatten(1)[:, ~self.problem.known].split(self.count), self.model.model.evaluations


def sampler_and_steps(method: str, solver: str, budget: str) -> tuple[Any, int]:
    """The method's SAMPLER, and its steps; dpmpp_sde asks twice a step, so it has half of them."""
    steps, each = (float(part) for part in budget.split("x"))
    twice = 2 if solver == "dpmpp_sde" else 1
    inner = HOST.custom_sampler.KSamplerSelect.execute(solver)[0]
    if method == "host":
        return inner, round(steps * each / twice)
    if method == "blend":
        return combine(inner, Blend(), "benchmark"), round(steps * each / twice)
    if method == "repaint":
        return combine(inner, RePaintBudget(evaluations_per_step=each), "benchmark"), round(steps / twice)
    extra = steps * (each - 1) / round(steps / twice)
    return combine(inner, Match(inner_steps=extra), "benchmark"), round(steps / twice)
