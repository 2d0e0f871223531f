"""What can be seen in a landscape: for each attribute of `scenes.py` a simple property that is measured on the pixels.

Each asks which of a few colours, as `scenes.py` mixes them, the pixels of one region are nearest to. They work on drawn
scenes, on reconstructions and on samples alike; `control.py` prints how often they are right on scenes.
"""

import numpy as np

from .scenes import GROUNDS, HOUSES, TIMES, TREES

Picture = np.ndarray
DISCS = {"day": (1, 0.95, 0.45), "night": (0.95, 0.95, 0.85), "sunset": (1, 0.85, 0.4), "dawn": (1, 0.85, 0.4)}
"""The colour of the sun, or of the moon."""


def band(picture: Picture, top: float, bottom: float) -> Picture:
    """The rows between two heights, 0 being the upper edge and 1 the lower one."""
    size = len(picture)
    return picture[round(top * size) : round(bottom * size)]


def smooth(picture: Picture, side: int) -> Picture:
    """Means over all squares of so many pixels that fit into the picture."""
    total = np.pad(picture.astype(np.float64), ((1, 0), (1, 0), (0, 0))).cumsum(0).cumsum(1)
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side**2


def nearest(pixels: Picture, colours: list[np.ndarray]) -> np.ndarray:
    """Which of the colours each pixel is nearest to, (H, W); a colour is (3,), or (H, 1, 3) where it varies by row."""
    return np.argmin([np.linalg.norm(pixels - np.asarray(colour), axis=-1) for colour in colours], axis=0)


def sky_at(time: str, rows: np.ndarray) -> Picture:
    """The cloudless sky at heights `rows`, (n, 1, 3)."""
    top, low, _ = (np.array(colour) for colour in TIMES[time])
    return (top + (low - top) * np.clip(rows / 0.54, 0, 1)[:, None])[:, None]


def light_of(time: str) -> np.ndarray:
    return np.array(TIMES[time][2])


def time_of_day(picture: Picture) -> str:
    """The sky: the colour of its upper third, taken as the median of each row so that clouds and sun do not count."""
    rows = np.median(band(picture, 0, 0.35), axis=1)
    heights = 0.35 * (np.arange(len(rows)) + 0.5) / len(rows)
    return min(TIMES, key=lambda time: np.abs(rows - sky_at(time, heights)[:, 0]).mean())


def ground(picture: Picture, time: str) -> str:
    """The median colour of the near slope, above where a lake begins."""
    colour = np.median(band(picture, 0.6, 0.7), axis=(0, 1))
    return min(GROUNDS, key=lambda kind: np.linalg.norm(colour - 0.95 * light_of(time) * np.array(GROUNDS[kind])))


def has_light(picture: Picture, time: str) -> bool:
    """Sun or moon: somewhere in the sky a patch of its colour."""
    patches = smooth(band(picture, 0, 0.52), 5)
    near = {"day": 0.3, "night": 0.45}.get(time, 0.2)
    return bool(np.linalg.norm(patches - np.array(DISCS[time]), axis=-1).min() < near)


def has_clouds(picture: Picture, time: str) -> bool:
    """In the upper sky, some patches of a cloud's colour."""
    low = np.array(TIMES[time][1])
    if time == "night":  # the moon's halo passes through the colours between sky and cloud, but nowhere stays there
        sky = smooth(band(picture, 0.02, 0.34), 5)
        return bool((np.linalg.norm(sky - (low + 0.12), axis=-1) < 0.09).mean() > 0.035)
    sky = smooth(band(picture, 0.02, 0.3), 3)
    clear = sky_at(time, 0.02 + 0.28 * (np.arange(len(sky)) + 1.5) / (len(sky) + 2))
    cloud, sun = 0.9 * (0.55 + 0.45 * low) + 0.1 * clear, np.array((1, 0.93, 0.5))
    return bool((nearest(sky, [clear, cloud, sun, (clear + sun) / 2]) == 1).mean() > 0.015)


