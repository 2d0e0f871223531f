"""Procedural landscapes with captions: the pictures that the small model is trained on.

Every scene is a function of its seed alone. Shapes are signed distances in units of the picture's height, turned
into coverage over one pixel, so that edges are smooth at any size.
"""

from typing import NamedTuple

import numpy as np

HELD_OUT = 1_000_000_000
"""Seeds from here on are never trained on."""

TIMES = {  # sky at the top, sky at the horizon, the colour of the light
    "day": ((0.25, 0.50, 0.90), (0.75, 0.88, 0.98), (1.00, 1.00, 1.00)),
    "sunset": ((0.38, 0.22, 0.50), (1.00, 0.55, 0.22), (0.90, 0.62, 0.55)),
    "night": ((0.03, 0.04, 0.15), (0.12, 0.16, 0.38), (0.34, 0.40, 0.62)),
    "dawn": ((0.50, 0.60, 0.85), (1.00, 0.78, 0.80), (0.88, 0.80, 0.88)),
}
GROUNDS = {"green hills": (0.30, 0.58, 0.22), "yellow field": (0.85, 0.72, 0.25), "snow": (0.92, 0.95, 1.00)}
TREES = {"pine trees": (0.08, 0.34, 0.20), "round trees": (0.26, 0.52, 0.12), "autumn trees": (0.85, 0.38, 0.08)}
HOUSES = {"red house": (0.80, 0.16, 0.14), "white house": (0.95, 0.93, 0.88), "blue house": (0.20, 0.38, 0.80)}


class Scene(NamedTuple):
    """A picture, float32 (size, size, 3) in [0, 1], what is said about it, and what is in it."""

    image: np.ndarray
    caption: str
    attributes: dict[str, str]


class Canvas:
    """A square picture that shapes are painted on, back to front; v runs downwards from 0 to 1, u to the right."""

    def __init__(self, size: int):
        self.size = size
        self.u, self.v = np.meshgrid(*[(np.arange(size, dtype=np.float32) + 0.5) / size] * 2, copy=False)
        self.pixels = np.zeros((size, size, 3), np.float32)

    def paint(self, distance: np.ndarray, colour: np.ndarray, opacity: float | np.ndarray = 1.0) -> None:
        """Covers the pixels whose signed distance (size, size) is negative with a colour (3,) or (size, size, 3)."""
        coverage = np.clip(0.5 - distance * self.size, 0, 1) * opacity
        rows = np.flatnonzero(coverage.any(axis=1))
        if rows.size:
            band = slice(rows[0], rows[-1] + 1)
            colour = colour if colour.ndim == 1 else colour[band]
            self.pixels[band] += coverage[band, :, None] * (colour - self.pixels[band])

    def disc(self, u: float, v: float, radius: float) -> np.ndarray:
        return np.hypot(self.u - u, self.v - v) - radius

    def box(self, u: float, v: float, half_width: float, half_height: float) -> np.ndarray:
        return np.maximum(abs(self.u - u) - half_width, abs(self.v - v) - half_height)

    def triangle(self, u: float, top: float, bottom: float, half_width: float) -> np.ndarray:
        """An upright triangle with its tip at (u, top)."""
        slope = half_width / (bottom - top)
        side = (abs(self.u - u) - (self.v - top) * slope) / np.hypot(1, slope)
        return np.maximum(side, self.v - bottom)

    def ridge(self, line: np.ndarray) -> np.ndarray:
        """All that lies below a line v(u), given for each column."""
        slope = np.gradient(line, 1 / self.size)
        return (line - self.v) / np.hypot(1, slope)


def waves(rng: np.random.Generator, u: np.ndarray, frequencies: tuple[float, ...], amplitude: float) -> np.ndarray:
    """A smooth random line: a sum of sines whose weight falls with the frequency."""
    return sum(amplitude / f * np.sin(2 * np.pi * (f * u + rng.random())) for f in frequencies)


def choose(rng: np.random.Generator) -> dict[str, str]:
    """What a scene contains; a thing that is left out has no entry."""
    attributes = {"time": str(rng.choice(list(TIMES))), "ground": str(rng.choice(list(GROUNDS)))}
    if rng.random() < 0.7:
        attributes["light"] = "moon" if attributes["time"] == "night" else "sun"
    options = {
        "clouds": (0.4, ["clouds"]),
        "mountains": (0.6, ["mountains", "snowy mountains"]),
        "trees": (0.6, list(TREES)),
        "house": (0.4, list(HOUSES)),
        "lake": (0.45, ["lake"]),
    }
    for name, (probability, kinds) in options.items():
        if rng.random() < probability:
            attributes[name] = str(rng.choice(kinds))
    return attributes


