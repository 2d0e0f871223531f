"""Procedural landscapes with captions, 256x256: the pictures that the demo's model is trained on.

Every scene is a function of its seed alone. Shapes are signed distances in units of the picture's height, turned
into coverage over one pixel, so that edges are smooth at any size. What a caption names is 6 to 12 cells of the latent
wide (a cell is 8 pixels), and nothing thinner than a cell matters.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

HELD_OUT = 1_000_000_000
"""Seeds from here on are never trained on."""

TIMES = {  # sky at the top, sky at the horizon, the colour of the light
    "day": ((0.30, 0.58, 0.90), (0.84, 0.94, 0.98), (1.00, 1.00, 0.98)),
    "sunset": ((0.40, 0.27, 0.55), (1.00, 0.64, 0.34), (0.98, 0.70, 0.58)),
    "night": ((0.05, 0.07, 0.21), (0.20, 0.27, 0.50), (0.44, 0.49, 0.68)),
    "dawn": ((0.55, 0.68, 0.90), (1.00, 0.82, 0.78), (0.95, 0.86, 0.90)),
}
LIGHTS = {"day": (1.0, 0.93, 0.45), "sunset": (1.0, 0.80, 0.36), "dawn": (1.0, 0.88, 0.50), "night": (0.97, 0.95, 0.82)}
GROUNDS = {"green hills": (0.40, 0.66, 0.28), "yellow field": (0.92, 0.77, 0.32), "snow": (0.93, 0.95, 1.00)}
TREES = {"pine trees": (0.12, 0.40, 0.27), "round trees": (0.33, 0.58, 0.18), "autumn trees": (0.90, 0.45, 0.12)}
COLOURS = {  # of the walls, of the roof
    "red": ((0.80, 0.24, 0.19), (0.33, 0.27, 0.31)),
    "white": ((0.97, 0.94, 0.87), (0.76, 0.36, 0.24)),
    "blue": ((0.29, 0.47, 0.80), (0.42, 0.27, 0.22)),
}
BUILDINGS = ("house", "cottage", "chapel")

Bounds = tuple[float, float, float, float]  # left, top, right, bottom
Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (u, v) -> the signed distance, negative inside


class Scene(NamedTuple):
    """A picture, float32 (size, size, 3) in [0, 1], what is said about it, and what is in it."""

    image: np.ndarray
    caption: str
    attributes: dict[str, str]


def disc(u: float, v: float, radius: float) -> Shape:
    return lambda x, y: np.hypot(x - u, y - v) - radius


def box(u: float, v: float, half_width: float, half_height: float) -> Shape:
    return lambda x, y: np.maximum(abs(x - u) - half_width, abs(y - v) - half_height)


def gable(u: float, top: float, bottom: float, half_top: float, half_bottom: float) -> Shape:
    """An upright trapezium, half_top wide at its top and half_bottom at its foot; with half_top = 0 a triangle."""
    slope = (half_bottom - half_top) / (bottom - top)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        side = (abs(x - u) - half_top - (y - top) * slope) / np.hypot(1, slope)
        return np.maximum.reduce(np.broadcast_arrays(side, y - bottom, top - y))

    return distance


def union(*shapes: Shape) -> Shape:
    return lambda x, y: np.minimum.reduce([shape(x, y) for shape in shapes])


def both(one: Shape, other: Shape) -> Shape:
    return lambda x, y: np.maximum(one(x, y), other(x, y))


def beside(u: float, side: int) -> Shape:
    """All that lies left (side = 1) or right (-1) of u."""
    return lambda x, y: side * (x - u) + 0 * y


def above(v: float) -> Shape:
    return lambda x, y: y - v + 0 * x


def star(u: float, v: float, size: float) -> Shape:
    """Four points, with hollow sides."""
    return lambda x, y: 0.6 * ((np.sqrt(abs(x - u)) + np.sqrt(abs(y - v))) ** 2 - 1.6 * size)


def ellipse(u: float, v: float, half_width: float, flat: float) -> Shape:
    return lambda x, y: 0.5 * (np.hypot(x - u, (y - v) / flat) - half_width)


class Canvas:
    """A square picture that shapes are painted on, back to front; v runs downwards from 0 to 1, u to the right.

    Attributes:
        side: where the light comes from, -1 (left) to 1 (right).
        light: its colour.
    """

    def __init__(self, size: int, side: float, light: np.ndarray):
        self.size, self.side, self.light = size, side, light
        self.axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.pixels = np.zeros((size, size, 3), np.float32)

    def paint(
        self,
        bounds: Bounds,
        shape: Shape,
        colour: np.ndarray | tuple[float, float, float],
        opacity: float = 1.0,
        lit: float = 0.0,
        soft: float = 0.0,
    ) -> None:
        """Covers what lies inside a shape.

        Args:
            bounds: nothing outside it is touched.
            colour: (3,), not yet lit by the scene's light.
            lit: by how much of its brightness the side towards the light, and the top, are brighter.
            soft: the width of the edge beyond one pixel.
        """
        left, top, right, bottom = (int(np.clip(round(b * self.size), 0, self.size)) for b in bounds)
        if left >= right or top >= bottom:
            return
        x, y = self.axis[None, left:right], self.axis[top:bottom, None]
        coverage = np.clip(0.5 - shape(x, y) * (self.size / (1 + soft * self.size)), 0, 1) * opacity
        colour = np.asarray(colour, np.float32)
        if lit:
            across = (2 * x - bounds[0] - bounds[2]) / (bounds[2] - bounds[0])
            up = (bounds[1] + bounds[3] - 2 * y) / (bounds[3] - bounds[1])
            colour = colour * (1 + lit * (0.75 * self.side * across + 0.5 * up))[..., None]
        part = self.pixels[top:bottom, left:right]
        part += coverage[..., None] * (colour - part)

    def below(self, line: np.ndarray, colour: np.ndarray, opacity: float | np.ndarray = 1.0) -> None:
        """Covers all that lies below a line v(u), given for each column, with a colour (size, size, 3) or (3,)."""
        first = max(int(line.min() * self.size) - 2, 0)
        slope = np.gradient(line, 1 / self.size)
        distance = (line - self.axis[first:, None]) / np.hypot(1, slope)
        coverage = np.clip(0.5 - distance * self.size, 0, 1) * opacity
        colour = colour[first:] if np.ndim(colour) == 3 else colour
        self.pixels[first:] += coverage[..., None] * (colour - self.pixels[first:])

    def glow(self, u: float, v: float, radius: float, colour: np.ndarray, strength: float) -> None:
        across, down = (np.exp(-np.square((self.axis - at) / radius)) for at in (u, v))
        weight = (strength * down[:, None] * across[None])[..., None]
        self.pixels += weight * (np.asarray(colour, np.float32) - self.pixels)

    def shadow(self, u: float, v: float, half_width: float) -> None:
        """A soft ellipse on the ground, on the side away from the light."""
        u, flat, reach = u - 0.35 * self.side * half_width, 0.2, 1.6 * half_width
        around = (u - reach, v - reach * flat, u + reach, v + reach * flat)
        self.paint(around, ellipse(u, v, half_width, flat), 0.16 * self.light, 0.33, soft=0.03)


def waves(rng: np.random.Generator, u: np.ndarray, frequencies: tuple[float, ...], amplitude: float) -> np.ndarray:
    """A smooth random line: a sum of sines whose weight falls with the frequency."""
    return sum(amplitude / f * np.sin(2 * np.pi * (f * u + rng.random())) for f in frequencies)


def wash(rng: np.random.Generator, size: int, across: int, down: int) -> np.ndarray:
    """Smooth noise as of watercolour, (size, size), of about unit deviation: `across` x `down` random knots."""

    def weights(knots: int) -> np.ndarray:
        place = np.linspace(0, knots - 1, size, dtype=np.float32)[:, None] - np.arange(knots, dtype=np.float32)
        return np.square(np.cos(np.clip(place, -1, 1) * np.pi / 2))

    return 1.4 * weights(down) @ rng.standard_normal((down, across), np.float32) @ weights(across).T


def choose(rng: np.random.Generator) -> dict[str, str]:
    """What a scene contains; a thing that is left out has no entry."""
    attributes = {"time": str(rng.choice(list(TIMES))), "ground": str(rng.choice(list(GROUNDS)))}
    if rng.random() < 0.65:
        attributes["light"] = "moon" if attributes["time"] == "night" else "sun"
    buildings = [f"{colour} {kind}" for colour in COLOURS for kind in BUILDINGS]
    options = {
        "clouds": (0.35, ["clouds"]),
        "birds": (0.0 if attributes["time"] == "night" else 0.3, ["birds"]),
        "mountains": (0.5, ["mountains", "snowy mountains"]),
        "fog": (0.2, ["fog"]),
        "trees": (0.6, list(TREES)),
        "house": (0.55, buildings),
        "fence": (0.2, ["fence"]),
        "path": (0.3, ["path"]),
        "lake": (0.4, ["lake"]),
    }
    for name, (probability, kinds) in options.items():
        if rng.random() < probability:
            attributes[name] = str(rng.choice(kinds))
    if "clouds" in attributes:
        attributes.pop("birds", None)  # there is no room for both
    if "lake" in attributes:
        attributes.pop("path", None)  # nor here
        if rng.random() < 0.45:
            attributes["boat"] = "boat"
    return attributes


def describe(rng: np.random.Generator, attributes: dict[str, str]) -> str:
    """A caption that names most of a scene's attributes, in any order."""
    named = [text for name, text in attributes.items() if rng.random() < (0.9 if name == "time" else 0.8)]
    rng.shuffle(named)
    return ("a landscape with " if named and rng.random() < 0.3 else "") + ", ".join(named)


