"""Seeded noise that belongs to an image, not to its place in a batch."""

import hashlib
from collections import Counter

import torch
from torch import Tensor


def derive_seed(*parts: int | bytes) -> int:
    """A 63-bit seed that depends on every part and its order (BLAKE2b), the same on every machine."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part if isinstance(part, bytes) else part.to_bytes(16, "little", signed=True)
        digest.update(len(data).to_bytes(4, "little") + data)
    return int.from_bytes(digest.digest(), "little") >> 1


def image_seeds(seed: int, noise: Tensor, clean: Tensor) -> list[int]:
    """One seed per image of a batch, such that image k of a batch and the same image alone get the same.

    A solver is told neither the batch index nor its place in the batch, but the initial noise of an image is a
    function of both: its bytes are the image's identity. Without initial noise (a second stage) the clean latent stands
    in, with the number of equal ones before it in the batch: no network computes them on the way from the first stage.
    The image whose noise is the first draw of `seed` keeps `seed` itself, so a single image stays what the host's own
    sampler makes; also where the host rounded the draw to half precision, as it does for half-precision latents.

    Arguments:
        seed: the run's seed, any unsigned 64-bit integer.
        noise: initial noise, (B, C, ...).
        clean: the clean latent, (B, C, ...).
    """
    draw = torch.randn(noise[:1].shape, generator=torch.Generator().manual_seed(seed))[0]
    firsts = [draw.to(dtype).float() for dtype in (torch.float32, torch.float16, torch.bfloat16)]
    seeds, before = [], Counter[bytes]()
    for n, latent in zip(noise.float().cpu(), clean.float().cpu(), strict=True):
        if any(torch.equal(n, first) for first in firsts):
            seeds.append(seed)
        elif n.any():
            seeds.append(derive_seed(seed, n.contiguous().numpy().tobytes()))
        else:
            identity = latent.contiguous().numpy().tobytes()
            seeds.append(derive_seed(seed, identity, before[identity]))
            before[identity] += 1
    return seeds


class NoiseStream:
    """Unit Gaussian noise drawn on the CPU, one generator an image: equal on every device and in every batch.

    Arguments:
        seeds: one per image.
        shape: the batch's shape (B, C, ...), B = len(seeds).
        device: where the noise is wanted.
    """

    def __init__(self, seeds: list[int], shape: torch.Size, device: torch.device):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.shape, self.device = shape, device

    def draw(self) -> Tensor:
        """The next noise, float32, of the batch's shape."""
        return torch.stack([torch.randn(self.shape[1:], generator=g) for g in self.generators]).to(self.device)