def describe(rng: np.random.Generator, attributes: dict[str, str]) -> str:
    """A caption that names most of a scene's attributes, in any order."""
    named = [text for name, text in attributes.items() if rng.random() < (0.9 if name == "time" else 0.8)]
    rng.shuffle(named)
    return ("a landscape with " if named and rng.random() < 0.3 else "") + ", ".join(named)


def paint_sky(canvas: Canvas, rng: np.random.Generator, attributes: dict[str, str], horizon: float) -> None:
    top, low, _ = (np.array(c, np.float32) for c in TIMES[attributes["time"]])
    height = np.clip(canvas.v / horizon, 0, 1)[..., None]
    canvas.pixels[:] = (top + (low - top) * height) * rng.uniform(0.9, 1.05)
    if attributes["time"] == "night":
        for u, v in rng.random((25, 2)):
            canvas.paint(canvas.disc(u, v * horizon, 0.006), np.ones(3), rng.uniform(0.4, 1))
    if "light" in attributes:
        low_sun = attributes["time"] in ("sunset", "dawn")
        u, v = rng.uniform(0.15, 0.85), horizon - (rng.uniform(0.14, 0.28) if low_sun else rng.uniform(0.32, 0.42))
        colour = np.array({"day": (1, 0.95, 0.45), "night": (0.95, 0.95, 0.85)}.get(attributes["time"], (1, 0.85, 0.4)))
        distance, radius = canvas.disc(u, v, 0), rng.uniform(0.055, 0.085)
        canvas.paint(distance - 1, colour, 0.5 * np.exp(-np.square(distance / (2.2 * radius))))
        canvas.paint(distance - radius, colour)
        if attributes["light"] == "moon":  # a crescent: the sky's own colour over a part of the disc
            canvas.paint(
                np.maximum(distance - radius, canvas.disc(u + 0.45 * radius, v - 0.2 * radius, 0.85 * radius)),
                top + 0.04,
            )
    if "clouds" in attributes:
        colour = 0.55 * np.ones(3) + 0.45 * low if attributes["time"] != "night" else low + 0.12
        for _ in range(rng.integers(2, 5)):
            u, v = rng.random(), rng.uniform(0.06, horizon - 0.22)
            width = rng.uniform(0.10, 0.18)
            puffs = [
                canvas.disc(u + width * x, v - 0.3 * width * (1 - x * x), 0.35 * width * (1.3 - x * x))
                for x in (-0.9, -0.4, 0.1, 0.5, 0.9)
            ]
            canvas.paint(np.maximum(np.minimum.reduce(puffs), canvas.v - v), colour, 0.9)


def paint_mountains(
    canvas: Canvas, rng: np.random.Generator, snowy: bool, light: np.ndarray, haze: np.ndarray, horizon: float
) -> None:
    u = canvas.u[0]
    peaks = [(x + rng.uniform(-0.1, 0.1), rng.uniform(0.16, 0.32), rng.uniform(0.9, 1.5)) for x in (0.05, 0.4, 0.7, 1)]
    height = np.maximum.reduce([h - slope * abs(u - x) for x, h, slope in peaks])
    line = horizon + 0.02 - np.maximum(height, 0.05) + waves(rng, u, (7, 11, 17), 0.03)
    rock = np.array([0.42, 0.42, 0.52]) * light
    canvas.paint(canvas.ridge(line), 0.75 * rock + 0.25 * haze)
    if snowy:
        cap = horizon - 0.13 + waves(rng, u, (6, 13), 0.12)
        canvas.paint(np.maximum(canvas.ridge(line), canvas.v - cap), np.array([0.96, 0.97, 1.0]) * (0.2 + 0.8 * light))


def paint_tree(canvas: Canvas, kind: str, light: np.ndarray, u: float, v: float, height: float) -> None:
    leaves = np.array(TREES[kind]) * light
    canvas.paint(canvas.box(u, v - 0.15 * height, 0.045 * height, 0.15 * height), np.array([0.35, 0.22, 0.12]) * light)
    if kind == "pine trees":
        for top, bottom, width in ((0.45, 0.15, 0.26), (0.72, 0.38, 0.21), (1.0, 0.62, 0.16)):
            canvas.paint(canvas.triangle(u, v - (top + 0.05) * height, v - bottom * height, width * height), leaves)
    else:
        for du, dv, radius in ((0, 0.66, 0.32), (-0.18, 0.48, 0.2), (0.18, 0.48, 0.2)):
            canvas.paint(canvas.disc(u + du * height, v - dv * height, radius * height), leaves)
        canvas.paint(canvas.disc(u - 0.1 * height, v - 0.75 * height, 0.12 * height), leaves * 1.2, 0.6)