def paint_sky(canvas: Canvas, rng: np.random.Generator, attributes: dict[str, str], horizon: float, u: float) -> None:
    time = attributes["time"]
    top, low, _ = (np.array(c, np.float32) for c in TIMES[time])
    height = np.clip(canvas.axis / horizon, 0, 1)[:, None, None]
    canvas.pixels[:] = top + (low - top) * height**1.2
    canvas.pixels += 0.012 * wash(rng, canvas.size, 5, 7)[..., None]
    low_sun = time in ("sunset", "dawn")
    v = horizon - (rng.uniform(0.10, 0.24) if low_sun else rng.uniform(0.28, 0.38))
    disc_colour, radius = np.array(LIGHTS[time]), rng.uniform(0.085, 0.11)
    if time == "night":
        for x, y in rng.random((rng.integers(6, 11), 2)) * (1, 0.75 * horizon):
            if "light" not in attributes or np.hypot(x - u, y - v) > 0.2:
                size = rng.uniform(0.011, 0.017)
                around = (x - 0.03, y - 0.03, x + 0.03, y + 0.03)
                canvas.paint(around, star(x, y, size), (0.95, 0.95, 0.85), 0.9)
    canvas.glow(u, v, 0.42, disc_colour, 0.12 if time == "night" else 0.3)  # the light is felt where it is not seen
    if "light" in attributes:
        canvas.glow(u, v, 2.1 * radius, disc_colour, 0.25 if time == "night" else 0.5)
        around = (u - 0.13, v - 0.13, u + 0.13, v + 0.13)
        if attributes["light"] == "moon":  # a crescent: a disc without a part of it
            bite = disc(u + 0.5 * radius, v - 0.22 * radius, 0.86 * radius)
            canvas.paint(around, both(disc(u, v, radius), lambda x, y: -bite(x, y)), disc_colour)
        else:
            canvas.paint(around, disc(u, v, radius), disc_colour, lit=0.04)


