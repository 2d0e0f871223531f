"""Trains the demo's model on drawn scenes: on the CPU over as many sittings as it takes, or on a GPU in minutes.

    python demo_model/next train draw                         the scenes
    python demo_model/next train autoencoder --minutes 60     pictures to latents and back
    python demo_model/next train latents                      fixes the encoder, and encodes what is drawn
    python demo_model/next train decoder --minutes 60         goes on with the decoder alone
    python demo_model/next train unet --minutes 600           UNet and text model
    python demo_model/next train export                       what is committed: the averages, in half precision

Each stage keeps a checkpoint in the work folder and goes on from it when run again; in an empty work folder it goes on
from what is committed, with an optimizer that has forgotten. `latents` is only for a finished autoencoder: what is
encoded then, the UNet learns. `--finish` lets the learning rate fall to zero over a stage's minutes. On a GPU add
`--device cuda --batch 64`, and to `draw` `--processes` for as many cores as there are.
"""

import argparse
import json
import logging
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

from comfyui_host.install import DEMO_MODEL as CHECKPOINT
from comfyui_host.install import ROOT, SMALL_MODEL

from .. import networks
from ..export import export, load_denoiser
from .autoencoder import Autoencoder, busy_crops, difference
from .fit import Fit
from .latents import captions, encode_shards, encoded, load_latents, vocabulary
from .pictures import draw_shards, shards

log = logging.getLogger("train")
WORK = ROOT / ".train" / "next"
WEIGHTS = CHECKPOINT.parent
AUTOENCODER = WEIGHTS / "autoencoder.safetensors"
SCENES = 16384
CROP = 96  # pixels a side
DEVIATION = 0.8  # of the latents, in each channel
UNET = networks.UNET | {  # 32, 16, 8 and 4 cells wide: version 2's with a level around it, and deeper at 16 and 8
    "num_res_blocks": [1, 2, 2, 1],
    "channel_mult": [1, 1, 1, 1],
    "transformer_depth": [0, 0, 0, 1, 1, 1],
    "transformer_depth_output": [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
}
BORROWED = {  # blocks of this UNet, and the blocks of version 2's that they begin as
    "input_blocks": {0: 0, 3: 1, 5: 2, 6: 3, 8: 4, 9: 5},
    "output_blocks": {0: 0, 1: 1, 3: 2, 4: 3, 6: 4, 7: 5},
}


class Sitting(NamedTuple):
    """How long, where and in what portions a stage is trained."""

    work: Path
    device: torch.device
    batch: int
    minutes: float
    finish: bool


def some_crops(stored: list[torch.Tensor], count: int) -> torch.Tensor:
    """Parts of pictures at random, half of them mirrored: (count, 3, CROP, CROP) in [0, 1]."""
    chosen = zip(torch.randint(len(stored), (count,)), torch.randint(len(stored[0]), (count,)), strict=True)
    x = torch.stack([stored[shard][place] for shard, place in chosen]).permute(0, 3, 1, 2).float() / 255
    x = torch.where(torch.rand(count, 1, 1, 1, device=x.device) < 1 / 2, x.flip(-1), x)
    return busy_crops(x, CROP).contiguous(memory_format=torch.channels_last)


def train_autoencoder(to: Sitting) -> None:
    """Pictures to latents and back, on crops where there is something to draw.

    Three things make the latents easy for a diffusion model: the decoder sees them with noise, so that near latents
    mean near pictures; halved in size they mean the halved picture, so that they are smooth (Kouzelis et al., EQ-VAE,
    2025, section 3); and they start as plain means of colours.
    """
    model, stored = Autoencoder().to(to.device), shards(to.work, to.device)
    fit = Fit(to.work / "autoencoder.pt", model, rate=6e-4)
    if fit.step == 0 and AUTOENCODER.exists():
        facts = load_autoencoder(AUTOENCODER, model)
        if "fixed" in facts:
            raise SystemExit("The encoder is fixed, for latents have been made by it: go on with `decoder`.")
        fit.begin_at(**facts["autoencoder"])

    def loss(step: int) -> torch.Tensor:
        x, half = some_crops(stored, to.batch), to.batch // 2
        with torch.autocast(to.device.type, torch.bfloat16):
            z = model.encode(x)
            noise = 0.15 * torch.rand(len(z), 1, 1, 1, device=z.device) * torch.randn_like(z)
            made = model.decode(z + noise)
            halved = model.decode(F.avg_pool2d(z[:half], 2) + noise[:half, :, ::2, ::2])
        smooth = difference(halved, F.avg_pool2d(x[:half], 2))
        return difference(made, x) + smooth / 8 + 0.002 * z.float().square().mean()

    fit.run(loss, to.batch, to.minutes, to.finish)


def load_average(path: Path, model: torch.nn.Module) -> dict[str, float]:
    """Loads a stage's averaged weights; returns how far its training has come."""
    saved = torch.load(path, weights_only=True, map_location="cpu")
    prefix = "module."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in saved["average"].items() if k.startswith(prefix)})
    return {name: saved[name] for name in ("step", "seconds", "pictures")}


