"""Solvers, wrappers and caches in the style of other packs, and one call that runs a SAMPLER and counts.

None of it is theirs: each is the shortest thing that leans on the host where a public pack was seen to lean on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import pytest
import torch
import torch.nn.functional as F
from comfy.k_diffusion.sampling import sample_euler
from sampling import cfg_guider
from torch import Tensor

from comfyui_host.tiny import host
from latent_repaint.nodes.blend_sampler import BlendSampler
from latent_repaint.nodes.match_sampler import MatchSampler
from latent_repaint.nodes.repaint_sampler import RePaintSampler

METHODS: dict[str, Callable[[Any], Any]] = {
    "blend": lambda sampler: BlendSampler.execute(sampler, "predicted", 0.0, 1.0)[0],
    "repaint": lambda sampler: RePaintSampler.execute(sampler, 1, 2, 0.0, 1.0, "fresh")[0],
    "match": lambda sampler: MatchSampler.execute(sampler, 1.0, 0.0, 1.0)[0],
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@dataclass(frozen=True)
class Outcome:
    """What a guider returned.

    Attributes:
        samples: the latent.
        passes: rows of the batch of every pass through the network, in order.
        announced: steps announced to the host's progress bar, or 0 without any call of it.
        reported: the steps it was told of, in order.
    """

    samples: Tensor
    passes: list[int]
    announced: int
    reported: list[int]


@torch.inference_mode()
def run(
    model: Any, sampler: Any, schedule: Tensor, latent: Tensor, mask: Tensor | None, cfg: float = 1.0, seed: int = 3,
    guider: Any = None,
) -> Outcome:  # fmt: skip
    """One run under the host's CFGGuider, or another guider of that model."""
    passes: list[int] = []
    steps: list[tuple[int, int]] = []
    # behind the wrappers that may answer in the network's place
    first = getattr(model.model.diffusion_model, "time_embed", model.model.diffusion_model)
    hook = first.register_forward_pre_hook(lambda _, args: passes.append(len(args[0])))
    guider = guider or cfg_guider(model, cfg=cfg)
    noise = host.custom_sampler.RandomNoise.execute(seed)[0].generate_noise({"samples": latent})
    try:
        samples = guider.sample(
            noise, latent, sampler, schedule, mask, disable_pbar=True, seed=seed,
            callback=lambda step, denoised, x, total: steps.append((step, total)),
        )  # fmt: skip
    finally:
        hook.remove()
    assert len({total for _, total in steps}) <= 1
    return Outcome(samples, passes, steps[-1][1] if steps else 0, [step for step, _ in steps])


def euler_that(look: Callable[[Any, Tensor, Tensor, dict], Any], name: str) -> Any:
    """A KSAMPLER of Euler's steps, which before each looks at what the host has: (model, x, sigmas, extra_args)."""

    def solver(model, x, sigmas, extra_args=None, callback=None, disable=None):
        extra_args = {} if extra_args is None else extra_args
        ones = x.new_ones([x.shape[0]])
        for i in range(len(sigmas) - 1):
            look(model, x, sigmas, extra_args)
            denoised = model(x, sigmas[i] * ones, **extra_args)
            if callback is not None:
                callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
            x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    solver.__name__ = f"sample_{name}"
    return comfy.samplers.KSAMPLER(solver)


LOOKS: dict[str, Callable[[Any, Tensor, Tensor, dict], Any]] = {
    "device": lambda model, x, sigmas, extra: x.to(model.inner_model.inner_model.device),
    "latent_format": lambda model, x, sigmas, extra: model.inner_model.inner_model.latent_format.process_out(x),
    "model_patcher": lambda model, x, sigmas, extra: model.inner_model.model_patcher.model.model_config,
    "latent_image": lambda model, x, sigmas, extra: x + model.latent_image,
    "noise": lambda model, x, sigmas, extra: x + model.noise,
    "sigmas": lambda model, x, sigmas, extra: float(model.sigmas[0]) / float(sigmas[0]),
    "denoise_mask": lambda model, x, sigmas, extra: x * extra["denoise_mask"],
    "sample_sigmas": lambda model, x, sigmas, extra: extra["model_options"]["transformer_options"]["sample_sigmas"][0],
    "conds": lambda model, x, sigmas, extra: model.inner_model.conds["positive"][0]["model_conds"],
    "cfg": lambda model, x, sigmas, extra: 1.0 / model.inner_model.cfg,
    "unfold": lambda model, x, sigmas, extra: F.unfold(x, 3).mean(),
    "deviation": lambda model, x, sigmas, extra: 1 / int(100 * x.std().clamp(max=9)),
    "several cells": lambda model, x, sigmas, extra: x[:, 1:, 2:, 3:].amax(),
}
"""What solvers of other packs ask for while they run: of RES4LYF, overly_complicated_sampling, Extra-Samplers, ppm."""


