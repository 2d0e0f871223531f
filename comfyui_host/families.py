"""A tiny model of every family, each made as the host makes the big one, with a latent and a mask that fit it.

    family = FAMILIES["sd3"]()
    family.model, family.latent(), family.mask(), family.prompts()

The families of one network differ in their ModelSampling node. The others are real networks, one layer deep: a state
dict with the keys and the fewest channels of the checkpoint, through the host's own detection and loading. Cosmos
cannot be detected so small: its network is built by hand, in the host's own model class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.ops
import torch
from comfy.ldm.hunyuan_video.model import HunyuanVideo, HunyuanVideoParams
from comfy.ldm.lightricks.model import LTXVModel
from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT
from comfy.ldm.wan.model import WanModel
from torch import Tensor

from .tiny import CONTEXT_WIDTH, conditioning, fill, host, patcher, tiny_model

IMAGE, VIDEO = (1, 4, 8, 8), (1, 16, 3, 8, 8)
T5_WIDTH = 4096  # what the loader takes for granted, where it does not read it off the weights


@dataclass(frozen=True)
class Family:
    """What one run of a family needs.

    Attributes:
        model: MODEL.
        shape: of its latents.
        width: of its text tokens.
        extra: what its conditioning carries besides tokens.
    """

    model: Any
    shape: tuple[int, ...] = IMAGE
    width: int = CONTEXT_WIDTH
    extra: dict[str, Any] = field(default_factory=dict)

    def latent(self) -> Tensor:
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(7))

    def mask(self) -> Tensor:
        """A rectangle to regenerate, in every frame, (1, 1, [T,] h, w)."""
        mask = torch.zeros(1, 1, *self.shape[2:])
        mask[..., 1:3, 2:6] = 1
        return mask

    def prompts(self) -> tuple[list[Any], list[Any]]:
        """Positive and negative conditioning."""
        positive, negative = (
            [[t, {**c, **self.extra}] for t, c in conditioning(seed, width=self.width)] for seed in (1, 2)
        )
        return positive, negative


def _sampled_as(node: str, *arguments: Any) -> Callable[[], Family]:
    """The tiny UNet behind one of the host's ModelSampling nodes, its arguments in their order."""

    def build() -> Family:
        patch = host.model_advanced.NODE_CLASS_MAPPINGS[node]
        return Family(getattr(patch(), patch.FUNCTION)(tiny_model(), *arguments)[0])

    return build


def _loaded(network: torch.nn.Module, shape: tuple[int, ...], width: int = CONTEXT_WIDTH, **extra: Any) -> Family:
    """A network through the host's loader, which reads family and size off its weights."""
    fill(network)
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    return Family(host.comfy.sd.load_diffusion_model_state_dict(weights, {"dtype": torch.float32}), shape, width, extra)


def _built(base_model: type, config: Any, shape: tuple[int, ...], width: int) -> Family:
    """A network in the host's own model class, past the detection."""
    config.unet_config["dtype"] = torch.float32
    network = base_model(config)
    fill(network.diffusion_model)
    return Family(patcher(network), shape, width)


def _small(network: Callable[..., torch.nn.Module], **sizes: Any) -> torch.nn.Module:
    return network(**sizes, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)


def sd3_network(context: int = CONTEXT_WIDTH, pooled: int = CONTEXT_WIDTH, side: int = 8) -> torch.nn.Module:
    """SD 3's network, one block deep.

    Arguments:
        context, pooled: Widths of what its text encoders give.
        side: Patches along the side of the largest picture.
    """
    embedder = {"target": "torch.nn.Linear", "params": {"in_features": context, "out_features": 64}}
    network: Any = _small(
        MMDiT, input_size=None, in_channels=16, depth=1, adm_in_channels=pooled, context_embedder_config=embedder,
        num_patches=side**2, pos_embed_max_size=side,
    )  # fmt: skip
    network.pos_embed.normal_(generator=torch.Generator().manual_seed(1))  # a buffer: not filled
    return network


def _wan(channels: int, frames: int = 3) -> Callable[[], Family]:
    def build() -> Family:
        sizes = dict(in_dim=channels, out_dim=channels, dim=128, ffn_dim=64, num_heads=1, num_layers=1)
        return _loaded(_small(WanModel, freq_dim=256, **sizes), (1, channels, frames, 8, 8), T5_WIDTH)

    return build


