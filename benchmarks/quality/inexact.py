"""Models that are not exact denoisers, by stand-ins made of the small model.

    python benchmarks quality --inexact
    python benchmarks quality --inexact --models w3.5,lora --scenes 16 --seeds 1 --steps 8

- cfg1, cfg4, cfg7: the small model as it is, an exact denoiser as far as it was trained
- w2, w3.5, w6: guidance of that weight inside the network, D_neg + w (D_pos - D_neg) in one evaluation, at cfg 1, as
  in models distilled in guidance (Flux dev)
- lora lcm, lora euler: distilled to a few steps
- weights: 5 % of noise in every weight, as 4-bit weights have
- float8: weights of float8 (e4m3fn)

Held-out scenes, four masks in turn, schedule `normal`. Seam and own loss (the undistilled model judges) are ratios to
the untouched scene: 1 is real. Each with its standard error, and bold where it is farther from 1 than the host's at
the same steps, beyond two standard errors. Steps are those of a user's settings: `x 2` makes about two evaluations a
step; `blend fixed` under Euler is the host. The own loss of the kept part is above 1 where what was painted does not
hang together with it. Taken for distilled: the share of pictures of which Match left its extra evaluations out, because
the model looked distilled in steps.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from comfyui_host.install import SMALL_MODEL
from demo_model.distil import DISTILLED
from demo_model.measure import held_out, prompts
from latent_repaint.samplers.mathematics.known_noise import FixedNoise
from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from ..host import HOST
from ..report import RESULTS, Table, chosen, mean_and_error, write
from .sampling import inpaint
from .scenes import Scenes

FIRST_SEED = 7


@dataclass(frozen=True, kw_only=True)
class WatchedMatch(Match):
    """Match, and the noises that its runs had: these know which pictures were taken for a distilled model's."""

    noises: list[FixedNoise] = field(default_factory=list)

    def noise(self, *given: Any) -> FixedNoise:
        self.noises.append(super().noise(*given))
        return self.noises[-1]


METHODS: dict[str, tuple[Any, int]] = {  # and how many times the steps it makes
    "host": (None, 1),
    "host x 2": (None, 2),
    "blend": (Blend(), 1),
    "blend fixed": (Blend(known_noise="fixed"), 1),
    "repaint x 2": (RePaintBudget(evaluations_per_step=2.0), 1),
    "match x 2": (WatchedMatch(inner_steps=1.0), 1),
}
MODELS = ("cfg1", "cfg4", "cfg7", "w2", "w3.5", "w6", "lora lcm", "lora euler", "weights", "float8")
COLUMNS = ("model", "steps", "method", "evaluations", "seam", "worst, seed by seed", "own loss", "of the kept part",
           "taken for distilled")  # fmt: skip


class StandIn(NamedTuple):
    """A model and how it is asked."""

    model: Any
    solver: str
    cfg: float
    steps: tuple[int, ...]


class Scored(NamedTuple):
    """Of one seed: a number for each scene, the model evaluations of the batch, and which scenes Match took for those
    of a model distilled in steps."""

    seam: Tensor
    loss: Tensor
    kept: Tensor
    evaluations: int
    distilled: Tensor | None


class DemoScenes:
    """The first `count` held-out scenes, each with its own caption."""

    def __init__(self, count: int) -> None:
        self.model, clip, vae = HOST.nodes.CheckpointLoaderSimple().load_checkpoint(SMALL_MODEL.name)
        images, captions = held_out(count)
        self.scenes = Scenes(self.model, vae, images, lambda: prompts(clip, captions))
        self.positive, self.negative = self.scenes.prompts

    def stand_in(self, name: str) -> StandIn:
        plain = StandIn(self.model, "euler", 1.0, (20, 8))
        if name.startswith("cfg"):
            return plain._replace(cfg=float(name[3:]))
        if name.startswith("lora"):
            lora = HOST.comfy.utils.load_torch_file(str(DISTILLED), safe_load=True)
            distilled, _ = HOST.comfy.sd.load_lora_for_models(self.model, None, lora, 1.0, 0.0)
            return plain._replace(model=distilled, solver=name[5:], steps=(8, 4))
        if name == "weights":
            return plain._replace(model=with_noisy_weights(self.model, 0.05))
        if name == "float8":
            return plain._replace(model=with_weights_of(torch.float8_e4m3fn))
        return plain._replace(model=guided_inside(self.model, self.negative[0][0], float(name[1:])))

    def painted(self, asked: StandIn, method: str, steps: int, seed: int) -> tuple[Tensor, int]:
        """The latents, and how often the network was asked."""
        way, factor = METHODS[method]
        settings = (asked.solver, "normal", factor * steps, asked.cfg)
        samples, passes = inpaint(asked.model, way, settings, self.scenes.prompts, self.scenes.given, seed)
        return samples, len(passes)

    def scored(self, asked: StandIn, method: str, steps: int, seed: int) -> Scored:
        samples, evaluations = self.painted(asked, method, steps, seed)
        _pictures, found = self.scenes.measured(samples)
        way = METHODS[method][0]
        distilled = (~way.noises[-1].exact).float() if isinstance(way, WatchedMatch) else None
        return Scored(found["seam"], found["loss"], found["kept"], evaluations, distilled)


