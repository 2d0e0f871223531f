"""The gallery with the demo model that is in training (demo_model/next), to see whether it can take version 2's place.

    python demo next_gallery      draws demo/out/next_gallery.png

When it does, these tasks take the place of those in gallery.py.
"""

from dataclasses import dataclass

import torch

from comfyui_host import in_process
from demo_model.next.measure import CHECKPOINT
from demo_model.next.scenes import HELD_OUT, draw

from .gallery import Painter, Task, sheet


@dataclass(frozen=True)
class NextTask(Task):
    """A task on one of the new model's scenes, 256x256."""

    def picture(self) -> torch.Tensor:
        return torch.from_numpy(draw(HELD_OUT + self.scene).image)[None]


TASKS = (
    NextTask("remove an object", 59, ((96, 120, 200, 224),), "dawn, green hills, snowy mountains"),
    NextTask("replace an object", 574, ((108, 112, 188, 204),), "day, snow, sun, blue house"),
    NextTask("another sky", 99, ((0, 0, 256, 110),), "day, clouds, green hills, autumn trees, red chapel"),
    NextTask("half a picture", 201, ((128, 0, 256, 256),), "sunset, lake, yellow field, mountains, autumn trees, boat"),
    NextTask("widen the view", 258, ((40, 56, 216, 216),), "sunset, snow, mountains, red house, sun", kept=True),
    NextTask(
        "mend scratches",
        156,
        tuple((u, 0, u + 8, 256) for u in (28, 100, 164, 228)),
        "day, sun, yellow field, snowy mountains, round trees, blue cottage, lake, boat",
        cells=0,
        ramp=4,
    ),
)


def main() -> None:
    host = in_process.start()
    host.folder_paths.add_model_folder_path("checkpoints", str(CHECKPOINT.parent))
    out = in_process.ROOT / "demo" / "out"
    out.mkdir(exist_ok=True)
    sheet(Painter(CHECKPOINT.name), TASKS).save(out / "next_gallery.png", optimize=True)
    print("demo/out/next_gallery.png")