def paint_clouds(canvas: Canvas, rng: np.random.Generator, time: str, horizon: float, sun: float) -> None:
    """Heaps with flat feet; not in front of where the sun is, or would be."""
    low = np.array(TIMES[time][1])
    colour = 0.6 * np.ones(3) + 0.4 * low if time != "night" else low + (0.15, 0.14, 0.10)
    places = [place for place in rng.permutation([0.04, 0.35, 0.65, 0.96]).tolist() if abs(place - sun) > 0.22]
    for place in places[: rng.integers(2, 4)]:
        u, v, width = place + rng.uniform(-0.05, 0.05), rng.uniform(0.12, horizon - 0.22), rng.uniform(0.14, 0.21)
        puffs = [
            disc(u + width * x, v - 0.22 * width * (1 - x * x), width * r * (1 + rng.uniform(-0.08, 0.08)))
            for x, r in ((-0.72, 0.24), (-0.28, 0.38), (0.22, 0.44), (0.68, 0.28))
        ]
        foot = v + 0.1 * width
        bounds = (u - 1.1 * width, v - 0.75 * width, u + 1.1 * width, foot + 0.01)
        canvas.paint(bounds, both(union(*puffs), above(foot)), colour, 0.95, lit=0.07)


def paint_birds(canvas: Canvas, rng: np.random.Generator, time: str, horizon: float) -> None:
    """Two or three gulls: two wings as arcs that meet in the middle."""
    colour = np.array((0.22, 0.22, 0.28)) if time == "sunset" else np.array((0.98, 0.98, 0.96))
    colour = colour if time != "day" else np.array((0.25, 0.28, 0.36))
    u, v = rng.uniform(0.2, 0.65), rng.uniform(0.1, horizon - 0.25)
    for i in range(rng.integers(2, 4)):
        x0, y0, span = u + 0.17 * i, v + (0.07, -0.04, 0.09)[i] + rng.uniform(-0.02, 0.02), rng.uniform(0.075, 0.1)

        def gull(x: np.ndarray, y: np.ndarray, x0=x0, y0=y0, span=span) -> np.ndarray:
            t = np.clip(abs(x - x0) / span, 0, 1)
            middle = y0 - 0.55 * span * np.sin(2.4 * t) + 0.2 * span * t
            thick = 0.021 * (1 - t) + 0.007
            return np.maximum(abs(y - middle) - thick, abs(x - x0) - span) * 0.8

        canvas.paint((x0 - span, y0 - 0.09, x0 + span, y0 + 0.05), gull, colour * (0.4 + 0.6 * canvas.light))


