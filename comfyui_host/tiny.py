"""A model small enough to sample with in milliseconds, and one call that samples with the host's own nodes.

    model = tiny_model("eps")                          # or "v", "flow"
    result = sample(model, sampler, sigmas(model, 10), {"samples": latent, "noise_mask": mask}, seed=1)
    result.samples, result.denoised, result.evaluations

Everything is the host's: UNet, BaseModel, ModelPatcher, guider, noise and SamplerCustomAdvanced. Only the weights are
ours: random, but seeded, and tamed by a skip connection, so that latents stay of order one with every parametrisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from . import in_process

host = in_process.start()

import comfy.model_management  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.model_base import IP2P, BaseModel  # noqa: E402

CONTEXT_WIDTH = 64


class TinyUNet(UNetModel):
    """SD 1.x's network, 32 channels wide and two levels deep, whose answer is mostly its input."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return 0.9 * x[:, : self.out_channels] + 0.1 * super().forward(x, *args, **kwargs)


class InstructPix2Pix(IP2P, BaseModel):
    """The host's SD15_instructpix2pix, which chooses its network itself."""

    process_ip2p_image_in = staticmethod(lambda image: image)


def tiny_model(prediction: str = "eps", in_channels: int = 4) -> Any:
    """A new MODEL that predicts noise ("eps"), velocity ("v") or a straight flow ("flow", as SD3 samples it).

    Of 9 channels it is an inpainting model (noise, mask, masked picture), of 8 an InstructPix2Pix (noise, picture).
    """
    config = host.comfy.supported_models.SD15({
        "image_size": 32, "in_channels": in_channels, "out_channels": 4, "model_channels": 32, "num_res_blocks": [1, 1],
        "channel_mult": [1, 2], "transformer_depth": [0, 0], "transformer_depth_output": [0, 0, 0, 0],
        "transformer_depth_middle": 1, "context_dim": CONTEXT_WIDTH, "use_spatial_transformer": True,
        "use_linear_in_transformer": False, "adm_in_channels": None, "use_temporal_attention": False, "legacy": False,
        "dtype": torch.float32,
    })  # fmt: skip
    base_model = InstructPix2Pix if in_channels == 8 else BaseModel
    network = base_model(config, device=comfy.model_management.get_torch_device(), unet_model=TinyUNet)
    if in_channels == 9:
        network.set_inpaint()
    fill(network.diffusion_model)
    model = patcher(network)
    if prediction == "v":
        return host.model_advanced.ModelSamplingDiscrete().patch(model, "v_prediction", zsnr=False)[0]
    if prediction == "flow":
        return host.model_advanced.ModelSamplingSD3().patch(model, shift=3.0)[0]
    return model


def patcher(network: Any) -> Any:
    """The MODEL of a host's BaseModel."""
    devices = {
        "load_device": comfy.model_management.get_torch_device(),
        "offload_device": comfy.model_management.unet_offload_device(),
    }
    return host.comfy.model_patcher.ModelPatcher(network, **devices)


def fill(network: torch.nn.Module) -> None:
    """Give every weight a value: the host's layers leave their memory as they found it, for a checkpoint to fill."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            value = torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5
        else:
            value = torch.full(weight.shape, 0.0 if name.endswith("bias") else 1.0)  # biases, and the scales of norms
        weight.data.copy_(value)


def conditioning(seed: int = 0, batch: int = 1, width: int = CONTEXT_WIDTH) -> list[Any]:
    """What CLIPTextEncode would return: eight random tokens, another prompt for another seed."""
    tokens = torch.randn(batch, 8, width, generator=torch.Generator().manual_seed(seed))
    return [[tokens, {"pooled_output": tokens.mean(1)}]]


def sigmas(model: Any, steps: int, scheduler: str = "normal", denoise: float = 1.0) -> torch.Tensor:
    """The host's BasicScheduler."""
    return host.custom_sampler.BasicScheduler.execute(model, scheduler, steps, denoise)[0]


def ksampler(name: str) -> Any:
    """The host's KSamplerSelect."""
    return host.custom_sampler.KSamplerSelect.execute(name)[0]


@dataclass(frozen=True)
class Sampled:
    """What SamplerCustomAdvanced returned, and how many model evaluations it took.

    Attributes:
        output: The LATENT of the first output.
        denoised: The samples of the second output, `denoised_output`.
        evaluations: Calls of the guider: with cfg, the two passes of one step count once.
    """

    output: dict[str, Any]
    denoised: torch.Tensor
    evaluations: int

    @property
    def samples(self) -> torch.Tensor:
        return self.output["samples"]


@torch.inference_mode()
def sample(
    model: Any, sampler: Any, sigmas: torch.Tensor, latent: dict[str, Any], seed: int | None = 0, cfg: float = 1.0
) -> Sampled:
    """Run SamplerCustomAdvanced with a CFGGuider; a seed of None stands for the node DisableNoise."""
    evaluations = 0

    def count(args: dict[str, Any]) -> torch.Tensor:
        nonlocal evaluations
        evaluations += 1
        return args["denoised"]

    model = model.clone()
    model.set_model_sampler_post_cfg_function(count)
    nodes = host.custom_sampler
    noise = nodes.DisableNoise.execute()[0] if seed is None else nodes.RandomNoise.execute(seed)[0]
    guider = nodes.CFGGuider.execute(model, conditioning(1), conditioning(2), cfg)[0]
    output, denoised = nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent).result
    return Sampled(output, denoised["samples"], evaluations)
