"""The checkpoint that is measured, through the host's stock loaders, and the pictures that it paints in."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from comfyui_host import in_process, install

from . import HOST

OLDEST_HOST = (0, 3, 75)
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class BadInput(Exception):
    """Something on the command line cannot be used: "input X: found A, wanted B"."""


@dataclass
class Subject:
    """MODEL, CLIP and VAE, with what is to be said of them.

    Attributes:
        name: for headings and folders.
        files: every file that was loaded, by what it is.
        notes: what a reader of the results has to know.
    """

    name: str
    model: Any
    clip: Any
    vae: Any
    files: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def is_flow(self) -> bool:
        sampling = self.model.get_model_object("model_sampling")
        return float(sampling.noise_scaling(sampling.sigma_max, torch.zeros(1), torch.ones(1))) < 0.01

    @property
    def cell(self) -> int:
        """Pixels a side of a latent cell."""
        return int(self.vae.spacial_compression_decode())

    def empty(self, size: int) -> dict[str, Tensor]:
        """The LATENT of an empty picture of size x size pixels."""
        format_ = self.model.get_model_object("latent_format")
        frames = [1] * (format_.latent_dimensions - 2)
        return {"samples": torch.zeros(1, format_.latent_channels, *frames, size // self.cell, size // self.cell)}

    def prompt(self, text: str) -> list:
        return HOST.nodes.CLIPTextEncode().encode(self.clip, text)[0]

    def encode(self, picture: Tensor) -> Tensor:
        """(H, W, 3) to a latent of one picture."""
        return HOST.nodes.VAEEncode().encode(self.vae, picture[None])[0]["samples"]

    def decode(self, latent: Tensor) -> Tensor:
        """A latent of one picture to (H, W, 3)."""
        return HOST.nodes.VAEDecode().decode(self.vae, {"samples": latent})[0][0, ..., :3].cpu().float()


def load(options: argparse.Namespace) -> Subject:
    """Through CheckpointLoaderSimple, or UNETLoader, the loader for so many text encoders, and VAELoader.

    Raises:
        BadInput: if a file is not among the host's, or no VAE or text encoder comes with it.
    """
    tree = install.find_host().tree
    check_host(tree)
    in_process.add_models(HOST, tree / "models")
    for folder in options.models:
        in_process.add_models(HOST, Path(folder))
    if (tree / "extra_model_paths.yaml").is_file():
        from utils.extra_config import load_extra_path_config

        load_extra_path_config(str(tree / "extra_model_paths.yaml"))
    nodes, clip, vae = HOST.nodes, None, None
    name = options.checkpoint or options.unet or HOST.demo_checkpoint
    if options.unet:
        known("diffusion_models", "unet", options.unet)
        dtypes = nodes.UNETLoader.INPUT_TYPES()["required"]["weight_dtype"][0]
        known("", "weight-dtype", options.weight_dtype, dtypes)
        load_unet = nodes.UNETLoader().load_unet
        (model,) = _loaded("unet", options.unet, lambda: load_unet(options.unet, options.weight_dtype))
    else:
        known("checkpoints", "checkpoint", name)
        model, clip, vae = _loaded("checkpoint", name, lambda: nodes.CheckpointLoaderSimple().load_checkpoint(name))
    if options.vae:
        known("vae", "vae", options.vae, nodes.VAELoader.INPUT_TYPES()["required"]["vae_name"][0])
        (vae,) = _loaded("vae", options.vae, lambda: nodes.VAELoader().load_vae(options.vae))
    if options.clip:
        clip = load_clip(options.clip, options.clip_type)
    if vae is None or getattr(vae, "first_stage_model", None) is None:
        raise BadInput(f"input --vae: found none, and {name} holds none, wanted one of: {listed('vae')}")
    if clip is None:
        raise BadInput(f"input --clip: found none, and {name} holds none, wanted one of: {listed('text_encoders')}")
    files = {"model": name, "vae": options.vae, "clip": options.clip, "weight_dtype": options.weight_dtype}
    subject = Subject(re.sub(r"[^\w.-]+", "_", Path(name).stem), model, clip, vae, files)
    if getattr(model.model, "concat_keys", ()):
        subject.notes.append(
            "This is an inpainting checkpoint: every method shows it the kept part, so all of them start from more."
        )
    subject.notes += installed_pack(tree)
    return subject


def load_clip(names: list[str], kind: str | None) -> Any:
    """One to three text encoders by the loader for so many."""
    nodes = HOST.nodes
    for name in names:
        known("text_encoders", "clip", name)
    if len(names) == 3:
        from comfy_extras.nodes_sd3 import TripleCLIPLoader

        return _loaded("clip", names, lambda: TripleCLIPLoader.execute(*names))[0]
    loader = nodes.CLIPLoader if len(names) == 1 else nodes.DualCLIPLoader
    kinds = loader.INPUT_TYPES()["required"]["type"][0]
    if kind not in kinds:
        raise BadInput(f"input --clip-type: found {kind}, wanted one of: {', '.join(kinds)}")
    return _loaded("clip", names, lambda: loader().load_clip(*names, kind))[0]


def known(folder: str, name: str, wanted: str, names: list[str] | None = None) -> None:
    if wanted not in (names or HOST.folder_paths.get_filename_list(folder)):
        raise BadInput(f"input --{name}: found {wanted}, which this ComfyUI does not have, wanted one of: "
                       f"{listed(folder, names)}")  # fmt: skip


def listed(folder: str, names: list[str] | None = None) -> str:
    return ", ".join(names or HOST.folder_paths.get_filename_list(folder)) or f"(its {folder} folder is empty)"


def _loaded(name: str, wanted: Any, load: Callable[[], Any]) -> Any:
    """What a stock loader returns; whatever it raises is about the file, and is said so."""
    try:
        return load()
    except Exception as error:
        raise BadInput(f"input --{name}: found {wanted}, which ComfyUI cannot load: {error}") from error


def check_host(tree: Path) -> None:
    """Raises BadInput if the host is older than the pack needs."""
    text = (tree / "comfyui_version.py").read_text(encoding="utf-8") if (tree / "comfyui_version.py").exists() else ""
    found = re.search(r'"([\d.]+)', text)
    if not found or tuple(map(int, found[1].split("."))) < OLDEST_HOST:
        wanted = ".".join(map(str, OLDEST_HOST))
        raise BadInput(f"input COMFYUI_PATH: found ComfyUI {found[1] if found else 'of no version'}, wanted {wanted}"
                       " or newer")  # fmt: skip


def pack_version(folder: Path) -> str | None:
    """The version of Latent RePaint in a folder, if it is one."""
    path = folder / "pyproject.toml"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = re.search(r'^version = "(.*)"', text, re.M)
    return found[1] if found and re.search(r'^name = "latent-repaint"', text, re.M) else None


def installed_pack(tree: Path) -> list[str]:
    """What to say of the pack that the host has installed: measured is always the one that this program is part of."""
    ours = pack_version(in_process.ROOT)
    versions = [version for folder in sorted((tree / "custom_nodes").glob("*/")) if (version := pack_version(folder))]
    if os.environ.get("COMFYUI_PATH") and not versions:
        return [f"This ComfyUI has no Latent RePaint installed. Measured is {ours}, which this program is part of."]
    return [f"This ComfyUI has Latent RePaint {version} installed. Measured is {ours}, which this program is part of."
            for version in versions if version != ours]  # fmt: skip


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