def guided_inside(model: Any, negative: Tensor, w: float) -> Any:
    """A MODEL whose one prediction is D_neg + w (D_pos - D_neg)."""

    def evaluate(apply_model: Any, asked: dict) -> Tensor:
        positive = asked["c"]["c_crossattn"]
        prompts = torch.cat([positive, negative.to(positive).expand_as(positive)])
        x, t = (torch.cat([value, value]) for value in (asked["input"], asked["timestep"]))
        conditional, unconditional = apply_model(x, t, **{**asked["c"], "c_crossattn": prompts}).chunk(2)
        return unconditional + w * (conditional - unconditional)

    model = model.clone()
    model.set_model_unet_function_wrapper(evaluate)
    return model


def with_noisy_weights(model: Any, share: float) -> Any:
    """A MODEL with noise of `share` of its root mean square in every weight of its network."""
    model, generator = model.clone(), torch.Generator().manual_seed(0)
    patches = {}
    for name, weight in model.model_state_dict("diffusion_model.").items():
        if weight.ndim > 1:
            rms = weight.float().square().mean().sqrt()
            patches[name] = ("diff", (share * rms * torch.randn(weight.shape, generator=generator),))
    if set(model.add_patches(patches)) != set(patches):
        raise ValueError("found weights that the host does not patch")
    return model


def with_weights_of(dtype: torch.dtype) -> Any:
    """The small model's MODEL with the weights of its network in this dtype."""
    weights = HOST.comfy.utils.load_torch_file(str(SMALL_MODEL)).items()
    network = {name: weight for name, weight in weights if name.startswith("model.diffusion_model.")}
    return HOST.comfy.sd.load_diffusion_model_state_dict(network, {"dtype": dtype})


def row(name: str, steps: int, method: str, scores: list[Scored], host: list[Scored]) -> list[str]:
    """A line of the table; `host` is at the same steps."""

    def said(measure: str) -> str:
        mean, error = spread(scores, measure)
        theirs, their_error = spread(host, measure)
        farther = abs(mean - 1) - abs(theirs - 1) > 2 * (error**2 + their_error**2) ** 0.5
        text = f"{mean:.2f} ± {error:.2f}"
        return f"**{text}**" if farther else text

    worst = ", ".join(f"{score.seam.max():.1f}" for score in scores)
    head = [name, str(steps), method, str(scores[0].evaluations)]
    distilled = "-" if scores[0].distilled is None else f"{spread(scores, 'distilled')[0]:.0%}"
    return [*head, said("seam"), worst, said("loss"), said("kept"), distilled]


def spread(scores: list[Scored], measure: str) -> tuple[float, float]:
    """Mean and standard error over all scenes and seeds."""
    return mean_and_error(torch.cat([getattr(score, measure).flatten() for score in scores]).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inexact", action="store_true")
    parser.add_argument("--models", default=",".join(MODELS), help="for example w3.5,lora")
    parser.add_argument("--methods", default="", help=f"of {', '.join(METHODS)}; the host always runs too")
    parser.add_argument("--steps", default="", help="20,8; of the LoRA 8,4")
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    methods = chosen(f"host,{options.methods}", list(METHODS)) if options.methods else list(METHODS)
    with torch.inference_mode():
        demo, rows = DemoScenes(options.scenes), []
        for name in chosen(options.models, MODELS):
            asked = demo.stand_in(name)
            for steps in map(int, options.steps.split(",")) if options.steps else asked.steps:
                host: list[Scored] = []
                for method in methods:
                    scores = [demo.scored(asked, method, steps, FIRST_SEED + k) for k in range(options.seeds)]
                    host = host or scores
                    rows.append(row(name, steps, method, scores, host))
                    print(*rows[-1], sep=" | ", flush=True)
    note = f"{options.scenes} scenes, {options.seeds} seeds, euler."
    text = Table("Models that are not exact denoisers", COLUMNS, rows, note).text
    print(text)
    if not options.methods and not options.steps and options.models == ",".join(MODELS) and options.scenes == 64:
        write(RESULTS / "inexact.md", f"{text}\n{__doc__}")