def mountains(picture: Picture, time: str, kind: str) -> str:
    """What stands over the horizon: "", "mountains" or "snowy mountains", by their colours."""
    light, low = light_of(time), np.array(TIMES[time][1])
    rock = 0.75 * np.array([0.42, 0.42, 0.52]) * light + 0.25 * low
    snow = np.array([0.96, 0.97, 1]) * (0.2 + 0.8 * light)
    hills = [shade * np.array(GROUNDS[kind]) * light for shade in (0.8, 0.95)]
    foot = band(picture, 0.42, 0.48)
    kinds = nearest(foot, [sky_at(time, np.full(len(foot), 0.45)), rock, snow, *hills])
    if (kinds == 1).mean() < 0.15:
        return ""
    peaks = band(picture, 0.33, 0.42)
    sky, disc = sky_at(time, np.linspace(0.33, 0.42, len(peaks))), np.array(DISCS[time])
    kinds = nearest(peaks, [sky, rock, snow, disc, (sky + disc) / 2])
    return "snowy mountains" if (kinds == 2).mean() > 0.04 else "mountains"


def has_lake(picture: Picture, time: str, kind: str) -> bool:
    """The lowest rows: bare ground, or the same ground seen in water."""
    light = light_of(time)
    bare = 0.95 * np.array(GROUNDS[kind]) * light
    water = 0.62 * bare + 0.38 * np.array([0.18, 0.42, 0.68]) * light
    colour = np.median(band(picture, 0.84, 0.99), axis=(0, 1))
    return bool(np.linalg.norm(colour - water) < np.linalg.norm(colour - bare))


def house(picture: Picture, time: str) -> str:
    """The kind of house, "" for none: the colour below the place that looks most like a roof."""
    light = light_of(time)
    roof = np.linalg.norm((picture - np.array([0.36, 0.2, 0.16]) * light) / light, axis=-1) < 0.14
    side, top = len(picture) // 16, round(0.4 * len(picture))
    score = smooth(roof[top:, :, None], side)[..., 0]
    y, x = np.unravel_index(score.argmax(), score.shape)
    if score[y, x] < 0.6:
        return ""
    walls = picture[top + y + side : top + y + 3 * side, max(x - side // 2, 0) : x + 3 * side // 2] / light
    return min(HOUSES, key=lambda kind: np.median(np.linalg.norm(walls - np.array(HOUSES[kind]), axis=-1)))


def trees(picture: Picture, time: str, kind: str) -> str:
    """The kind of trees, "" for none: patches of their leaves' colour that the ground does not have."""
    light = light_of(time)
    patches = smooth(band(picture, 0.45, 0.8), 5) / light
    share = {}
    for name, colour in TREES.items():
        leaves = np.linalg.norm(patches - np.array(colour), axis=-1)
        share[name] = (leaves < (0.05 if (name, kind) == ("round trees", "green hills") else 0.13)).mean()
    best = max(share, key=share.get)
    return best if share[best] > 0.01 else ""


def observe(picture: Picture, time: str, kind_of_ground: str) -> dict[str, str]:
    """All that can be seen, in the form of `scenes.choose`.

    Args:
        picture: (H, W, 3) in [0, 1].
        time: of day, as it should be: it says which colours to look for.
        kind_of_ground: likewise.
    """
    seen = {
        "time": time_of_day(picture),
        "ground": ground(picture, time),
        "light": ("moon" if time == "night" else "sun") if has_light(picture, time) else "",
        "clouds": "clouds" if has_clouds(picture, time) else "",
        "mountains": mountains(picture, time, kind_of_ground),
        "trees": trees(picture, time, kind_of_ground),
        "house": house(picture, time),
        "lake": "lake" if has_lake(picture, time, kind_of_ground) else "",
    }
    return {name: text for name, text in seen.items() if text}
