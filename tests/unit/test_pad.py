"""Padding to a VAE's ratio, and its inverse."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_repaint.pixels.pad import pad_to_multiple, reflected, unpad

sides = st.integers(1, 1500)
ratios = st.sampled_from([1, 2, 4, 8, 16, 32, 42, 64])


@given(sides, sides, ratios)
@settings(max_examples=40)
def test_unpad_is_the_inverse_of_padding(height, width, ratio):
    image = torch.arange(height * width, dtype=torch.float32).view(1, height, width, 1)
    padded = pad_to_multiple(image, ratio)
    assert padded.shape[1] % ratio == 0 and padded.shape[2] % ratio == 0
    assert 0 <= padded.shape[1] - height < ratio and 0 <= padded.shape[2] - width < ratio
    assert torch.equal(unpad(padded, height, width), image)


def test_padding_mirrors_without_repeating_the_edge():
    image = torch.tensor([10.0, 20, 30, 40, 50]).view(1, 1, 5)
    assert pad_to_multiple(image, 8)[0, 4].tolist() == [20, 10, 20, 30, 40, 50, 40, 30]


@given(sides, st.integers(-5000, 5000), st.integers(0, 300))
def test_reflection_is_even_about_both_ends_however_far(size, start, length):
    index = reflected(size, start, start + length)
    mirrored = [position % max(2 * (size - 1), 1) for position in range(start, start + length)]
    assert index.tolist() == [p if p < size else 2 * (size - 1) - p for p in mirrored]
