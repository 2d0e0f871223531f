"""What the small model is worth, measured on scenes it was never trained on, through the host's stock nodes alone.

python demo_model measure      prints the figures of demo_model/README.md and draws demo_model/samples.png
"""

import numpy as np
import torch
from PIL import Image

from comfyui_host import in_process, install

from .scenes import HELD_OUT, draw

LEVELS = (50, 250, 500, 750, 950)
"""Time steps, out of 1000, at which the denoising loss is measured."""
PROMPTS = (
    "day, sun, green hills, snowy mountains",
    "sunset, yellow field, pine trees, sun",
    "night, moon, snow, mountains",
    "dawn, lake, mountains, clouds",
    "day, green hills, red house, round trees",
    "day, snow, blue house, pine trees",
    "night, lake, snowy mountains, moon",
    "sunset, lake, mountains, sun",
    "dawn, yellow field, white house",
    "day, autumn trees, lake, green hills",
    "night, red house, green hills, moon",
    "",
)


def held_out(count: int) -> tuple[torch.Tensor, list[str]]:
    """Images (count, 128, 128, 3) in [0, 1] and their captions."""
    scenes = [draw(HELD_OUT + i) for i in range(count)]
    return torch.from_numpy(np.stack([scene.image for scene in scenes])), [scene.caption for scene in scenes]


def reconstruction_psnr(vae, images: torch.Tensor) -> torch.Tensor:
    """-10 log10 mean((decode(encode(x)) - x)^2), in dB, for each image: (B,)."""
    error = vae.decode(vae.encode(images)) - images
    return -10 * error.square().mean(dim=(1, 2, 3)).log10()


def denoising_losses(model, clip, vae, images: torch.Tensor, captions: list[str]) -> dict[int, dict[str, float]]:
    """The mean squared error of the predicted noise eps = (x_t - x0(x_t)) / sigma, at each of `LEVELS`.

    Returns:
        For each level the loss with the caption, with the empty caption, and of predicting the mean latent.
    """
    host = in_process.start()
    latent = model.model.process_latent_in(vae.encode(images))
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    positive, negative = prompts(clip, captions)
    contexts = {"captioned": positive[0][0], "unconditional": negative[0][0].expand(len(captions), -1, -1)}
    host.comfy.model_management.load_models_gpu([model])
    device = model.load_device
    losses = {}
    for level in LEVELS:
        sigma = model.model.model_sampling.sigmas[level].cpu()
        x_t = latent + sigma * noise
        losses[level] = {}
        for name, context in contexts.items():
            denoised = model.model.apply_model(
                x_t.to(device), sigma.expand(len(x_t)).to(device), c_crossattn=context.to(device)
            ).cpu()
            losses[level][name] = ((x_t - denoised) / sigma - noise).square().mean().item()
        mean = latent.mean(dim=0, keepdim=True)
        losses[level]["mean"] = ((x_t - mean) / sigma - noise).square().mean().item()
    return losses


def prompts(clip, captions: list[str]) -> tuple[list, list]:
    """Positive and negative conditioning of a batch: a caption for each picture, and an empty negative prompt."""
    encode = in_process.start().nodes.CLIPTextEncode().encode
    return [[torch.cat([encode(clip, caption)[0][0][0] for caption in captions]), {}]], encode(clip, "")[0]


def sample(model, clip, vae, captions: list[str], seed: int) -> torch.Tensor:
    """A picture for each caption, (B, 128, 128, 3), by the host's KSampler: dpmpp_2m, karras, 20 steps, CFG 4."""
    nodes = in_process.start().nodes
    empty = nodes.EmptyLatentImage().generate(128, 128, len(captions))[0]
    settings = seed, 20, 4.0, "dpmpp_2m", "karras", *prompts(clip, captions), empty
    return nodes.VAEDecode().decode(vae, nodes.KSampler().sample(model, *settings)[0])[0]


def sheet(model, clip, vae) -> np.ndarray:
    """Held-out scenes above their reconstructions, then two samples of each of `PROMPTS`: uint8 (512, 1536, 3)."""
    originals = held_out(len(PROMPTS))[0]
    rows = [originals, vae.decode(vae.encode(originals))]
    for seed in (0, 1):
        rows.append(torch.cat([sample(model, clip, vae, [prompt], seed) for prompt in PROMPTS]))
    pixels = torch.cat([torch.cat(list(row), dim=1) for row in rows])
    return (255 * pixels.clamp(0, 1)).round().byte().numpy()


def main() -> None:
    host = in_process.start()
    with torch.inference_mode():
        model, clip, vae = host.nodes.CheckpointLoaderSimple().load_checkpoint(install.SMALL_MODEL.name)
        images, captions = held_out(64)
        psnr = reconstruction_psnr(vae, images)
        print(f"PSNR of 64 held-out scenes: {psnr.mean():.2f} dB, least {psnr.min():.2f} dB")
        for level, losses in denoising_losses(model, clip, vae, images, captions).items():
            print(f"t = {level}:", ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items()))
        Image.fromarray(sheet(model, clip, vae)).save(in_process.ROOT / "demo_model" / "samples.png", optimize=True)
