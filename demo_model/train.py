"""Trains the small model: a decoder of latents, and a text-conditioned diffusion model of them, on drawn scenes.

    python demo_model train all --minutes 60    (on the CPU: an hour for the decoder, then one for the UNet)
    python demo_model train all --device cuda
    python demo_model train decoder --go-on     (begins with the committed file's; `export` then keeps the rest of it)

Decoder and UNet do not need each other: on a machine with few cores they are best trained side by side, on one thread
each. Both keep a checkpoint in `.train/` and go on from it when run again. The networks are the host's own classes, so
what is trained is what the host later loads.
"""

import argparse
import json
import logging
import math
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from comfyui_host.install import ROOT
from comfyui_host.install import SMALL_MODEL as CHECKPOINT

from . import networks
from .export import export, load_decoder, replace_decoder
from .scenes import describe, draw

log = logging.getLogger("train")
WORK = ROOT / ".train"
SCENE, WINDOW = 128, 48
GRID = 32  # cells along a picture where the decoder's fine levels begin


def fit(name: str, model: torch.nn.Module, loss: Callable[[int], torch.Tensor], rate: float, minutes: float) -> None:
    """Trains in place by AdamW and leaves the averaged weights in the model.

    The learning rate falls as a cosine of the wall-clock time, rate * (1 + cos(pi * t / minutes)) / 2, so that training
    ends in time on any machine. The average reaches back over the last tenth of the steps.

    Args:
        name: of the checkpoint.
        loss: from the number of the step, which also seeds the data, to a scalar.
    """
    path = WORK / f"{name}.pt"
    average = torch.optim.swa_utils.AveragedModel(
        model, avg_fn=lambda old, new, n: old + (new - old) / (1 + 0.1 * n), use_buffers=False
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    state = {"step": 0, "seconds": 0.0}
    if path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
    started, logged, kept, recent = time.monotonic() - state["seconds"], 0.0, time.monotonic(), []
    while state["seconds"] < 60 * minutes:
        warm_up = min(1.0, (state["step"] + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = rate * warm_up * (1 + math.cos(math.pi * state["seconds"] / (60 * minutes))) / 2
        torch.manual_seed(state["step"])
        value = loss(state["step"])
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        recent.append(value.item())
        now = time.monotonic()
        state = {"step": state["step"] + 1, "seconds": now - started}
        if now - logged > 30:
            log.info("%s step %d, %.1f min, loss %.4f", name, state["step"], state["seconds"] / 60, np.mean(recent))
            logged, recent = now, []
        if now - kept > 120 or state["seconds"] >= 60 * minutes:
            parts = {"model": model, "average": average, "optimizer": optimizer}
            kept_state = {name: part.state_dict() for name, part in parts.items()}
            torch.save(kept_state | {"state": state}, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
            kept = now
    model.load_state_dict(average.module.state_dict())


def busy_corners(x: torch.Tensor) -> torch.Tensor:
    """A window of each picture, drawn in proportion to the detail in it: the corners (B, 2) in cells of the grid."""
    detail = (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).abs().mean(dim=1)
    detail = F.avg_pool2d(detail, WINDOW, SCENE // GRID)
    chosen = detail.flatten(1).multinomial(1)
    return torch.cat([chosen // detail.shape[2], chosen % detail.shape[2]], dim=1)


def cut(planes: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """The windows of pictures, or of feature planes that cover them."""
    unit, side = planes.shape[2] // GRID, WINDOW * planes.shape[2] // SCENE
    return torch.stack(
        [plane[:, v : v + side, u : u + side] for plane, (v, u) in zip(planes, (unit * corners).tolist(), strict=True)]
    )


def load_average(name: str, network: torch.nn.Module) -> dict:
    """Loads a stage's averaged weights; returns how far its training has come."""
    saved = torch.load(WORK / f"{name}.pt", weights_only=True)
    prefix = "module."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in saved["average"].items() if k.startswith(prefix)})
    return saved["state"]


def train_decoder(device: torch.device, minutes: float, go_on: bool, scenes: int = 2) -> None:
    """Draws the picture that belongs to a latent, at eight times its resolution.

    Nine tenths of the work are the two finest levels, and most of a picture is plain sky and ground. So the coarse
    levels see whole pictures, and the fine ones a window of each, drawn in proportion to how much there is to draw.
    """
    vae = networks.new_autoencoder().to(device)
    decoder = vae.taesd_decoder
    if go_on:
        load_decoder(decoder, CHECKPOINT)
    split = [i for i, layer in enumerate(decoder) if isinstance(layer, torch.nn.Upsample)][1]
    coarse, fine = decoder[:split], decoder[split:]

    def loss(step: int) -> torch.Tensor:
        x = np.stack([draw(step * scenes + i, SCENE).image for i in range(scenes)])
        x = torch.from_numpy(x).permute(0, 3, 1, 2).to(device)
        z = networks.encode(x)
        noise = 0.05 * torch.rand(scenes, 1, 1, 1, device=device) * torch.randn_like(z)
        features = coarse(z + noise)  # near latents must mean near pictures; seldom so far that edges need hedging
        corners = busy_corners(x)
        error = fine(cut(features, corners)) - cut(x, corners)
        edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        return error.abs().mean() + 2 * error.square().mean() + 0.5 * edges

    fit("decoder", decoder, loss, rate=4e-4, minutes=minutes)


def encoded_scenes(count: int, captions: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (count, 4, 16, 16) of scenes, and their captions' tokens (count, captions, 77)."""
    latents, texts = [], []
    for seed in range(count):
        scene = draw(seed, SCENE)
        texts += [describe(np.random.default_rng((seed, k)), scene.attributes) for k in range(captions)]
        latents.append(networks.encode(torch.from_numpy(scene.image).permute(2, 0, 1)[None]))
    return torch.cat(latents), networks.tokenize(texts).view(count, captions, -1)


def train_denoiser(device: torch.device, minutes: float, batch: int = 32) -> None:
    """x_t = (x_0 + sigma_t n) / sqrt(1 + sigma_t^2); the loss is w_t |x_0(x_t, t, caption) - x_0|^2.

    With SNR = 1 / sigma^2 the weight is w_t = min(max(SNR, 1/4), 20): bounded above as in min-SNR (Hang et al. 2023,
    arXiv 2303.09556), and below because at the highest noise, where the layout and most of what the prompt says is
    decided, the error of eps itself hardly counts (Salimans and Ho 2022, arXiv 2202.00512, section 4). One caption in
    eight is left empty, which teaches the unconditional model that guidance, negative prompts and inpainting without a
    prompt need. Half of the scenes are seen in a mirror; the encoder sees both alike.
    """
    scenes = load_file(WORK / "scenes.safetensors", device=str(device))
    latents, tokens = scenes["latents"], scenes["tokens"]
    empty = networks.tokenize([""]).to(device)
    sigmas = networks.model_sampling().sigmas.to(device)
    denoiser = networks.Denoiser(tokens.unique()).to(device)

    def loss(step: int) -> torch.Tensor:
        chosen = torch.randint(len(latents), (batch,), device=device)
        mirrored = torch.rand(batch, 1, 1, 1, device=device) < 1 / 2
        x_0 = torch.where(mirrored, latents[chosen].flip(-1), latents[chosen])
        caption = tokens[chosen, torch.randint(tokens.shape[1], (batch,), device=device)]
        caption = torch.where(torch.rand(batch, 1, device=device) < 1 / 8, empty, caption)
        t = ((torch.rand(1, device=device) + torch.arange(batch, device=device) / batch) % 1 * len(sigmas)).long()
        sigma = sigmas[t].view(-1, 1, 1, 1)
        noise = torch.randn(x_0.shape, device=device)
        x_t = (x_0 + sigma * noise) / (1 + sigma.square()).sqrt()
        with torch.autocast(device.type, torch.bfloat16):
            eps = denoiser(x_t.to(memory_format=torch.channels_last), t, caption)
        weight = sigma.square().reciprocal().clamp(1 / 4, 20) * sigma.square()
        return (weight * (eps.float() - noise).square()).mean()

    fit("unet", denoiser, loss, rate=1e-3, minutes=minutes)


def write_checkpoint() -> None:
    """Everything trained so far, in one file for the host; a decoder alone goes into the file that there is."""
    vae = networks.new_autoencoder()
    facts = {"decoder": load_average("decoder", vae.taesd_decoder)}
    if (WORK / "unet.pt").exists():
        scenes = load_file(WORK / "scenes.safetensors")
        denoiser = networks.Denoiser(scenes["tokens"].unique())
        facts |= {"unet": load_average("unet", denoiser), "scenes": len(scenes["latents"])}
        export(vae, denoiser, facts, CHECKPOINT)
    else:
        replace_decoder(vae.taesd_decoder, facts, CHECKPOINT)
    log.info("wrote %s, %.1f MB: %s", CHECKPOINT.name, CHECKPOINT.stat().st_size / 1e6, json.dumps(facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["decoder", "scenes", "unet", "export", "all"])
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--minutes", type=float, default=60, help="budget of the decoder's training and of the UNet's")
    parser.add_argument("--go-on", action="store_true", help="begin the decoder with the committed file's")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)  # the host has set one
    WORK.mkdir(exist_ok=True)
    if arguments.stage in ("decoder", "all"):
        train_decoder(arguments.device, arguments.minutes, arguments.go_on)
    if arguments.stage in ("scenes", "all"):
        latents, tokens = encoded_scenes(32768)
        save_file({"latents": latents, "tokens": tokens}, WORK / "scenes.safetensors")
    if arguments.stage in ("unet", "all"):
        train_denoiser(arguments.device, arguments.minutes)
    if arguments.stage in ("export", "all"):
        write_checkpoint()