def paint_mountains(canvas: Canvas, rng: np.random.Generator, snowy: bool, haze: np.ndarray, horizon: float) -> None:
    """Peaks, the higher ones first."""
    places = np.array([0.08, 0.36, 0.64, 0.92]) + rng.uniform(-0.09, 0.09, 4)
    heights = rng.uniform(0.17, 0.33, 4)
    for place, height in sorted(zip(places.tolist(), heights.tolist(), strict=True), key=lambda peak: -peak[1]):
        paint_peak(canvas, rng, snowy, haze, place, horizon, height)


def paint_peak(
    canvas: Canvas, rng: np.random.Generator, snowy: bool, haze: np.ndarray, u: float, foot: float, height: float
) -> None:
    """A mountain with a bright and a dark face."""
    rock = 0.82 * canvas.light * (0.46, 0.48, 0.60) + 0.18 * haze
    half, top, bottom = height * rng.uniform(0.95, 1.3), foot - height, foot + 0.05
    shape = gable(u, top, bottom, 0.0, half * (bottom - top) / height)
    bend, phase = rng.uniform(0.15, 0.3) * height, rng.random(2)
    away = -1 if canvas.side > 0 else 1

    def dark(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What lies, seen from the light, behind the ridge that comes down from the peak."""
        down = np.clip((y - top) / height, 0, 1.3)
        return -away * (x - u - bend * down * np.sin(2.2 * down + 6 * phase[0]) * 0.8)

    bounds = (u - 1.4 * half, top - 0.01, u + 1.4 * half, bottom)
    canvas.paint(bounds, shape, 1.08 * rock)
    canvas.paint(bounds, both(shape, dark), 0.84 * rock)
    if snowy:
        snow = (0.15 + 0.85 * canvas.light) * (0.97, 0.98, 1.0)
        line = top + rng.uniform(0.38, 0.5) * height

        def high(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return y - line - 0.07 * height * np.sin(2 * np.pi * (2.2 * (x - u) / half + phase[1]))

        cap = both(shape, high)
        canvas.paint(bounds, cap, snow)
        canvas.paint(bounds, both(cap, dark), snow * (0.82, 0.86, 0.92))


def paint_fog(canvas: Canvas, rng: np.random.Generator, haze: np.ndarray, v: float, strength: float) -> None:
    """A bank of fog that lies at the height v, with a soft and wavy rim."""
    line = v + waves(rng, canvas.axis, (1, 2, 3), 0.02)
    place = (canvas.axis[:, None] - line) / 0.055
    weight = strength * np.where(place < 0, np.exp(-np.square(place)), np.exp(-np.square(0.55 * place)))[..., None]
    canvas.pixels += weight * (0.55 * haze + 0.45 * canvas.light - canvas.pixels)


def paint_tree(canvas: Canvas, kind: str, tint: float, u: float, v: float, height: float) -> None:
    leaves = np.array(TREES[kind]) * canvas.light * (1 + tint * np.array((0.9, 0.4, 0.2)))
    canvas.shadow(u, v, 0.3 * height)
    trunk = max(0.035 * height, 0.017)
    around = (u - 0.5 * height, v - 1.05 * height, u + 0.5 * height, v + 0.01)
    canvas.paint(
        around, box(u, v - 0.16 * height, trunk, 0.16 * height), np.array([0.42, 0.28, 0.18]) * canvas.light, lit=0.1
    )
    if kind == "pine trees":
        for top, bottom, width in ((0.58, 0.14, 0.27), (0.80, 0.38, 0.215), (1.0, 0.62, 0.155)):
            around = (u - width * height, v - top * height, u + width * height, v - (bottom - 0.02) * height)
            layer = gable(u, v - top * height, v - bottom * height, 0.0, width * height)
            canvas.paint(around, layer, leaves, lit=0.24)
            rim = (around[0], v - (bottom + 0.055) * height, around[2], around[3])
            canvas.paint(rim, layer, leaves * 0.8, lit=0.2)
    else:
        crown = ((0, 0.70, 0.27), (-0.19, 0.53, 0.20), (0.19, 0.54, 0.20), (0, 0.48, 0.2))
        shape = union(*[disc(u + du * height, v - dv * height, r * height) for du, dv, r in crown])
        around = (u - 0.42 * height, v - height, u + 0.42 * height, v - 0.25 * height)
        canvas.paint(around, shape, leaves, lit=0.22)
        for du, dv, r in ((0.12, 0.79, 0.115), (0.22, 0.57, 0.085)):  # where the light falls
            x, y, reach = u + canvas.side * du * height, v - dv * height, (r + 0.02) * height
            spot = disc(x, y, r * height)
            canvas.paint((x - reach, y - reach, x + reach, y + reach), spot, leaves * 1.25, 0.55, soft=0.012)


def paint_house(
    canvas: Canvas, text: str, lit: bool, snow: bool, turned: bool, u: float, v: float, width: float
) -> None:
    """A building whose foot stands at v; `turned` is its mirror image."""
    colour, kind = text.split()
    walls, roof = (np.array(c) for c in COLOURS[colour])
    if snow:
        roof = (0.35 if colour == "white" else 0.15) * (roof - (0.97, 0.98, 1.0)) + (0.97, 0.98, 1.0)
    light, flip = canvas.light, -1 if turned else 1
    canvas.shadow(u, v, 0.62 * width)
    pane = np.array([1.0, 0.86, 0.45]) if lit else np.array([0.55, 0.74, 0.86]) * light
    frame = np.array([0.98, 0.96, 0.92] if colour != "white" else [0.55, 0.38, 0.28]) * light
    wood = np.array([0.36, 0.22, 0.15] if colour != "blue" else [0.93, 0.90, 0.84]) * light

    def wall(x: float, half: float, top: float) -> None:
        around = (x - half - 0.01, v - top, x + half + 0.01, v + 0.01)
        canvas.paint(around, box(x, v - top / 2, half, top / 2), walls * light, lit=0.12)

    def window(x: float, y: float, half_width: float, half_height: float) -> None:
        around = (x - half_width - 0.02, y - half_height - 0.02, x + half_width + 0.02, y + half_height + 0.02)
        canvas.paint(around, box(x, y, half_width + 0.008, half_height + 0.008), frame)
        canvas.paint(around, box(x, y, half_width, half_height), pane)

    def door(x: float, half: float, height: float) -> None:
        around = (x - half - 0.01, v - height - half, x + half + 0.01, v + 0.01)
        canvas.paint(around, union(box(x, v - height / 2, half, height / 2), disc(x, v - height, half)), wood)

    def sloping(x: float, foot: float, height: float, half_top: float, half_bottom: float, brick: float | None) -> None:
        """A roof, its chimney behind it, and the shadow of its eaves."""
        if brick is not None:
            at, tall = x + flip * brick, foot - 1.12 * height
            chimney = box(at, foot - 0.56 * height, 0.055 * width, 0.56 * height)
            canvas.paint((at - 0.05, tall - 0.03, at + 0.05, foot), chimney, light * (0.55, 0.33, 0.27), lit=0.1)
        around = (x - half_bottom, foot - height, x + half_bottom, foot + 0.045 * width)
        shade = box(x, foot + 0.02 * width, half_bottom - 0.06 * width, 0.025 * width)
        canvas.paint(around, shade, walls * light * 0.72)
        around = (x - half_bottom, foot - height, x + half_bottom, foot + 0.01)
        canvas.paint(around, gable(x, foot - height, foot, half_top, half_bottom), roof * light, lit=0.16)

    if kind == "house":  # its gable towards the viewer
        half, top = 0.42 * width, 0.50 * width
        sloping(u, v - top, 0.46 * width, 0.0, 0.54 * width, 0.27 * width)
        wall(u, half, top)
        front = gable(u, v - top - 0.34 * width, v - top + 0.005, 0.0, 0.42 * width)
        canvas.paint((u - half, v - top - 0.36 * width, u + half, v - top + 0.005), front, walls * light, lit=0.1)
        window(u, v - top - 0.06 * width, 0.07 * width, 0.075 * width)
        window(u - 0.25 * width, v - 0.27 * width, 0.075 * width, 0.085 * width)
        window(u + 0.25 * width, v - 0.27 * width, 0.075 * width, 0.085 * width)
        door(u, 0.075 * width, 0.24 * width)
    elif kind == "cottage":  # long and low, its eaves towards the viewer
        top = 0.34 * width
        wall(u, 0.48 * width, top)
        sloping(u, v - top, 0.34 * width, 0.36 * width, 0.56 * width, 0.24 * width)
        door(u - flip * 0.05 * width, 0.07 * width, 0.18 * width)
        window(u - flip * 0.31 * width, v - 0.18 * width, 0.075 * width, 0.07 * width)
        window(u + flip * 0.25 * width, v - 0.18 * width, 0.1 * width, 0.07 * width)
    else:  # a chapel: a nave and a tower with a pointed roof
        nave, tower = u + flip * 0.14 * width, u - flip * 0.28 * width
        wall(nave, 0.34 * width, 0.34 * width)
        sloping(nave, v - 0.34 * width, 0.30 * width, 0.27 * width, 0.40 * width, None)
        wall(tower, 0.17 * width, 0.66 * width)
        sloping(tower, v - 0.66 * width, 0.44 * width, 0.0, 0.23 * width, None)
        window(tower, v - 0.48 * width, 0.055 * width, 0.075 * width)
        door(tower, 0.075 * width, 0.2 * width)
        for x in (0.02, 0.28):
            window(u + flip * x * width, v - 0.17 * width, 0.055 * width, 0.08 * width)


def paint_fence(canvas: Canvas, ground: str, u: float, v: float, pickets: int) -> None:
    """Boards with pointed tops, on two rails."""
    colour = np.array((0.60, 0.40, 0.27) if ground == "snow" else (0.97, 0.95, 0.90)) * (0.2 + 0.8 * canvas.light)
    step, half, tall = 0.066, 0.019, 0.125
    left, right = u - 0.03, u + step * (pickets - 1) + 0.03
    for rail in (0.032, 0.08):
        bar = box((left + right) / 2, v - rail, (right - left) / 2, 0.014)
        canvas.paint((left, v - rail - 0.03, right, v - rail + 0.03), bar, colour * 0.86)
    for i in range(pickets):
        x = u + step * i
        board = union(box(x, v - tall / 2, half, tall / 2), gable(x, v - tall - 0.026, v - tall + 0.002, 0.0, half))
        canvas.paint((x - 0.03, v - tall - 0.04, x + 0.03, v + 0.01), board, colour, lit=0.05)


def paint_path(canvas: Canvas, rng: np.random.Generator, ground: str, u: float, v: float) -> None:
    """From the lower edge to (u, v), narrower the further away."""
    colour = np.array((0.80, 0.66, 0.46) if ground != "snow" else (0.66, 0.60, 0.58)) * canvas.light
    colour = colour * 0.9 if ground == "yellow field" else colour
    start, bend = np.clip(u + rng.uniform(-0.3, 0.3), 0.15, 0.85), rng.uniform(-0.1, 0.1)

    def shape(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        near = np.clip((y - v) / (1 - v), 0, 1)
        middle = u + (start - u) * near**1.4 + bend * np.sin(2 * np.pi * near) * near
        return np.maximum(abs(x - middle) - (0.026 + 0.085 * near**1.2), v - y)

    canvas.paint((0, v - 0.01, 1, 1), shape, colour, lit=0.06)


def paint_lake(canvas: Canvas, rng: np.random.Generator, time: str, shore: np.ndarray) -> None:
    """Below the shore the picture is its own mirror image, bluer and gently rippled."""
    level = float(shore.mean())
    depth = np.clip(canvas.axis[:, None] - level, 0, None)
    rows = level - 0.92 * depth + np.zeros_like(shore)
    shift = 0.0045 * np.sin(2 * np.pi * (np.sqrt(depth) * 10 + rng.random())) * np.clip(depth * 12, 0, 1)
    v = np.clip((rows * canvas.size).astype(int), 0, canvas.size - 1)
    u = np.clip(((canvas.axis[None] + shift) * canvas.size).astype(int), 0, canvas.size - 1)
    water = np.array([0.30, 0.56, 0.76]) * canvas.light
    fade = np.clip(0.34 + 0.9 * depth, 0, 0.75)[..., None]
    canvas.below(shore - 0.012, canvas.light * (0.78, 0.70, 0.56), 0.9)  # a rim of sand
    canvas.below(shore, (1 - fade) * canvas.pixels[v, u] + fade * water)


def paint_boat(canvas: Canvas, rng: np.random.Generator, u: float, v: float, width: float) -> None:
    """A sailing boat and its reflection; `width` of the hull."""
    colour = np.array(((0.70, 0.25, 0.20), (0.45, 0.30, 0.20))[rng.integers(2)]) * canvas.light
    flip = 1 if rng.random() < 0.5 else -1
    sail, wood = ((0.15 + 0.85 * canvas.light) * (0.98, 0.95, 0.88)), canvas.light * (0.40, 0.28, 0.20)
    at, foot = u - flip * 0.04 * width, v - 0.24 * width  # of the mast
    big = both(gable(at, v - width, foot, 0.0, 0.46 * width), beside(at + flip * 0.012, -flip))
    small = both(gable(at, v - 0.86 * width, foot, 0.0, 0.32 * width), beside(at - flip * 0.012, flip))

    def hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        side = (abs(x - u) - 0.5 * width + 0.9 * (y - v + 0.18 * width)) * 0.74
        return np.maximum(side, abs(y - v + 0.09 * width) - 0.09 * width)

    around = (u - 0.6 * width, v - 1.2 * width, u + 0.6 * width, v + 1.2 * width)
    mast = box(at, v - 0.55 * width, 0.012, 0.47 * width)
    for sign, opacity in ((-1, 0.38), (1, 1.0)):  # the reflection first
        for shape, paint in ((mast, wood), (big, sail), (small, 0.9 * sail), (hull, colour)):
            canvas.paint(around, lambda x, y, s=sign, shape=shape: shape(x, v + s * (y - v)), paint, opacity)


def draw(seed: int, size: int = 256) -> Scene:
    """One landscape and its caption, the same for the same seed.

    Args:
        seed: any non-negative integer; `HELD_OUT` and above are kept for measuring.
        size: width and height in pixels.
    """
    rng = np.random.default_rng(seed)
    attributes = choose(rng)
    caption = describe(rng, attributes)
    time, horizon = attributes["time"], rng.uniform(0.46, 0.54)
    _, haze, light = (np.array(c, np.float32) for c in TIMES[time])
    sun = 0.5 + (rng.uniform(0.12, 0.35) if rng.random() < 0.5 else -rng.uniform(0.12, 0.35))
    canvas = Canvas(size, float(np.clip((sun - 0.5) * 3, -1, 1)), light)
    paint_sky(canvas, rng, attributes, horizon, sun)
    if "clouds" in attributes:
        paint_clouds(canvas, rng, time, horizon, sun)
    if "birds" in attributes:
        paint_birds(canvas, rng, time, horizon)
    if "mountains" in attributes:
        paint_mountains(canvas, rng, attributes["mountains"].startswith("snowy"), haze, horizon)
        paint_fog(canvas, rng, haze, horizon + 0.02, 0.75 if "fog" in attributes else 0.35)

    ground = np.array(GROUNDS[attributes["ground"]], np.float32) * light
    rolling = {"green hills": 0.05, "snow": 0.035, "yellow field": 0.014}[attributes["ground"]]
    texture = 0.022 * wash(rng, size, 8, 14) + 0.009 * wash(rng, size, 18, 36)
    sunny = np.exp(-np.square((canvas.axis - sun) / 0.5))[None, :, None]
    for step, shade, distance in ((0.0, 0.82, 0.35), (0.07, 0.93, 0.15), (0.16, 1.0, 0.0)):  # from far to near
        line = horizon + step + waves(rng, canvas.axis, (1, 2, 3), rolling)
        depth = np.clip(canvas.axis[:, None] - line, 0, 1)
        tone = shade * (1.08 - 0.28 * np.clip(depth * 3, 0, 1) + texture)[..., None] * (0.95 + 0.1 * sunny)
        canvas.below(line, (1 - distance) * ground * tone + distance * haze)
        if "fog" in attributes and step < 0.1:
            paint_fog(canvas, rng, haze, horizon + step + 0.065, 0.8 - 4 * step)

    with_lake = "lake" in attributes
    level = rng.uniform(0.72, 0.77) if with_lake else 1.0
    house_at = rng.uniform(0.24, 0.76)
    things: list[tuple[float, Callable, tuple]] = []
    near = level - 0.03 if with_lake else 0.84
    if "house" in attributes:
        v = rng.uniform(horizon + 0.15, near)
        width = rng.uniform(0.22, 0.26) + 0.3 * (v - horizon - 0.15)
        lit, snow = time in ("night", "sunset"), attributes["ground"] == "snow"
        things.append((v, paint_house, (attributes["house"], lit, snow, rng.random() < 0.5, house_at, v, width)))
    if "path" in attributes:  # to the door, or over the hill
        u = house_at if things else rng.uniform(0.3, 0.7)
        paint_path(canvas, rng, attributes["ground"], u, things[0][0] - 0.01 if things else float(line[int(u * size)]))
    if "trees" in attributes:
        places = [
            x
            for x in rng.permutation([0.08, 0.25, 0.42, 0.58, 0.75, 0.92]).tolist()
            if not things or abs(x - house_at) > 0.22
        ]
        for place in places[: rng.integers(2, 5)]:
            v = rng.uniform(horizon + 0.13, near)
            height = rng.uniform(0.26, 0.31) + 0.35 * (v - horizon - 0.13)
            tint = rng.uniform(-0.15, 0.2)
            things.append((v, paint_tree, (attributes["trees"], tint, place + rng.uniform(-0.05, 0.05), v, height)))
    if "fence" in attributes:
        v, pickets = (near if with_lake else rng.uniform(0.84, 0.92)), int(rng.integers(5, 9))
        u = rng.uniform(0.03, 0.12) if rng.random() < 0.5 else rng.uniform(0.95, 1.0) - 0.066 * pickets
        things.append((v + 0.005, paint_fence, (attributes["ground"], u, v, pickets)))
    for _, paint, arguments in sorted(things, key=lambda thing: thing[0]):
        paint(canvas, *arguments)
    if with_lake:
        paint_lake(canvas, rng, time, level + waves(rng, canvas.axis, (1, 2), 0.012))
    if "boat" in attributes:
        width = rng.uniform(0.22, 0.3)
        u = rng.uniform(0.18, 0.82)
        if "house" in attributes and abs(u - house_at) < 0.3:  # leave the house in sight
            u = house_at + (0.3 if house_at < 0.5 else -0.3)
        paint_boat(canvas, rng, u, rng.uniform(level + 0.1, 0.94), width)
    canvas.pixels += 0.006 * rng.standard_normal((size, size, 1), np.float32)  # a little grain: flat areas do not band
    return Scene(np.clip(canvas.pixels, 0, 1), caption, attributes)