def paint_house(canvas: Canvas, kind: str, light: np.ndarray, lit: bool, u: float, v: float, width: float) -> None:
    height = 0.6 * width
    canvas.paint(canvas.box(u, v - height / 2, width / 2, height / 2), np.array(HOUSES[kind]) * light)
    roof = canvas.triangle(u, v - 1.75 * height, v - 0.95 * height, 0.62 * width)
    canvas.paint(roof, np.array([0.36, 0.2, 0.16]) * light)
    canvas.paint(canvas.box(u, v - 0.28 * height, 0.1 * width, 0.28 * height), np.array([0.25, 0.15, 0.1]) * light)
    window = np.array([1.0, 0.85, 0.4]) if lit else np.array([0.65, 0.82, 0.92]) * light
    for side in (-0.3, 0.3):
        canvas.paint(canvas.box(u + side * width, v - 0.6 * height, 0.09 * width, 0.13 * height), window)


def paint_lake(canvas: Canvas, rng: np.random.Generator, light: np.ndarray, shore: float) -> None:
    """Below the shore the picture is its own mirror image, darker, bluer and rippled."""
    depth = np.clip(canvas.v - shore, 0, None)
    mirrored = shore - depth + 0.01 * np.sin(2 * np.pi * np.sqrt(depth) * 16 + rng.random()) * np.sqrt(depth)
    rows = np.clip((mirrored * canvas.size).astype(int), 0, canvas.size - 1)
    water = np.array([0.18, 0.42, 0.68]) * light
    canvas.paint(
        canvas.ridge(np.full(canvas.size, shore, np.float32)),
        0.62 * np.take_along_axis(canvas.pixels, rows[..., None], axis=0) + 0.38 * water,
    )


def draw(seed: int, size: int = 128) -> Scene:
    """One landscape and its caption, the same for the same seed.

    Args:
        seed: any non-negative integer; `HELD_OUT` and above are kept for measuring.
        size: width and height in pixels.
    """
    rng = np.random.default_rng(seed)
    attributes = choose(rng)
    caption = describe(rng, attributes)
    canvas, horizon = Canvas(size), rng.uniform(0.50, 0.58)
    lit = attributes["time"] == "night"
    _, haze, light = (np.array(c) for c in TIMES[attributes["time"]])
    paint_sky(canvas, rng, attributes, horizon)
    if "mountains" in attributes:
        paint_mountains(canvas, rng, attributes["mountains"].startswith("snowy"), light, haze, horizon)

    ground = np.array(GROUNDS[attributes["ground"]]) * light
    rolling = 0.05 if attributes["ground"] == "green hills" else 0.012
    for step, shade in ((0.0, 0.85), (0.09, 1.0)):  # a far and a near slope, brighter towards the viewer
        line = horizon + step + waves(rng, canvas.u[0], (1, 2, 3), rolling)
        texture = waves(rng, canvas.u + 2 * canvas.v, (5, 9), 0.12) * waves(rng, canvas.v - canvas.u, (7, 13), 1.0)
        depth = 1.08 - 0.35 * np.clip(canvas.v - horizon - step, 0, 1)
        canvas.paint(canvas.ridge(line), ground * shade * (depth + texture)[..., None])

    shore = rng.uniform(0.72, 0.78) if "lake" in attributes else 1.0
    near = min(shore - 0.02, 0.9)
    house_at = rng.uniform(0.2, 0.8)
    things = []
    if "house" in attributes:
        v = rng.uniform(horizon + 0.10, near)
        things.append((v, paint_house, (attributes["house"], light, lit, house_at, v, 0.16 + 0.3 * (v - horizon))))
    if "trees" in attributes:
        for _ in range(rng.integers(2, 6)):
            u, v = rng.uniform(0.04, 0.96), rng.uniform(horizon + 0.08, near)
            if "house" in attributes and abs(u - house_at) < 0.2:  # leave the house in sight
                u = (u + 0.4) % 1
            things.append((v, paint_tree, (attributes["trees"], light, u, v, 0.14 + 0.6 * (v - horizon))))
    for _, paint, arguments in sorted(things, key=lambda thing: thing[0]):
        paint(canvas, *arguments)
    if "lake" in attributes:
        paint_lake(canvas, rng, light, shore)
    return Scene(np.clip(canvas.pixels, 0, 1), caption, attributes)
