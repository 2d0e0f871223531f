"""What the demo's model is worth so far, on scenes it was never trained on.

python demo_model/next measure     prints the figures, and draws samples.png; the UNet's only if there is one
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from comfyui_host import in_process

from ..measure import denoising_losses, prompts
from .autoencoder import Autoencoder
from .scenes import HELD_OUT, draw
from .train import AUTOENCODER, CHECKPOINT, load_autoencoder

HERE = Path(__file__).parent
SIDE, TILE = 256, 128  # pixels of a picture, and of it on the sheet
PROMPTS = (
    "day, sun, green hills, red house, path",
    "sunset, lake, boat, mountains, sun",
    "night, moon, snow, pine trees, blue cottage",
    "dawn, yellow field, white chapel, autumn trees",
    "day, snow, snowy mountains, clouds, fence",
    "day, green hills, round trees, lake, white cottage",
    "dawn, fog, mountains, birds, sun",
    "night, lake, red house, moon, snowy mountains",
)


def held_out(count: int) -> tuple[torch.Tensor, list[str]]:
    """Images (count, 256, 256, 3) in [0, 1] and their captions."""
    scenes = [draw(HELD_OUT + i) for i in range(count)]
    return torch.from_numpy(np.stack([scene.image for scene in scenes])), [scene.caption for scene in scenes]


def sample(model, clip, vae, captions: list[str], seed: int) -> torch.Tensor:
    """A picture for each caption, (B, 256, 256, 3), by the host's KSampler: dpmpp_2m, karras, 20 steps, CFG 4."""
    nodes = in_process.start().nodes
    empty = nodes.EmptyLatentImage().generate(SIDE, SIDE, len(captions))[0]
    settings = seed, 20, 4.0, "dpmpp_2m", "karras", *prompts(clip, captions), empty
    return nodes.VAEDecode().decode(vae, nodes.KSampler().sample(model, *settings)[0])[0]


@torch.inference_mode()
def reconstructed(images: torch.Tensor) -> torch.Tensor:
    """(B, 256, 256, 3) -> the same through encoder and decoder."""
    autoencoder = Autoencoder()
    load_autoencoder(AUTOENCODER, autoencoder)
    made = [autoencoder.decode(autoencoder.encode(image.permute(2, 0, 1)[None])) for image in images]
    return torch.cat(made).permute(0, 2, 3, 1).clamp(0, 1)


@torch.inference_mode()
def preview_colours(images: torch.Tensor) -> torch.Tensor:
    """The host's latent_rgb_factors, (4, 3), and below them its latent_rgb_factors_bias.

    They are those of the least squares between the latents of pictures and the means of their blocks, in [-1, 1].
    """
    autoencoder = Autoencoder()
    load_autoencoder(AUTOENCODER, autoencoder)
    latents = torch.cat([autoencoder.encode(image.permute(2, 0, 1)[None]) for image in images])
    blocks = torch.nn.functional.avg_pool2d(2 * images.permute(0, 3, 1, 2) - 1, 8)
    known = torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1)
    pairs = (values.movedim(1, -1).flatten(0, 2) for values in (known, blocks))
    return torch.linalg.lstsq(*pairs).solution


def save_sheet(rows: list[torch.Tensor], path: Path) -> None:
    """Rows of pictures, drawn small, so that the file is."""
    pixels = torch.cat([torch.cat(list(row), dim=1) for row in rows]).clamp(0, 1)
    picture = Image.fromarray((255 * pixels).round().byte().numpy())
    picture.resize((len(rows[0]) * TILE, len(rows) * TILE), Image.Resampling.LANCZOS).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, default=HERE / "samples.png")
    parser.add_argument("--scenes", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images, captions = held_out(arguments.scenes)
    made = reconstructed(images)
    psnr = -10 * (made - images).square().mean(dim=(1, 2, 3)).log10()
    print(f"PSNR of {len(images)} held-out scenes: {psnr.mean():.2f} dB, least {psnr.min():.2f} dB")
    *factors, bias = (" ".join(f"{value:.3f}" for value in row) for row in preview_colours(images).tolist())
    print("latent_rgb_factors:", *factors, "and their bias:", bias, sep="\n    ")
    rows = [images[: len(PROMPTS)], made[: len(PROMPTS)]]
    if CHECKPOINT.exists():
        host = in_process.start()
        host.folder_paths.add_model_folder_path("checkpoints", str(CHECKPOINT.parent))
        with torch.inference_mode():
            model, clip, vae = host.nodes.CheckpointLoaderSimple().load_checkpoint(CHECKPOINT.name)
            for level, losses in denoising_losses(model, clip, vae, images, captions).items():
                print(f"t = {level}:", ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items()))
            rows += [sample(model, clip, vae, list(PROMPTS), seed) for seed in (0, 1)]
    save_sheet(rows, arguments.sheet)
    print(arguments.sheet)
