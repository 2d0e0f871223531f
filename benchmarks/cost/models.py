"""The models that are timed: the small model, and networks of full size with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from comfyui_host.install import SMALL_MODEL

from ..host import HOST

SHAPES: dict[str, dict[str, Any]] = {  # as the host finds them in the checkpoints
    "sd15": {
        "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 4, 4], "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "transformer_depth_middle": 1,
        "context_dim": 768, "num_heads": 8, "use_spatial_transformer": True, "use_linear_in_transformer": False,
        "adm_in_channels": None, "use_temporal_attention": False, "legacy": False,
    },
    "sdxl": {
        "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10,
        "context_dim": 2048, "num_head_channels": 64, "num_heads": -1, "use_spatial_transformer": True,
        "use_linear_in_transformer": True, "adm_in_channels": 2816, "num_classes": "sequential",
        "use_temporal_attention": False, "legacy": False,
    },
    "flux": {
        "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 4096,
        "hidden_size": 3072, "mlp_ratio": 4.0, "num_heads": 24, "depth": 19, "depth_single_blocks": 38,
        "axes_dim": [16, 56, 56], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True,
    },
    "wan": {  # 2.1, 1.3B
        "image_model": "wan2.1", "model_type": "t2v", "dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30,
    },
}  # fmt: skip
CONTEXT = {"sd15": (77, 768, 768), "sdxl": (77, 2048, 1280), "flux": (256, 4096, 768), "wan": (512, 4096, 768)}
LATENTS = {"sd15": (1, 4, 64, 64), "sdxl": (1, 4, 128, 128), "flux": (1, 16, 128, 128), "wan": (1, 16, 21, 60, 104)}


class Instant(torch.nn.Module):
    """A network that answers at once, so that what remains is the samplers' own work."""

    dtype = torch.float32

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return 0.9 * x


def load(name: str, dtype: torch.dtype = torch.float32) -> tuple[Any, list, list]:
    """The host's MODEL with a positive and a negative conditioning for it.

    Arguments:
        name: of SHAPES, or small, or instant.
        dtype: of the weights of a full-size model.
    """
    if name == "small":
        model, clip, _ = HOST.nodes.CheckpointLoaderSimple().load_checkpoint(SMALL_MODEL.name)
        positive, negative = (HOST.nodes.CLIPTextEncode().encode(clip, text)[0] for text in ("day, lake, house", ""))
        return model, positive, negative
    comfy, shape = HOST.comfy, "sd15" if name == "instant" else name
    families = comfy.supported_models
    family = {"sd15": families.SD15, "sdxl": families.SDXL, "flux": families.Flux, "wan": families.WAN21_T2V}[shape]
    config = family({**SHAPES[shape], "dtype": dtype})
    if name == "instant":
        config.unet_config["disable_unet_model_creation"] = True
    device = comfy.model_management.get_torch_device()
    network = config.get_model({}, device=device)
    if name == "instant":
        network.diffusion_model = Instant()
    for weight in network.diffusion_model.parameters():  # the host leaves them as it found the memory
        torch.nn.init.normal_(weight, std=0.02)
    patcher = comfy.model_patcher.ModelPatcher(network, load_device=device, offload_device=torch.device("cpu"))
    length, width, pooled = CONTEXT[shape]
    tokens = torch.randn(2, 1, length, width, generator=torch.Generator().manual_seed(0))
    positive, negative = ([[text, {"pooled_output": torch.zeros(1, pooled)}]] for text in tokens)
    return patcher, positive, negative
