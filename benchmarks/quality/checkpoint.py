"""The checkpoint that is measured, through the host's stock loaders, and the pictures that it paints in."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from comfyui_host import in_process, install

from ..host import HOST
from .scenes import pixels_of_a_cell

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class BadInput(Exception):
    """Something on the command line cannot be used: "input X: found A, wanted B"."""


@dataclass
class Checkpoint:
    """MODEL, CLIP and VAE, with what is to be said of them.

    Attributes:
        files: every file that was loaded, by what it is.
        notes: what a reader of the results has to know.
    """

    model: Any
    clip: Any
    vae: Any
    files: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For folders."""
        return re.sub(r"[^\w.-]+", "_", Path(self.files["model"]).stem)

    @property
    def is_demo(self) -> bool:
        return self.files["model"] == install.SMALL_MODEL.name

    @property
    def is_flow(self) -> bool:
        sampling = self.model.get_model_object("model_sampling")
        return float(sampling.noise_scaling(sampling.sigma_max, torch.zeros(1), torch.ones(1))) < 0.01

    @property
    def is_distilled(self) -> bool:
        """Whether guidance is an input of the network, as in Flux dev, so that cfg is 1."""
        return bool(self.model.model.model_config.unet_config.get("guidance_embed"))

    def checked_size(self, size: int) -> int:
        """Rounded down to whole patches of the network; at least eight cells, so that masks have two parts."""
        step = 2 * pixels_of_a_cell(self.vae)
        if size < 4 * step:
            raise BadInput(f"input --size: found {size}, wanted at least {4 * step} for this VAE")
        if size % step:
            self.notes.append(f"--size {size} was rounded down to {size // step * step}.")
        return size // step * step

    def empty(self, size: int) -> dict[str, Tensor]:
        """The LATENT of an empty picture of size x size pixels."""
        format_ = self.model.get_model_object("latent_format")
        frames, side = [1] * (format_.latent_dimensions - 2), size // pixels_of_a_cell(self.vae)
        return {"samples": torch.zeros(1, format_.latent_channels, *frames, side, side)}

    def prompts(self, text: str) -> tuple[list, list]:
        """The conditioning of a text, and of none."""
        encode = HOST.nodes.CLIPTextEncode().encode
        return encode(self.clip, text)[0], encode(self.clip, "")[0]


def load(options: argparse.Namespace) -> Checkpoint:
    """Through CheckpointLoaderSimple, or UNETLoader, the loader for so many text encoders, and VAELoader.

    Raises:
        BadInput: if a file is not among the host's, or no VAE or text encoder comes with it.
    """
    tree = install.find_host().tree
    for folder in (tree / "models", *map(Path, options.models)):
        in_process.add_models(HOST, folder)
    if (tree / "extra_model_paths.yaml").is_file():
        from utils.extra_config import load_extra_path_config

        load_extra_path_config(str(tree / "extra_model_paths.yaml"))
    nodes, files_in, clip, vae = HOST.nodes, HOST.folder_paths.get_filename_list, None, None
    vaes = nodes.VAELoader.INPUT_TYPES()["required"]["vae_name"][0]
    name = options.checkpoint or options.unet or install.SMALL_MODEL.name
    if options.unet:
        (model,) = loaded("unet", [name], files_in("diffusion_models"),
                          lambda: nodes.UNETLoader().load_unet(name, options.weight_dtype))  # fmt: skip
    else:
        model, clip, vae = loaded("checkpoint", [name], files_in("checkpoints"),
                                  lambda: nodes.CheckpointLoaderSimple().load_checkpoint(name))  # fmt: skip
    if options.vae:
        (vae,) = loaded("vae", [options.vae], vaes, lambda: nodes.VAELoader().load_vae(options.vae))
    if options.clip:
        (clip,) = loaded("clip", options.clip, files_in("text_encoders"),
                         lambda: load_clip(options.clip, options.clip_type))  # fmt: skip
    if vae is None or getattr(vae, "first_stage_model", None) is None:
        raise BadInput(f"input --vae: found none, and {name} holds none, wanted one of: {', '.join(vaes)}")
    if clip is None:
        texts = ", ".join(files_in("text_encoders")) or "(its text_encoders folder is empty)"
        raise BadInput(f"input --clip: found none, and {name} holds none, wanted one of: {texts}")
    files = {"model": name, "vae": options.vae, "clip": options.clip, "weight_dtype": options.weight_dtype}
    checkpoint = Checkpoint(model, clip, vae, files)
    if getattr(model.model, "concat_keys", ()):
        checkpoint.notes.append(
            "This is an inpainting checkpoint: every method shows it the kept part, so all of them start from more."
        )
    return checkpoint


def load_clip(names: list[str], kind: str | None) -> Any:
    """One, two or three text encoders by the loader for so many."""
    if len(names) == 3:
        from comfy_extras.nodes_sd3 import TripleCLIPLoader

        return TripleCLIPLoader.execute(*names)
    loader = HOST.nodes.CLIPLoader if len(names) == 1 else HOST.nodes.DualCLIPLoader
    kinds = loader.INPUT_TYPES()["required"]["type"][0]
    if kind not in kinds:
        raise BadInput(f"input --clip-type: found {kind}, wanted one of: {', '.join(kinds)}")
    return loader().load_clip(*names, kind)


def loaded(option: str, names: list[str], offered: Sequence[str], load: Callable[[], Any]) -> Any:
    """What a stock loader returns; whatever it raises is about the files, and is said so."""
    for name in names:
        if name not in offered:
            raise BadInput(f"input --{option}: found {name}, which this ComfyUI does not have, wanted one of: "
                           f"{', '.join(offered) or '(its folder is empty)'}")  # fmt: skip
    try:
        return load()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"input --{option}: found {', '.join(names)}, which ComfyUI cannot load: {error}") from error


def pictures_of(folder: Path, count: int, size: int) -> tuple[list[Tensor], list[str]]:
    """The first `count` pictures by name, cut to a square and scaled, and what was wrong with others.

    Raises:
        BadInput: if none can be read.
    """
    pictures, notes = [], []
    if not folder.is_dir():
        raise BadInput(f"input --pictures: found {folder}, wanted a folder")
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        if len(pictures) == count:
            break
        try:
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            notes.append(f"{path.name} was left out: {type(error).__name__}.")
            continue
        fitted = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
        pictures.append(torch.from_numpy(np.asarray(fitted, np.float32) / 255))
    if not pictures:
        kinds = ", ".join(sorted(SUFFIXES))
        raise BadInput(f"input --pictures: found no readable picture in {folder}, wanted some of {kinds}")
    return pictures, notes


def prompts_of(path: Path) -> list[str]:
    """A prompt a line."""
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeError) as error:
        raise BadInput(f"input --prompts: found {path}, which cannot be read ({error}), wanted a text file") from error
    if not found:
        raise BadInput(f"input --prompts: found {path} empty, wanted a prompt a line")
    return found
