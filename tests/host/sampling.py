"""What the tests of this tier sample with: every method around any solver, one watcher, one measure of what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from comfyui_host.tiny import conditioning, host, ksampler
from latent_repaint.nodes.ksampler import KSampler
from latent_repaint.samplers.host import combine, evaluations
from latent_repaint.samplers.methods import Blend, Match, RePaint

METHODS = {
    "fixed": Blend(known_noise="fixed"),
    "fresh": Blend(known_noise="fresh"),
    "predicted": Blend(),
    "repaint": RePaint(jump_length=2, jump_n_sample=3),
    "repaint_predicted": RePaint(jump_length=1, jump_n_sample=2, known_noise="predicted"),
    "match": Match(inner_steps=1.0),
}
ONE_OF_EACH = ("predicted", "repaint", "match")  # Blend, RePaint, Match
one_of_each = pytest.mark.parametrize("method", ONE_OF_EACH)
TOLERANCE = 1e-5  # of a kept latent, in float32: the host scales it on its way in and out
POSITIVE, NEGATIVE = conditioning(1), conditioning(2)


def combined(solver: str, method: str, kept: torch.Tensor | None = None) -> Any:
    """The host's solver with one of METHODS around it."""
    return combine(ksampler(solver), METHODS[method], "node", kept=kept)


def announced(model: Any, sampler: Any, schedule: torch.Tensor) -> int:
    """How many model evaluations the node Schedule says that a run will take."""
    return len(evaluations(sampler, model.get_model_object("model_sampling"), schedule, "node"))


def kept_error(samples: torch.Tensor, latent: torch.Tensor, mask: torch.Tensor) -> float:
    """The largest difference from the latent where the mask is 0."""
    return float(((samples - latent) * (1 - mask)).abs().max())


def wrapped(model: Any, wrapper: Callable[[Callable[..., Any], dict[str, Any]], Any]) -> Any:
    """A clone of the model, with a wrapper around every pass through its network."""
    model = model.clone()
    model.set_model_unet_function_wrapper(wrapper)
    return model


def watched(model: Any, see: Callable[[dict[str, Any]], Any]) -> tuple[Any, list[Any]]:
    """A clone of the model, and the list of what `see` makes of the arguments of every pass through its network."""
    seen: list[Any] = []

    def watch(apply_model: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        seen.append(see(arguments))
        return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])

    return wrapped(model, watch), seen


def passes(model: Any) -> tuple[Any, list[float]]:
    """A clone of the model, and the list of the timesteps of its passes so far."""
    return watched(model, lambda arguments: float(arguments["timestep"][0]))


def one_by_one(model: Any) -> Any:
    """A clone of the model whose network is run image by image: over a batch its sums would round differently."""

    def separately(apply_model: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        x, t, c = arguments["input"], arguments["timestep"], arguments["c"]
        own = [{n: v[k : k + 1] if torch.is_tensor(v) else v for n, v in c.items()} for k in range(len(x))]
        return torch.cat([apply_model(x[k : k + 1], t[k : k + 1], **own[k]) for k in range(len(x))])

    return wrapped(model, separately)


def cfg_guider(model: Any, positive: Any = POSITIVE, negative: Any = NEGATIVE, cfg: float = 3.0) -> Any:
    """The host's CFGGuider node."""
    return host.custom_sampler.CFGGuider.execute(model, positive, negative, cfg)[0]


@torch.inference_mode()
def guided(guider: Any, sampler: Any, schedule: Any, latent: Any, mask: Any, noise: Any = None) -> torch.Tensor:
    """SamplerCustomAdvanced with any guider."""
    noise = noise or host.custom_sampler.RandomNoise.execute(3)[0]
    masked = {"samples": latent, "noise_mask": mask}
    return host.custom_sampler.SamplerCustomAdvanced.execute(noise, guider, sampler, schedule, masked)[0]["samples"]


@dataclass(frozen=True, kw_only=True)
class Watched(Blend):
    """Blend that shows `look` the noise of a run's known part before the run begins."""

    look: Callable[[Any], Any]

    def noise(self, *parts: Any) -> Any:
        noise = super().noise(*parts)
        self.look(noise)
        return noise


def drop_in(model: Any, latent: Any, **changed: Any) -> dict[str, Any]:
    """The LATENT of the node KSampler (Latent RePaint): five steps of Euler unless said otherwise."""
    return run_drop_in(model, latent, **changed).result[0]


@torch.inference_mode()
def run_drop_in(model: Any, latent: Any, **changed: Any) -> Any:
    """The same with what the node shows, as its `ui`."""
    inputs = {
        "seed": 3, "steps": 5, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "positive": POSITIVE,
        "negative": NEGATIVE, "denoise": 1.0, "method": "match", "evaluations_per_step": 2.0,
    }  # fmt: skip
    return KSampler.execute(model=model, latent_image=latent, **inputs | changed)
