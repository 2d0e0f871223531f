"""Trains the next demo model on drawn scenes, on the CPU, one thread, over as many sittings as it takes.

    python demo_model/next train draw                         the scenes
    python demo_model/next train autoencoder --minutes 60     pictures to latents and back
    python demo_model/next train latents                      fixes the encoder, and encodes what is drawn
    python demo_model/next train decoder --minutes 60         goes on with the decoder alone
    python demo_model/next train unet --minutes 600           UNet and text model
    python demo_model/next train export                       all of it as a checkpoint for the host

Each stage keeps a checkpoint in the work folder and goes on from it when run again. In an empty work folder, all but
`autoencoder` go on from the exported file. `--finish` lets the learning rate fall to zero over a stage's minutes.
"""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from comfyui_host.install import ROOT

from .. import networks
from ..export import export
from .autoencoder import Autoencoder, busy_crops, difference
from .fit import Fit
from .latents import captions, encode_shards, encoded, load_latents, vocabulary
from .pictures import draw_shards, shards

log = logging.getLogger("train")
CHECKPOINT = ROOT / "demo_model" / "next" / "weights" / "latent-repaint-demo-next.safetensors"
SCENES = 16384
CROP = 96  # pixels a side
DEVIATION = 0.8  # of the latents, in each channel
UNET = networks.UNET | {  # 32, 16 and 8 cells wide; attention where it is cheap
    "channel_mult": [1, 1, 2],
    "transformer_depth": [0, 0, 1],
    "transformer_depth_output": [0, 0, 0, 0, 0, 1],
}


def some_pictures(stored: list[np.ndarray], count: int) -> torch.Tensor:
    """Pictures at random, half of them mirrored: (count, 3, 256, 256) in [0, 1]."""
    places = zip(torch.randint(len(stored), (count,)), torch.randint(len(stored[0]), (count,)), strict=True)
    x = torch.from_numpy(np.stack([stored[i][k] for i, k in places])).permute(0, 3, 1, 2).float() / 255
    return torch.where(torch.rand(count, 1, 1, 1) < 1 / 2, x.flip(-1), x)


