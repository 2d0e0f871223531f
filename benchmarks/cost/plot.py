"""How the samplers' own work grows, one panel for each thing that is varied."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

COLOURS = {"host": "#7f7f7f", "Blend predicted": "#17a2a2", "RePaint 1/2": "#ff7f0e", "Match 1": "#d62728"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 360, 300, 54, 34, 20, 40


def plot(curves: dict[str, dict[str, list[tuple[float, float]]]], path: Path) -> None:
    """Milliseconds an evaluation outside the model over the varied value, which is drawn in logarithm."""
    picture = Image.new("RGB", (WIDTH * len(curves), HEIGHT + 36), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    highest = max(y for lines in curves.values() for line in lines.values() for _, y in line)
    for i, (what, lines) in enumerate(curves.items()):
        values = [x for x, _ in next(iter(lines.values()))]
        span = math.log(values[-1] / values[0])

        def at(x: float, y: float, i: int = i, first: float = values[0], span: float = span) -> tuple[float, float]:
            u = math.log(x / first) / span
            return (i * WIDTH + LEFT + u * (WIDTH - LEFT - RIGHT), TOP + (1 - y / highest) * (HEIGHT - TOP - BOTTOM))

        draw.text((i * WIDTH + LEFT, 8), f"ms an evaluation, by {what}", "black", font)
        for k in range(5):
            y = highest * k / 4
            draw.line([at(values[0], y), at(values[-1], y)], "#dddddd")
            draw.text((at(values[0], y)[0] - 6, at(values[0], y)[1]), f"{y:.1f}", "black", font, anchor="rm")
        for x in values:
            draw.text((at(x, 0)[0], at(x, 0)[1] + 8), f"{x:g}", "black", font, anchor="mt")
        for name, line in lines.items():
            draw.line([at(*point) for point in line], COLOURS[name], 3)
    x = LEFT
    for name, colour in COLOURS.items():
        draw.line([(x, HEIGHT + 16), (x + 24, HEIGHT + 16)], colour, 4)
        draw.text((x + 30, HEIGHT + 16), name, "black", font, anchor="lm")
        x += 60 + int(draw.textlength(name, font))
    picture.save(path, optimize=True)
