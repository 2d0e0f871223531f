"""The drawn landscapes that the demo's models learn from."""

import numpy as np
import pytest

from demo_model import scenes
from demo_model.next import scenes as next_scenes

both = pytest.mark.parametrize("room", [scenes, next_scenes])


@both
def test_a_scene_is_a_function_of_its_seed_at_any_size(room):
    first, second = room.draw(3), room.draw(3)
    assert first.image.dtype == np.float32 and 0 <= first.image.min() and first.image.max() <= 1
    assert np.array_equal(first.image, second.image) and first[1:] == second[1:]
    assert len({room.draw(seed, 32).image.tobytes() for seed in (0, 1, 2, room.HELD_OUT, room.HELD_OUT + 1)}) == 5
    small = room.draw(3, len(first.image) // 2).image
    means = first.image.reshape(len(small), 2, len(small), 2, 3).mean(axis=(1, 3))
    assert np.abs(means - small).mean() < 0.02


@both
def test_a_caption_names_only_what_is_there(room):
    for seed in range(20):
        scene = room.draw(seed, 32)
        named = scene.caption.removeprefix("a landscape with ").split(", ") if scene.caption else []
        assert set(named) <= set(scene.attributes.values()) and len(named) == len(set(named))
