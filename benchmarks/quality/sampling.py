"""One inpainting run by any method, the passes through the network counted; by LanPaint's own node, too."""

from __future__ import annotations

import asyncio
from typing import Any

from torch import Tensor

from comfyui_host import install
from comfyui_host.passes import counted
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Method

from ..host import HOST

LANPAINT = "lanpaint"
LANPAINT_NODE = "LanPaint_KSampler"
THINKING = 5  # LanPaint's inner steps, its own default


def with_lanpaint(methods: list[str]) -> list[str]:
    """The methods, and LanPaint where the host has it installed: it is loaded then."""
    known = HOST.nodes.NODE_CLASS_MAPPINGS
    for folder in sorted((install.find_host().tree / "custom_nodes").glob("*/")):
        if "lanpaint" in folder.name.lower() and LANPAINT_NODE not in known:
            asyncio.run(HOST.nodes.load_custom_node(str(folder)))
    return [*methods, LANPAINT] if LANPAINT_NODE in known else methods


def inpaint(
    model: Any,
    method: Method | str | None,
    settings: tuple[str, str, int, float],
    prompts: tuple[list, list],
    latent: dict[str, Tensor],
    seed: int,
) -> tuple[Tensor, list[int]]:
    """The painted samples, and how many prompts each pass through the network had.

    Arguments:
        method: None is the host's own way of inpainting, LANPAINT LanPaint's.
        settings: sampler_name, scheduler, steps, cfg.
        prompts: positive and negative conditioning.
        latent: with its noise_mask.
    """
    solver, scheduler, steps, cfg = settings
    with counted(model) as passes:
        if method == LANPAINT:
            node = HOST.nodes.NODE_CLASS_MAPPINGS[LANPAINT_NODE]()
            arguments = (model.clone(), seed, steps, cfg, solver, scheduler, *prompts, latent, 1.0, THINKING)
            return getattr(node, node.FUNCTION)(*arguments)[0]["samples"], passes
        nodes = HOST.custom_sampler
        sampler = nodes.KSamplerSelect.execute(solver)[0]
        if method is not None:
            sampler = combine(sampler, method, "benchmark")
        sigmas = nodes.BasicScheduler.execute(model, scheduler, steps, 1.0)[0]
        guider = nodes.CFGGuider.execute(model, *prompts, cfg)[0]
        noise = nodes.RandomNoise.execute(seed)[0]
        return nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)[0]["samples"], passes