def save_autoencoder(path: Path, model: Autoencoder, facts: dict) -> None:
    state = {name: weight.half().contiguous() for name, weight in model.state_dict().items()}
    save_file(state, path, metadata={"format": "pt", "training": json.dumps(facts)})


def load_autoencoder(path: Path, model: Autoencoder) -> dict:
    """Returns how far the training of each stage had come; "fixed" in it says that latents have been made."""
    with safe_open(path, "pt") as file:
        model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})
        return json.loads(file.metadata()["training"])


def fixed_autoencoder(work: Path) -> tuple[Autoencoder, dict]:
    """The autoencoder whose encoder makes all latents, and how far its training has come.

    It is the average when it is first asked for, rounded to half precision and levelled.
    """
    model, path = Autoencoder(), work / "fixed.safetensors"
    if not path.exists():
        if (work / "autoencoder.pt").exists():
            facts = {"autoencoder": load_average(work / "autoencoder.pt", model)}
        else:
            facts = load_autoencoder(AUTOENCODER, model)
        if "fixed" not in facts:
            some = encoded(shards(work)[0][:256], model).flatten(0, 1)
            model.level(some.mean(dim=(0, 2, 3)), some.std(dim=(0, 2, 3)), DEVIATION)
        save_autoencoder(path, model, facts | {"fixed": True})
    return model, load_autoencoder(path, model)


def train_decoder(to: Sitting) -> None:
    """The decoder goes on with the encoder as it is."""
    (model, facts), stored = fixed_autoencoder(to.work), shards(to.work, to.device)
    model.to(to.device).encoder.requires_grad_(False)
    fit = Fit(to.work / "decoder.pt", model, rate=6e-4)
    if fit.step == 0 and "decoder" in facts:
        fit.begin_at(**facts["decoder"])

    def loss(step: int) -> torch.Tensor:
        x = some_crops(stored, to.batch)
        with torch.autocast(to.device.type, torch.bfloat16):
            z = model.encode(x)
            made = model.decode(z + 0.1 * torch.rand(len(z), 1, 1, 1, device=z.device) * torch.randn_like(z))
        return difference(made, x)

    fit.run(loss, to.batch, to.minutes, to.finish)


def train_denoiser(to: Sitting) -> None:
    """As version 2's (`demo_model/train.py`): x_0 is told from x_t with the weight min(max(SNR, 1/4), 20).

    One caption in eight is left empty, and half of the scenes are seen in a mirror.
    """
    device, batch = to.device, to.batch
    latents, tokens = load_latents(to.work).to(device), captions(SCENES).to(device)
    empty = networks.tokenize([""]).to(device)
    sigmas = networks.model_sampling().sigmas.to(device)
    denoiser = networks.Denoiser(vocabulary(), UNET)
    begun = load_denoiser(denoiser, CHECKPOINT)["unet"] if CHECKPOINT.exists() else borrow(denoiser)
    denoiser.vocabulary = denoiser.vocabulary.to(device)
    fit = Fit(to.work / "unet.pt", denoiser.to(device), rate=1e-3)
    if fit.step == 0:
        fit.begin_at(**begun)

    def loss(step: int) -> torch.Tensor:
        nonlocal latents
        if step % 100 == 0 and len(latents) < SCENES:  # they may still be in the making
            latents = load_latents(to.work).to(device)
        chosen = torch.randint(len(latents), (batch,), device=device)
        x_0 = latents[chosen, torch.randint(2, (batch,), device=device)].float()
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

    fit.run(loss, to.batch, to.minutes, to.finish)


