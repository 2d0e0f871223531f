"""A small learnt denoiser of the textured fields: what a network's error does to the samplers.

The network sees only pictures of the textured fields under noise. Their exact denoiser is known, so that its excess
loss can be measured, and their exact posterior remains the reference for what is sampled with it. Train it anew with

    python benchmarks learnt --minutes 15
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .problems import GaussianMixture, textured_fields

WEIGHTS = Path(__file__).with_name("textured_fields.safetensors")
SIGMA_RANGE = (0.02, 20.0)  # a little beyond the schedule of Stable Diffusion 1.x


class ResidualBlock(nn.Module):
    """x + conv(silu(scale * norm(conv(silu(norm(x)))) + shift)); scale and shift come from the noise level."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(4, channels), nn.GroupNorm(4, channels)
        self.conv_1, self.conv_2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.modulation = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        h = self.conv_1(nn.functional.silu(self.norm_1(x)))
        return x + self.conv_2(nn.functional.silu(self.norm_2(h) * (1 + scale) + shift))


class Attention(nn.Module):
    """Self-attention over all cells, four heads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.project_in, self.project_out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        nn.init.zeros_(self.project_out.weight)

    def forward(self, x: Tensor) -> Tensor:
        cells = self.norm(x).flatten(2).mT
        q, k, v = (part.unflatten(2, (4, -1)).transpose(1, 2) for part in self.project_in(cells).chunk(3, 2))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.project_out(mixed).mT.unflatten(2, x.shape[2:])


class FieldDenoiser(nn.Module):
    r"""D(x, sigma) = c_skip x + c_out F(c_in x, log sigma) for pictures of 12x12 cells of unit standard deviation.

    F sees patches of 2x2 cells, and mixes the 36 patches by convolutions and attention. A learnt map of positions is
    added at the entrance, because the zero padding of a convolution is no sufficient cue of where the picture ends.

    Arguments of a call:
        x: noisy pictures x_0 + sigma * eps, shape (B, 1, 12, 12).
        sigma: noise levels, shape (B,), in SIGMA_RANGE.
    Returns:
        The estimate of E[x_0 | x], shape (B, 1, 12, 12).

    Source: Karras et al., Elucidating the design space of diffusion-based generative models (2022), section 5, table 1.
    """

    def __init__(self, channels: int = 48, depth: int = 4) -> None:
        super().__init__()
        embedding = 64
        self.register_buffer("frequencies", torch.linspace(0.25, 4.0, 16), persistent=False)
        self.embed = nn.Sequential(nn.Linear(32, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU())
        self.enter = nn.Conv2d(1, channels, 4, stride=2, padding=1)
        self.position = nn.Parameter(torch.zeros(1, channels, 6, 6))
        self.blocks = nn.ModuleList(ResidualBlock(channels, embedding) for _ in range(depth))
        self.attentions = nn.ModuleList(Attention(channels) for _ in range(depth))
        self.leave = nn.Conv2d(channels, 4, 1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        s = sigma.reshape(-1, 1, 1, 1)
        phase = sigma.log()[:, None] * self.frequencies
        embedding = self.embed(torch.cat([phase.sin(), phase.cos()], 1))
        h = self.enter(x * (1 + s**2).rsqrt()) + self.position
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h, embedding))
        residual = nn.functional.pixel_shuffle(self.leave(nn.functional.silu(h)), 2)
        return x / (1 + s**2) + residual * s * (1 + s**2).rsqrt()


def load() -> FieldDenoiser:
    """The committed network."""
    network = FieldDenoiser()
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval().requires_grad_(False)


def excess_loss(network: nn.Module, prior: GaussianMixture, n: int = 2048, levels: int = 12) -> dict[float, float]:
    """E|F - D|^2 / E|D - x_0|^2 at each noise level: by how much the loss is above the smallest possible one."""
    generator = torch.Generator().manual_seed(11)
    excess = {}
    for sigma in torch.logspace(math.log10(0.03), math.log10(14.6), levels):
        clean = prior.sample(n, generator)
        x = clean + sigma * torch.randn(clean.shape, generator=generator)
        exact = prior.denoise(x, sigma)
        with torch.no_grad():
            learnt = network(x.view(-1, 1, 12, 12), sigma.expand(n)).flatten(1)
        excess[round(sigma.item(), 3)] = ((learnt - exact).square().sum() / (exact - clean).square().sum()).item()
    return excess


def train(network: FieldDenoiser, minutes: float, batch: int = 64, rate: float = 2e-3, seed: int = 0) -> FieldDenoiser:
    """Adam on the exact denoiser's answer at log-uniform noise levels, each weighted to unit variance.

    E[x_0 | x] has the same minimiser as x_0 itself (denoising score matching) and far less noise in its gradients.
    The rate rises for 100 steps and falls as a cosine; the weights kept are an exponential average.
    """
    generator = torch.Generator().manual_seed(seed)
    prior = textured_fields().prior
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0)
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging)
    low, high = (math.log(s) for s in SIGMA_RANGE)
    start, step, progress = time.process_time(), 0, 0.0
    while progress < 1:
        optimiser.param_groups[0]["lr"] = rate * min(1, step / 100) * (0.5 + 0.5 * math.cos(math.pi * progress))
        sigma = (low + (high - low) * torch.rand(batch, generator=generator)).exp()
        clean = prior.sample(batch, generator)
        x = clean + sigma[:, None] * torch.randn(clean.shape, generator=generator)
        residual = network(x.view(-1, 1, 12, 12), sigma).flatten(1) - prior.denoise(x, sigma)
        loss = (residual.square().mean(1) * (1 + sigma**2) / sigma**2).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(network)
        step, progress = step + 1, (time.process_time() - start) / (60 * minutes)
        if step % 200 == 0:
            sys.stdout.write(f"{progress:6.1%}  step {step}  loss {loss.item():.5f}\n")
            sys.stdout.flush()
    return average.module.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="of processor time")
    parser.add_argument("--resume", action="store_true", help="go on from the committed network")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = load().requires_grad_().train() if options.resume else FieldDenoiser()
    network = train(network, options.minutes)
    save_file(network.state_dict(), options.out)
    for sigma, excess in excess_loss(network, textured_fields().prior).items():
        sys.stdout.write(f"sigma {sigma:7.3f}  excess loss {excess:7.2%}\n")