def _hunyuan_video() -> Family:
    newer = {"meanflow_sum": False} if "meanflow_sum" in HunyuanVideoParams.__annotations__ else {}
    return _loaded(_small(
        HunyuanVideo, in_channels=16, out_channels=16, vec_in_dim=768, context_in_dim=CONTEXT_WIDTH, hidden_size=128,
        mlp_ratio=4.0, num_heads=1, depth=1, depth_single_blocks=1, axes_dim=[16, 56, 56], theta=256,
        patch_size=[1, 2, 2], qkv_bias=True, guidance_embed=True, byt5=False, meanflow=False,
        use_cond_type_embedding=False, vision_in_dim=None, **newer,
    ), VIDEO, pooled_output=torch.ones(1, 768))  # fmt: skip


def _ltxv() -> Family:
    sizes = dict(in_channels=128, cross_attention_dim=128, attention_head_dim=4, num_layers=1)
    attention_mask = torch.ones(1, 8, dtype=torch.long)
    return _loaded(_small(LTXVModel, **sizes), (1, 128, 3, 4, 4), T5_WIDTH, attention_mask=attention_mask)


COSMOS = {
    "max_img_h": 240, "max_img_w": 240, "max_frames": 128, "in_channels": 16, "out_channels": 16, "patch_spatial": 2,
    "patch_temporal": 1, "model_channels": 64, "num_blocks": 1, "num_heads": 1, "pos_emb_cls": "rope3d",
    "crossattn_emb_channels": CONTEXT_WIDTH, "use_adaln_lora": True, "adaln_lora_dim": 16,
}  # fmt: skip
"""What both Cosmos networks have."""


def _cosmos_predict2() -> Family:
    own = {"image_model": "cosmos_predict2", "extra_per_block_abs_pos_emb": False}
    config = host.comfy.supported_models.CosmosT2IPredict2(COSMOS | own)
    return _built(host.comfy.model_base.CosmosPredict2, config, VIDEO, CONTEXT_WIDTH)


def _cosmos() -> Family:
    config = host.comfy.supported_models.CosmosT2V(COSMOS | {
        "image_model": "cosmos", "block_config": "FA-CA-MLP", "block_x_format": "THWBD", "affline_emb_norm": True,
        "extra_per_block_abs_pos_emb": True, "extra_per_block_abs_pos_emb_type": "learnable",
    })  # fmt: skip
    return _built(host.comfy.model_base.CosmosVideo, config, VIDEO, CONTEXT_WIDTH)


def _instruct_pix2pix() -> Family:
    picture = torch.randn(IMAGE, generator=torch.Generator().manual_seed(11))
    return Family(tiny_model(in_channels=8), extra={"concat_latent_image": picture})


FAMILIES: dict[str, Callable[[], Family]] = {
    "eps": _sampled_as("ModelSamplingDiscrete", "eps", False),
    "v": _sampled_as("ModelSamplingDiscrete", "v_prediction", False),
    "v zsnr": _sampled_as("ModelSamplingDiscrete", "v_prediction", True),
    "x0": _sampled_as("ModelSamplingDiscrete", "x0", False),
    "lcm": _sampled_as("ModelSamplingDiscrete", "lcm", False),
    "edm": _sampled_as("ModelSamplingContinuousEDM", "edm", 120.0, 0.002),
    "cosmos_rflow": _sampled_as("ModelSamplingContinuousEDM", "cosmos_rflow", 120.0, 0.002),
    "continuous v": _sampled_as("ModelSamplingContinuousV", "v_prediction", 500.0, 0.03),
    "cascade": _sampled_as("ModelSamplingStableCascade", 2.0),
    "sd3 sampling": _sampled_as("ModelSamplingSD3", 3.0),
    "auraflow": _sampled_as("ModelSamplingAuraFlow", 1.73),
    "flux": _sampled_as("ModelSamplingFlux", 1.15, 0.5, 1024, 1024),
    "inpainting unet": lambda: Family(tiny_model(in_channels=9)),
    "instructpix2pix": _instruct_pix2pix,
    "sd3": lambda: _loaded(sd3_network(), (1, 16, 8, 8)),
    "wan 2.1": _wan(16),
    "wan 2.2": _wan(48),
    "hunyuan video": _hunyuan_video,
    "ltxv": _ltxv,
    "cosmos": _cosmos,
    "cosmos predict2": _cosmos_predict2,
}
