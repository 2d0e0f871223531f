import numpy as np
import pytest

from demo_model.scenes import HELD_OUT, TIMES, draw

SEEDS = (0, 1, 2, HELD_OUT, HELD_OUT + 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [64, 128])
def test_a_scene_is_a_picture_in_range(seed: int, size: int):
    image = draw(seed, size).image
    assert image.shape == (size, size, 3) and image.dtype == np.float32
    assert 0 <= image.min() and image.max() <= 1
    assert image.std() > 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_gives_one_scene(seed: int):
    first, second = draw(seed), draw(seed)
    assert np.array_equal(first.image, second.image)
    assert first[1:] == second[1:]


def test_seeds_give_different_scenes():
    pictures = {draw(seed, 32).image.tobytes() for seed in range(50)}
    assert len(pictures) == 50


def test_a_scene_is_the_same_at_any_size():
    large, small = draw(3, 128).image, draw(3, 64).image
    assert np.abs(large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)) - small).mean() < 0.02


@pytest.mark.parametrize("seed", range(20))
def test_a_caption_names_only_what_is_there(seed: int):
    scene = draw(seed, 32)
    named = scene.caption.removeprefix("a landscape with ").split(", ") if scene.caption else []
    assert set(named) <= set(scene.attributes.values())
    assert len(named) == len(set(named))


def test_every_time_of_day_has_its_own_light():
    brightness: dict[str, list[float]] = {time: [] for time in TIMES}
    for seed in range(60):
        scene = draw(seed, 32)
        brightness[scene.attributes["time"]].append(float(scene.image.mean()))
    assert max(brightness["night"]) < np.mean(brightness["day"])
