"""Does the small model paint what its prompt says? Each attribute of a caption against a property of the pixels.

    python demo_model control      prints the table of demo_model/README.md

Samples as a user makes them: the host's stock loader, text encoder and KSampler, dpmpp_2m, karras, 20 steps, CFG 4, an
empty negative prompt. The prompts are those of scenes never trained on, every attribute named.
"""

from collections import Counter

import numpy as np
import torch

from comfyui_host import in_process, install

from .measure import sample
from .properties import observe
from .scenes import HELD_OUT, draw

SAMPLES, BATCH = 200, 25


def count(pictures: np.ndarray, attributes: list[dict[str, str]]) -> Counter:
    """How often each (attribute, kind) that was asked for is seen."""
    seen = Counter()
    for picture, wanted in zip(pictures, attributes, strict=True):
        found = observe(picture, wanted["time"], wanted["ground"])
        seen.update((name, text) for name, text in wanted.items() if found.get(name) == text)
    return seen


def table(attributes: list[dict[str, str]], *columns: Counter) -> str:
    """A row an attribute: how often it was asked for, the share of each column that shows it, the kind least obeyed."""
    asked = Counter(item for wanted in attributes for item in wanted.items())
    lines = ["| attribute | asked | drawn scenes | decoded scenes | samples | worst kind |", "|---" * 6 + "|"]
    for name in dict.fromkeys(name for name, _ in asked):
        kinds = [item for item in asked if item[0] == name]
        total = sum(asked[item] for item in kinds)
        shares = " | ".join(f"{sum(column[item] for item in kinds) / total:.1%}" for column in columns)
        worst = min(kinds, key=lambda item: columns[-1][item] / asked[item])
        lines.append(f"| {name} | {total} | {shares} | {worst[1]}: {columns[-1][worst] / asked[worst]:.0%} |")
    return "\n".join(lines)


def main() -> None:
    host = in_process.start()
    scenes = [draw(HELD_OUT + i) for i in range(SAMPLES)]
    attributes = [scene.attributes for scene in scenes]
    captions = [", ".join(wanted.values()) for wanted in attributes]
    images = np.stack([scene.image for scene in scenes])
    with torch.inference_mode():
        model, clip, vae = host.nodes.CheckpointLoaderSimple().load_checkpoint(install.SMALL_MODEL.name)
        rebuilt, samples = [], []
        for start in range(0, SAMPLES, BATCH):
            chunk = slice(start, start + BATCH)
            rebuilt.append(vae.decode(vae.encode(torch.from_numpy(images[chunk]))))
            samples.append(sample(model, clip, vae, captions[chunk], seed=start))
    pictures = (images, torch.cat(rebuilt).numpy(), torch.cat(samples).numpy())
    print(table(attributes, *(count(some, attributes) for some in pictures)))
