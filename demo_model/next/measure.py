"""What the next demo model is worth so far, on scenes it was never trained on, through the host's stock nodes alone.

python demo_model/next measure                    prints the figures, and draws samples.png
python demo_model/next measure --scenes 8 --checkpoint FILE --sheet FILE
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from comfyui_host import in_process

from ..measure import denoising_losses, prompts, reconstruction_psnr
from .scenes import HELD_OUT, draw

HERE = Path(__file__).parent
CHECKPOINT = HERE / "weights" / "latent-repaint-demo-next.safetensors"
SIDE, TILE = 256, 192  # pixels of a picture, and of it on the sheet
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


def sheet(model, clip, vae) -> Image.Image:
    """Held-out scenes above their reconstructions, then two samples of each of `PROMPTS`, in few colours."""
    originals = held_out(len(PROMPTS))[0]
    rows = [originals, vae.decode(vae.encode(originals)), *(sample(model, clip, vae, list(PROMPTS), s) for s in (0, 1))]
    pixels = torch.cat([torch.cat(list(row), dim=1) for row in rows]).clamp(0, 1)
    picture = Image.fromarray((255 * pixels).round().byte().numpy())
    picture = picture.resize((len(PROMPTS) * TILE, len(rows) * TILE), Image.Resampling.LANCZOS)
    return picture.quantize(256, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--sheet", type=Path, default=HERE / "samples.png")
    parser.add_argument("--scenes", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    host = in_process.start()
    host.folder_paths.add_model_folder_path("checkpoints", str(arguments.checkpoint.parent.resolve()))
    with torch.inference_mode():
        model, clip, vae = host.nodes.CheckpointLoaderSimple().load_checkpoint(arguments.checkpoint.name)
        images, captions = held_out(arguments.scenes)
        psnr = reconstruction_psnr(vae, images)
        print(f"PSNR of {len(images)} held-out scenes: {psnr.mean():.2f} dB, least {psnr.min():.2f} dB")
        for level, losses in denoising_losses(model, clip, vae, images, captions).items():
            print(f"t = {level}:", ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items()))
        sheet(model, clip, vae).save(arguments.sheet, optimize=True)
    print(arguments.sheet)