def borrow(denoiser: networks.Denoiser) -> dict[str, float]:
    """Begins with the UNet and the text model of version 2, and with its rows for the words that both know.

    What is new in the UNet lets pass what comes from the level below.
    """
    unet, text = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
    words = "embeddings.token_embedding.weight"
    with safe_open(SMALL_MODEL, "pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}
    model = denoiser.text.transformer.text_model
    rows, own = state[text + words][denoiser.vocabulary], model.state_dict()[words]
    known = {name: state[text + name] for name in model.state_dict()}
    model.load_state_dict(known | {words: torch.where(rows.any(dim=1, keepdim=True), rows, own)})

    let_pass(denoiser.unet)
    for name, weight in denoiser.unet.state_dict().items():
        kind, _, rest = name.partition(".")
        if kind in BORROWED:
            block, _, rest = rest.partition(".")
            name = f"{kind}.{BORROWED[kind].get(int(block))}.{rest}"
        if unet + name in state:
            weight.copy_(state[unet + name])
    return {"step": 0, "seconds": 0.0, "pictures": 0}


@torch.no_grad()
def let_pass(unet: torch.nn.Module) -> None:
    """Every block passes on what it gets, or its mean, and nothing of what skips the levels below."""
    for module in unet.modules():
        kind = type(module).__name__
        if kind in ("ResBlock", "SpatialTransformer"):
            last = module.proj_out if kind == "SpatialTransformer" else module.out_layers[-1]
            last.weight.zero_()
            last.bias.zero_()
        if kind == "ResBlock" and isinstance(module.skip_connection, torch.nn.Conv2d):
            as_it_is(module.skip_connection, 1)
        elif kind == "Upsample":
            as_it_is(module.conv, 1)
        elif kind == "Downsample":
            as_it_is(module.op, 2)


def as_it_is(layer: torch.nn.Conv2d, size: int) -> None:
    """The first channels as they are, means over `size` x `size` cells."""
    layer.weight.zero_()
    layer.bias.zero_()
    middle = layer.kernel_size[0] // 2
    for channel in range(layer.out_channels):
        layer.weight[channel, channel, middle : middle + size, middle : middle + size] = 1 / size**2


def write_checkpoint(work: Path) -> None:
    """Writes the autoencoder, and once there is a UNet, a checkpoint for the host."""
    WEIGHTS.mkdir(exist_ok=True)
    model = Autoencoder()
    if (work / "fixed.safetensors").exists():
        model, facts = fixed_autoencoder(work)
    else:
        facts = {"autoencoder": load_average(work / "autoencoder.pt", model)}
    if (work / "decoder.pt").exists():
        facts["decoder"] = load_average(work / "decoder.pt", model)
    save_autoencoder(AUTOENCODER, model, facts)
    log.info("wrote %s: %s", AUTOENCODER.name, json.dumps(facts))
    if (work / "unet.pt").exists():
        denoiser = networks.Denoiser(vocabulary(), UNET)
        facts |= {"unet": load_average(work / "unet.pt", denoiser), "scenes": SCENES}
        export(model.widened(networks.LATENT_SCALE), denoiser, facts, CHECKPOINT)
        log.info("wrote %s, %.1f MB: %s", CHECKPOINT.name, CHECKPOINT.stat().st_size / 1e6, json.dumps(facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["draw", "autoencoder", "latents", "decoder", "unet", "export"])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--batch", type=int, help="pictures a step (4, or 32 for the UNet)")
    parser.add_argument("--processes", type=int, default=1, help="of `draw`")
    parser.add_argument("--finish", action="store_true", help="let the learning rate fall to zero over the minutes")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of pictures and checkpoints")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)  # the host has set one
    torch.set_num_threads(1)
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "draw":
        draw_shards(work, SCENES, arguments.processes)
    elif arguments.stage == "latents":
        encode_shards(work, fixed_autoencoder(work)[0].to(arguments.device))
    elif arguments.stage == "export":
        write_checkpoint(work)
    else:
        train = {"autoencoder": train_autoencoder, "decoder": train_decoder, "unet": train_denoiser}[arguments.stage]
        batch = arguments.batch or (32 if arguments.stage == "unet" else 4)
        train(Sitting(work, arguments.device, batch, arguments.minutes, arguments.finish))