def train_autoencoder(work: Path, minutes: float, finish: bool, batch: int = 4) -> None:
    """Pictures to latents and back, on crops where there is something to draw.

    Three things make the latents easy for a diffusion model: the decoder sees them with noise, so that near latents
    mean near pictures; halved in size they mean the halved picture, so that they are smooth (Kouzelis et al., EQ-VAE,
    2025, section 3); and they start as plain means of colours.
    """
    model, stored = Autoencoder(), shards(work)
    fit = Fit(work / "autoencoder.pt", model, rate=6e-4)

    def loss(step: int) -> torch.Tensor:
        x = busy_crops(some_pictures(stored, batch), CROP).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            z = model.encode(x)
            noise = 0.15 * torch.rand(batch, 1, 1, 1) * torch.randn_like(z)
            made = model.decode(z + noise)
            halved = model.decode(F.avg_pool2d(z[: batch // 2], 2) + noise[: batch // 2, :, ::2, ::2])
        smooth = difference(halved, F.avg_pool2d(x[: batch // 2], 2))
        return difference(made, x) + smooth / 8 + 0.002 * z.float().square().mean()

    fit.run(loss, batch, minutes, finish)


def load_average(path: Path, model: torch.nn.Module) -> dict[str, float]:
    """Loads a stage's averaged weights; returns how far its training has come."""
    saved = torch.load(path, weights_only=True)
    prefix = "module."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in saved["average"].items() if k.startswith(prefix)})
    return {name: saved[name] for name in ("step", "seconds", "pictures")}


def fixed_autoencoder(work: Path) -> Autoencoder:
    """The autoencoder whose encoder makes all latents: its average when it was first asked for, levelled."""
    model, path = Autoencoder(), work / "fixed.safetensors"
    if not path.exists() and (work / "autoencoder.pt").exists():
        load_average(work / "autoencoder.pt", model)
        some = torch.from_numpy(encoded(shards(work)[0][:256], model)).float().flatten(0, 1)
        model.level(some.mean(dim=(0, 2, 3)), some.std(dim=(0, 2, 3)), DEVIATION)
        save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, path)
    elif path.exists():
        model.load_state_dict(load_file(path))
    else:
        load_exported_autoencoder(model)
    return model


def train_decoder(work: Path, minutes: float, finish: bool, batch: int = 4) -> None:
    """The decoder goes on with the encoder as it is."""
    model, stored = fixed_autoencoder(work), shards(work)
    model.encoder.requires_grad_(False)
    fit = Fit(work / "decoder.pt", model, rate=6e-4)

    def loss(step: int) -> torch.Tensor:
        x = busy_crops(some_pictures(stored, batch), CROP).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            z = model.encode(x)
            made = model.decode(z + 0.1 * torch.rand(batch, 1, 1, 1) * torch.randn_like(z))
        return difference(made, x)

    fit.run(loss, batch, minutes, finish)


def train_denoiser(work: Path, minutes: float, finish: bool, batch: int = 32) -> None:
    """As version 2's (`demo_model/train.py`): x_0 is told from x_t with the weight min(max(SNR, 1/4), 20).

    One caption in eight is left empty, and half of the scenes are seen in a mirror.
    """
    latents, tokens = load_latents(work), captions(SCENES)
    empty = networks.tokenize([""])
    sigmas = networks.model_sampling().sigmas
    denoiser = networks.Denoiser(vocabulary(), UNET)
    fit = Fit(work / "unet.pt", denoiser, rate=1e-3)
    if fit.step == 0 and CHECKPOINT.exists():
        fit.begin_at(**load_exported_denoiser(denoiser))
    elif fit.step == 0:
        borrow_text_model(denoiser)

    def loss(step: int) -> torch.Tensor:
        nonlocal latents
        if step % 100 == 0 and len(latents) < SCENES:  # they may still be in the making
            latents = load_latents(work)
        chosen = torch.randint(len(latents), (batch,))
        x_0 = latents[chosen, torch.randint(2, (batch,))].float()
        caption = tokens[chosen, torch.randint(tokens.shape[1], (batch,))]
        caption = torch.where(torch.rand(batch, 1) < 1 / 8, empty, caption)
        t = ((torch.rand(1) + torch.arange(batch) / batch) % 1 * len(sigmas)).long()
        sigma = sigmas[t].view(-1, 1, 1, 1)
        noise = torch.randn(x_0.shape)
        x_t = (x_0 + sigma * noise) / (1 + sigma.square()).sqrt()
        with torch.autocast("cpu", torch.bfloat16):
            eps = denoiser(x_t.to(memory_format=torch.channels_last), t, caption)
        weight = sigma.square().reciprocal().clamp(1 / 4, 20) * sigma.square()
        return (weight * (eps.float() - noise).square()).mean()

    fit.run(loss, batch, minutes, finish)


def borrow_text_model(denoiser: networks.Denoiser) -> None:
    """Begins with the text model of version 2, and with its rows for the words that both know."""
    prefix = "cond_stage_model.transformer.text_model."
    model, name = denoiser.text.transformer.text_model, "embeddings.token_embedding.weight"
    with safe_open(ROOT / "demo_model" / "weights" / "latent-repaint-demo.safetensors", "pt") as file:
        state = {key: file.get_tensor(prefix + key).float() for key in model.state_dict()}
    rows, own = state[name][denoiser.vocabulary], model.state_dict()[name]
    model.load_state_dict(state | {name: torch.where(rows.any(dim=1, keepdim=True), rows, own)})


def load_exported_autoencoder(model: Autoencoder) -> None:
    """The autoencoder of the exported file, whose fine layers are wider there by channels of zeros."""
    with safe_open(CHECKPOINT, "pt") as file:
        for part in ("encoder", "decoder"):
            network = getattr(model, part)
            state = {}
            for name, weight in network.state_dict().items():
                wide = file.get_tensor(f"first_stage_model.taesd_{part}.{name}").float()
                state[name] = wide[tuple(slice(0, n) for n in weight.shape)]
            network.load_state_dict(state)


def load_exported_denoiser(denoiser: networks.Denoiser) -> dict[str, float]:
    """The UNet and the text model of the exported file; returns how far their training had come."""
    unet, text = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
    words = "embeddings.token_embedding.weight"
    with safe_open(CHECKPOINT, "pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}
        facts = json.loads(file.metadata()["training"])["unet"]
    denoiser.unet.load_state_dict({k.removeprefix(unet): v for k, v in state.items() if k.startswith(unet)})
    model = {k.removeprefix(text): v for k, v in state.items() if k.startswith(text)}
    denoiser.text.transformer.text_model.load_state_dict(model | {words: model[words][denoiser.vocabulary]})
    return facts


def write_checkpoint(work: Path, path: Path) -> None:
    """Everything trained so far, in one file for the host."""
    model = fixed_autoencoder(work)
    denoiser = networks.Denoiser(vocabulary(), UNET)
    facts = {"unet": load_average(work / "unet.pt", denoiser), "scenes": SCENES}
    for stage in ("autoencoder", "decoder"):
        if (work / f"{stage}.pt").exists():
            facts[stage] = load_average(work / f"{stage}.pt", Autoencoder())
    if (work / "decoder.pt").exists():
        load_average(work / "decoder.pt", model)
    export(model.widened(networks.LATENT_SCALE), denoiser, facts, path)
    log.info("wrote %s, %.1f MB: %s", path.name, path.stat().st_size / 1e6, json.dumps(facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["draw", "autoencoder", "latents", "decoder", "unet", "export"])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--finish", action="store_true", help="let the learning rate fall to zero over the minutes")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".train" / "next", help="folder of pictures and checkpoints"
    )
    parser.add_argument("--to", type=Path, default=CHECKPOINT, help="the file that `export` writes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)  # the host has set one
    torch.set_num_threads(1)
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "draw":
        draw_shards(work, SCENES)
    elif arguments.stage == "latents":
        encode_shards(work, fixed_autoencoder(work))
    elif arguments.stage == "export":
        write_checkpoint(work, arguments.to)
    else:
        train = {"autoencoder": train_autoencoder, "decoder": train_decoder, "unet": train_denoiser}[arguments.stage]
        train(work, arguments.minutes, arguments.finish)
