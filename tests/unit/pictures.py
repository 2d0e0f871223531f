"""Random pictures and masks of every size, cheap enough to be many."""

import torch
from hypothesis import strategies as st

torch.set_num_threads(1)

MAX_SIDE, MAX_PIXELS = 1500, 20_000


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def landscape(height: int = 160, width: int = 192) -> torch.Tensor:
    """Smooth shading, waves of many lengths, and a little grain."""
    v, u = torch.meshgrid(torch.arange(height) / 160, torch.arange(width) / 160, indexing="ij")
    frequencies = [(9, 4, 0), (30, 17, 1), (80, 70, 2), (11, 90, 3)]
    waves = sum(torch.sin(a * u + b * v + c) / (a + b) for a, b, c in frequencies)
    image = torch.stack([0.45 + 0.3 * v + waves, 0.5 + 0.2 * u - waves, 0.55 - 0.2 * v + waves], dim=-1)
    return (image + 0.02 * random(height, width, 3)).clamp(0, 1)[None]


def rectangle(height: int = 160, width: int = 192) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, 50:110, 60:140] = 1
    return mask


def shifted(image: torch.Tensor) -> torch.Tensor:
    """What a poor VAE makes of a picture: 8 levels of 255 brighter, contrast 0.95."""
    return (0.5 + 0.95 * (image - 0.5) + 8 / 255).clamp(0, 1)


def block(height: int, width: int, top: int, left: int, bottom: int, right: int) -> torch.Tensor:
    """A mask with one rectangle, (1, height, width)."""
    mask = torch.zeros(1, height, width)
    mask[:, top:bottom, left:right] = 1
    return mask


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """Height and width, each anywhere in 1..1500; where one is large the other is small."""
    long = draw(st.integers(1, MAX_SIDE))
    short = draw(st.integers(1, min(MAX_SIDE, MAX_PIXELS // long)))
    return (long, short) if draw(st.booleans()) else (short, long)


@st.composite
def images(draw: st.DrawFn, batch: int, height: int, width: int, channels: int) -> torch.Tensor:
    """(batch, height, width, channels); in memory in that order, or as a network hands it out, channels first."""
    seed = draw(st.integers(0, 999))
    if draw(st.booleans()):
        return random(batch, channels, height, width, seed=seed).movedim(1, -1)
    return random(batch, height, width, channels, seed=seed)


@st.composite
def masks(draw: st.DrawFn, batch: int, height: int, width: int) -> torch.Tensor:
    """(batch, height, width): empty, full, a rectangle anywhere (also at the borders), scattered pixels, or soft."""
    kind = draw(st.sampled_from(["empty", "full", "rectangle", "scattered", "soft"]))
    if kind in ("empty", "full"):
        return torch.full((batch, height, width), float(kind == "full"))
    noise = random(batch, height, width, seed=draw(st.integers(0, 999)))
    if kind == "scattered":
        return (noise < 0.01).float()
    mask = torch.zeros(batch, height, width)
    for one in mask:
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        one[top : draw(st.integers(top, height)) + 1, left : draw(st.integers(left, width)) + 1] = 1
    return mask * noise if kind == "soft" else mask
