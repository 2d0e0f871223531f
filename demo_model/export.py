"""Puts the trained networks into one SD-1.x checkpoint file, which the host's stock loaders read."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from . import networks

DECODER = "first_stage_model.taesd_decoder."


def export(vae: torch.nn.Module, denoiser: networks.Denoiser, facts: dict[str, object], path: Path) -> None:
    """Writes half-precision weights under the names that SD 1.x checkpoints have.

    Args:
        denoiser: with a vocabulary; the rows of all other tokens are zero, and cost nothing once compressed.
        facts: about the training, for the file's metadata.
    """
    parts = {
        "model.diffusion_model.": denoiser.unet,
        "first_stage_model.": vae,
        "cond_stage_model.transformer.text_model.": denoiser.text.transformer.text_model,
    }
    state = {
        prefix + name: weight.detach().half().contiguous()
        for prefix, network in parts.items()
        for name, weight in network.state_dict().items()
    }
    name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    rows = state[name]
    state[name] = rows.new_zeros(networks.VOCABULARY_SIZE, rows.shape[1]).index_copy(0, denoiser.vocabulary, rows)
    state["cond_stage_model.logit_scale"] = torch.tensor(4.6055)  # CLIP's own; tells the host that this is a CLIP
    state["first_stage_model.vae_scale"] = vae.vae_scale.detach().clone()  # in full: rounding scales all latents
    path.parent.mkdir(exist_ok=True)
    metadata = {"format": "pt", "modelspec.title": "Latent RePaint demo", "training": json.dumps(facts)}
    save_file(state, path, metadata=metadata)


def load_decoder(decoder: torch.nn.Module, path: Path) -> None:
    """Loads the decoder that a checkpoint file holds."""
    with safe_open(path, "pt") as file:
        decoder.load_state_dict({name: file.get_tensor(DECODER + name) for name in decoder.state_dict()})


def load_denoiser(denoiser: networks.Denoiser, path: Path) -> dict[str, dict[str, float]]:
    """Loads the UNet and the text model that a checkpoint file holds, of its vocabulary's rows.

    Returns:
        What `export` was told of the training.
    """
    unet, text = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
    words = "embeddings.token_embedding.weight"
    with safe_open(path, "pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys() if name.startswith((unet, text))}
        facts = json.loads(file.metadata()["training"])
    denoiser.unet.load_state_dict({k.removeprefix(unet): v for k, v in state.items() if k.startswith(unet)})
    model = {k.removeprefix(text): v for k, v in state.items() if k.startswith(text)}
    denoiser.text.transformer.text_model.load_state_dict(model | {words: model[words][denoiser.vocabulary]})
    return facts


def replace_decoder(decoder: torch.nn.Module, facts: dict[str, object], path: Path) -> None:
    """Puts a decoder in the place of a checkpoint file's; every other weight stays bit for bit."""
    with safe_open(path, "pt") as file:
        state, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    state |= {DECODER + name: weight.half().contiguous() for name, weight in decoder.state_dict().items()}
    metadata["training"] = json.dumps(json.loads(metadata["training"]) | facts)
    save_file(state, path.with_suffix(".new"), metadata=metadata)  # the tensors may still lie in the old file
    path.with_suffix(".new").replace(path)