def own_noise(drawn: list[tuple[int, ...]]) -> Any:
    """An ancestral solver with a noise of its own kind, that its user chose."""

    def sample_pyramid_ancestral(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
        generator = torch.Generator().manual_seed(extra_args["seed"])

        def pyramid(sigma, sigma_next):
            drawn.append(tuple(x.shape))
            coarse = torch.randn(x.shape[0], x.shape[1], 2, 2, generator=generator).to(x)
            return F.interpolate(coarse, size=x.shape[2:], mode="bilinear")

        noise_sampler = noise_sampler or pyramid
        for i in range(len(sigmas) - 1):
            denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
            x = denoised + noise_sampler(sigmas[i], sigmas[i + 1]) * sigmas[i + 1]
        return x

    return comfy.samplers.KSAMPLER(sample_pyramid_ancestral)


def seeded(drawn: list[Tensor], **options: Any) -> Any:
    """An ancestral solver that begins its noise anew in every call: from a seed of its own, or the global one."""

    def sample_sde(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_seed=-1):
        generator = torch.Generator().manual_seed(noise_seed if noise_seed >= 0 else torch.initial_seed() + 1)
        for i in range(len(sigmas) - 1):
            denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
            drawn.append(torch.randn(x.shape, generator=generator))
            x = denoised + drawn[-1].to(x) * sigmas[i + 1]
        return x

    return comfy.samplers.KSAMPLER(sample_sde, extra_options=options)


def of_two_steps() -> Any:
    """A solver that divides by what is left of its steps, as those of momentum do."""

    def sample_momentumized(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for i in range(len(sigmas) - 1):
            weight = i / (len(sigmas) - 2)
            denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
            x = x + (1 + 0 * weight) * (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    return comfy.samplers.KSAMPLER(sample_momentumized)


def of_another_size() -> Any:
    """A solver that also asks the model about a smaller picture, with the host's parts made to fit it meanwhile."""

    def sample_smea(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for i in range(len(sigmas) - 1):
            small = F.interpolate(x, scale_factor=0.5)
            was = model.latent_image, model.noise, extra_args["denoise_mask"]
            model.latent_image, model.noise = (F.interpolate(part, scale_factor=0.5) for part in was[:2])
            extra_args["denoise_mask"] = F.interpolate(was[2].expand_as(was[0]), scale_factor=0.5)
            model(small, sigmas[i] * x.new_ones(len(x)), **extra_args)
            model.latent_image, model.noise, extra_args["denoise_mask"] = was
            denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
            x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    return comfy.samplers.KSAMPLER(sample_smea)


def detailed(sampler: Any, adjusted: list[tuple[float, float]]) -> Any:
    """A SAMPLER around a SAMPLER that tells the model of less noise, more so in the middle of the sigmas it is given.

    Arguments:
        adjusted: grows by (sigma, factor told) with every call of the model.
    """

    def daemon(model, x, sigmas, *, wrapped, amount, **rest):
        schedule = [amount * i * (len(sigmas) - 2 - i) / max(len(sigmas) - 2, 1) ** 2 for i in range(len(sigmas) - 1)]
        levels = sigmas.tolist()

        def told(x, sigma, **extra_args):
            place = min(range(len(schedule)), key=lambda i: abs(levels[i] - float(sigma[0])))
            adjusted.append((round(float(sigma[0]), 4), schedule[place]))
            return model(x, sigma * (1 - schedule[place]), **extra_args)

        for name in ("inner_model", "sigmas"):
            if hasattr(model, name):
                setattr(told, name, getattr(model, name))
        return wrapped.sampler_function(told, x, sigmas, **rest, **wrapped.extra_options)

    return comfy.samplers.KSAMPLER(daemon, extra_options={"wrapped": sampler, "amount": 0.2})


def passed_on(sampler: Any) -> Any:
    """A SAMPLER that only runs another, found by closure: nobody can look inside."""

    def run(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return sampler.sampler_function(model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable)

    return comfy.samplers.KSAMPLER(run)


def euler() -> Any:
    return comfy.samplers.KSAMPLER(sample_euler)
