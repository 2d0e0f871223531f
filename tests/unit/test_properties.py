"""What `control.py` measures in a sample is right where the truth is known: in the drawn scenes."""

from collections import Counter

import pytest

from demo_model.properties import observe
from demo_model.scenes import HELD_OUT, draw


@pytest.fixture(scope="module")
def read():
    """For each attribute: how many of 60 scenes are read right, things that are not there included."""
    right: Counter[str] = Counter()
    for seed in range(60):
        scene = draw(HELD_OUT + 5000 + seed)
        wanted = scene.attributes
        seen = observe(scene.image, wanted["time"], wanted["ground"])
        names = ("time", "ground", "light", "clouds", "mountains", "trees", "house", "lake")
        right.update(name for name in names if seen.get(name) == wanted.get(name))
    return right


@pytest.mark.parametrize("attribute", ["time", "ground", "light", "clouds", "mountains", "trees", "house", "lake"])
def test_an_attribute_is_read_right_in_nine_of_ten_scenes(read, attribute):
    assert read[attribute] >= 54
