"""Distils a model to a few steps, into a small file that the stock LoraLoaderModelOnly adds to it.

python demo_model distil --minutes 60    (on the CPU, one thread; goes on from its checkpoint when run again)
python demo_model distil --only-write

This is for the small model; `python demo_model/next distil` does the same for the demo's.
"""

import argparse
import json
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file

from . import networks
from .export import load_denoiser
from .train import CHECKPOINT, WORK, encoded_scenes, fit, load_average

log = logging.getLogger("distil")
DISTILLED = CHECKPOINT.parents[1] / "loras" / "latent-repaint-demo-few-steps.safetensors"
GRID = 8  # levels at which the student learns: those of 8 steps, and every second one of 4


class Lesson(NamedTuple):
    """Which model is distilled, and on what.

    Attributes:
        checkpoint: the model's file.
        sizes: of its UNet.
        examples: gives latents, (scenes, 2, 4, h, w), each scene as it is and mirrored, and the tokens of their
            captions, (scenes, captions, 77).
        name: of what is kept in the work folder.
        result: the file to write.
    """

    checkpoint: Path
    sizes: dict
    examples: Callable[[], tuple[torch.Tensor, torch.Tensor]]
    name: str
    result: Path


def small_examples() -> tuple[torch.Tensor, torch.Tensor]:
    latents, tokens = encoded_scenes(8192)
    return torch.stack([latents, latents.flip(-1)], dim=1), tokens


SMALL = Lesson(CHECKPOINT, networks.UNET, small_examples, "distilled", DISTILLED)


def teacher(lesson: Lesson, vocabulary: torch.Tensor) -> networks.Denoiser:
    """The model's UNet and text model, as the checkpoint holds them."""
    denoiser = networks.Denoiser(vocabulary, lesson.sizes)
    load_denoiser(denoiser, lesson.checkpoint)
    return denoiser.eval().requires_grad_(False)


def distil(lesson: Lesson, minutes: float, batch: int = 24) -> None:
    r"""Where the teacher's path from x_t leads, the student says at once.

    .. math:: L = d(f(x_t, t), \Phi(x_t, t)), \qquad f(x, t) = x_0 \text{ as the student's eps says},

    :math:`\Phi` the end of the probability flow from x_t, the teacher's steps down the levels of GRID, and d the
    pseudo-Huber distance. It is what a consistency model learns, told outright: with so few levels the whole path is
    cheap, and nothing has to be learnt from the student's own guesses.

    Source: Luhman and Luhman, Knowledge distillation in iterative generative models (2021), section 3, from every
    level; Song et al., Consistency models (2023), definition 1; Song and Dhariwal, Improved techniques for training
    consistency models (2023), section 3.3, for d; Lu et al., DPM-Solver++ (2022), algorithm 2, for the steps.
    """
    latents, tokens = lesson.examples()
    empty = networks.tokenize([""])
    guide = teacher(lesson, tokens.unique())
    student = teacher(lesson, tokens.unique()).unet.train().requires_grad_(True)
    sigmas = networks.model_sampling().sigmas
    times = torch.linspace(len(sigmas) - 1, 0, GRID + 1).round().long().tolist()
    margin = 0.00054 * latents[0, 0].numel() ** 0.5

    def clean(unet: torch.nn.Module, x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        """x_0 = x - sigma eps, x in the scale in which the noise is sigma."""
        return x - sigmas[t] * unet(x / (1 + sigmas[t] ** 2).sqrt(), torch.full((len(x),), t), context)

    @torch.no_grad()
    def followed(x: torch.Tensor, place: int, context: torch.Tensor) -> torch.Tensor:
        """The teacher's path from x at times[place] to its end, by DPM-Solver++(2M)."""
        before, h_before = None, 1.0
        for t, s in pairwise(times[place:]):
            denoised, h = clean(guide.unet, x, t, context), (sigmas[t] / sigmas[s]).log()
            ahead = denoised if before is None else denoised + h / h_before * (denoised - before) / 2
            x = ahead + sigmas[s] / sigmas[t] * (x - ahead)
            before, h_before = denoised, h
        return clean(guide.unet, x, times[-1], context)

    def loss(step: int) -> torch.Tensor:
        chosen = torch.randint(len(latents), (batch,))
        x_0 = latents[chosen, torch.randint(2, (batch,))].float()
        caption = tokens[chosen, torch.randint(tokens.shape[1], (batch,))]
        context = guide.encode(torch.where(torch.rand(batch, 1) < 1 / 8, empty, caption)).detach()
        place = step % GRID
        x_t = x_0 + sigmas[times[place]] * torch.randn(x_0.shape)
        error = clean(student, x_t, times[place], context) - followed(x_t, place, context)
        return ((error.square().sum(dim=(1, 2, 3)) + margin**2).sqrt() - margin).mean()

    fit(lesson.name, student, loss, rate=3e-4, minutes=minutes)


def write(lesson: Lesson) -> None:
    """What the student's weights are beyond the teacher's, in half precision, under the names that the host adds."""
    vocabulary = networks.tokenize([""]).unique()
    base, student = teacher(lesson, vocabulary).unet, teacher(lesson, vocabulary).unet
    facts = load_average(lesson.name, student)
    old = base.state_dict()
    state = {}
    for name, weight in student.state_dict().items():
        kind = ".diff_b" if name.endswith(".bias") else ".diff"
        state["diffusion_model." + name.removesuffix(".weight").removesuffix(".bias") + kind] = (
            (weight - old[name]).half().contiguous()
        )
    metadata = {"format": "pt", "modelspec.title": "Latent RePaint demo, few steps", "training": json.dumps(facts)}
    save_file(state, lesson.result, metadata=metadata)
    log.info("wrote %s, %.1f MB: %s", lesson.result.name, lesson.result.stat().st_size / 1e6, json.dumps(facts))


def main(lesson: Lesson = SMALL) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-write", action="store_true", help="write the file from the checkpoint that there is")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)  # the host has set one
    torch.set_num_threads(arguments.threads)
    WORK.mkdir(exist_ok=True)
    if not arguments.only_write:
        distil(lesson, arguments.minutes)
    write(lesson)
