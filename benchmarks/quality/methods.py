"""Every method spending the same number of passes of the network, the conditional and the unconditional one counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from comfyui_host.passes import counted
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from . import HOST

METHODS = ("host", "blend", "repaint", "match")
LANPAINT = "LanPaint_KSampler"
THINKING = 5  # LanPaint's inner steps, its own default


def find_lanpaint(custom_nodes: Path) -> bool:
    """Load LanPaint where the host has it installed; whether its KSampler can be used."""
    for folder in sorted(custom_nodes.glob("*")) if custom_nodes.is_dir() else ():
        if "lanpaint" in folder.name.lower() and folder.is_dir() and LANPAINT not in HOST.nodes.NODE_CLASS_MAPPINGS:
            asyncio.run(HOST.nodes.load_custom_node(str(folder)))
    return LANPAINT in HOST.nodes.NODE_CLASS_MAPPINGS


def lanpaint_steps(run: Callable[[int], int], budget: int) -> int:
    """The most steps of LanPaint whose passes the budget allows: how often it thinks, it decides as it goes.

    Arguments:
        run: the passes that so many steps take.
    """
    steps = max(1, budget // (2 * (1 + THINKING)))
    for _ in range(4):
        used = run(steps)
        fitting = max(1, steps * budget // used)
        if used <= budget and fitting <= steps:
            break
        steps = fitting if fitting != steps else steps - 1
    return max(1, steps)


def inpaint(
    model: Any,
    method: str,
    latent: dict[str, Any],
    prompts: tuple[list, list],
    settings: tuple[str, str, int, float],
    seed: int,
) -> tuple[Tensor, int]:
    """The painted samples, and the passes that they took: twice the steps, and twice that where cfg is not 1.

    Arguments:
        latent: with its noise_mask.
        prompts: positive and negative conditioning.
        settings: sampler_name, scheduler, steps of two evaluations each (LanPaint's: as they are), cfg.
    """
    name, scheduler, steps, cfg = settings
    guided = 1 if cfg == 1 else 2
    if method == "lanpaint":
        node = HOST.nodes.NODE_CLASS_MAPPINGS[LANPAINT]()
        arguments = (model.clone(), seed, steps, cfg, name, scheduler, *prompts, latent, 1.0, THINKING)
        with counted(model) as passes:
            return getattr(node, node.FUNCTION)(*arguments)[0]["samples"], sum(passes)
    nodes = HOST.custom_sampler
    sampler = nodes.KSamplerSelect.execute(name)[0]
    if method in ("host", "blend"):
        steps *= 2
    if method == "blend":
        sampler = combine(sampler, Blend(), "benchmark")
    elif method == "repaint":
        sampler = combine(sampler, RePaintBudget(evaluations_per_step=2.0), "benchmark")
    elif method == "match":  # its extra evaluations take one pass at any cfg
        sampler = combine(sampler, Match(inner_steps=float(guided)), "benchmark")
    sigmas = nodes.BasicScheduler.execute(model, scheduler, steps, 1.0)[0]
    guider = nodes.CFGGuider.execute(model, *prompts, cfg)[0]
    noise = nodes.RandomNoise.execute(seed)[0]
    with counted(model) as passes:
        return nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)[0]["samples"], sum(passes)
