"""What replaces the masked content before encoding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import images, masks, random, sizes

from latent_repaint.pixels.fill import FILLS, fill_masked, membrane
from latent_repaint.pixels.region import Work


@given(st.data(), st.integers(1, 2), sizes(), st.sampled_from([3, 4]), st.sampled_from(FILLS))
def test_known_pixels_keep_every_bit_and_inputs_are_not_touched(data, batch, size, channels, method):
    image, mask = data.draw(images(batch, *size, channels)), data.draw(masks(batch, *size))
    before = image.clone(), mask.clone()
    filled = fill_masked(image, mask, method)
    assert filled.shape == image.shape and torch.isfinite(filled).all()
    assert filled.min() >= 0 and filled.max() <= 1
    assert torch.equal(filled[mask == 0], image[mask == 0])
    assert torch.equal(image, before[0]) and torch.equal(mask, before[1])


@pytest.mark.parametrize("method", FILLS)
def test_masked_content_leaves_no_trace_but_with_the_fill_original(method):
    image, mask = random(1, 60, 70, 3), torch.zeros(1, 60, 70)
    mask[:, 20:45, 30:70] = 1
    other = torch.where(mask[..., None] > 0, 1 - image, image)
    filled = fill_masked(image, mask, method)
    assert torch.equal(filled, fill_masked(other, mask, method)) == (method != "original")
    assert torch.equal(filled, image) == (method == "original")
    assert (filled[mask > 0] == 0.5).all() == (method == "neutral")


def test_noise_has_the_known_pixels_mean_and_spread():
    image, mask = 0.5 + 0.05 * torch.randn(1, 200, 200, 3), torch.zeros(1, 200, 200)
    image[..., 0] += 0.2
    mask[:, 50:150, 50:150] = 1
    image[mask > 0] = 0
    hole = fill_masked(image, mask, "noise")[mask > 0]
    assert torch.allclose(hole.mean(0), torch.tensor([0.7, 0.5, 0.5]), atol=0.01)
    assert torch.allclose(hole.std(0), torch.tensor(0.05), atol=0.005)


@pytest.mark.parametrize("method", FILLS)
def test_a_picture_in_a_batch_is_filled_as_it_is_alone(method):
    image, mask = random(3, 40, 50, 3), torch.zeros(3, 40, 50)
    mask[0, 5:20, 5:20], mask[1, 30:, 10:40], mask[2] = 1, 1, 0
    batch = fill_masked(image, mask, method)
    for k in range(3):
        assert torch.equal(batch[k : k + 1], fill_masked(image[k : k + 1], mask[k : k + 1], method))


def test_a_soft_mask_keeps_the_share_that_it_does_not_mask():
    image, mask = torch.zeros(1, 32, 32, 3), torch.full((1, 32, 32), 0.25)
    assert torch.allclose(fill_masked(image, mask, "neutral"), torch.tensor(0.125))


V, U = torch.meshgrid(torch.arange(90) / 90, torch.arange(100) / 100, indexing="ij")


@pytest.mark.parametrize(
    ("harmonic", "hole"),
    [
        (0.3 * (U - V), (slice(20, 60), slice(25, 70))),
        (U**2 - (V * 0.9) ** 2, (slice(20, 60), slice(25, 70))),
        (0.6 * U, (slice(0, 90), slice(30, 50))),  # borders mirror
    ],
)
def test_membrane_is_the_solution_of_laplaces_equation(harmonic, hole):
    """What has no curvature on its grid is its own membrane."""
    known = torch.ones(90, 100, dtype=torch.bool)
    known[hole] = False
    error = (membrane(harmonic[None, None], known[None, None])[0, 0] - harmonic)[hole].abs()
    assert error.max() < 0.02  # of a range of 0.4 or more


@given(st.integers(1, 1500), st.integers(1, 40), st.floats(0, 1))
@settings(max_examples=30)
def test_membrane_stays_between_its_extremes(height, width, share):
    values = random(1, 2, height, width)
    known = random(1, 1, height, width, seed=1) < share
    u = membrane(values, known)
    assert torch.equal(u[known.expand_as(u)], values[known.expand_as(u)])
    if known.any():
        kept = values[known.expand_as(u)]
        assert u.min() >= kept.min() - 1e-5 and u.max() <= kept.max() + 1e-5
    else:
        assert not u.any()


@pytest.mark.parametrize("method", ["diffuse", "neutral", "noise"])
def test_cancel_is_asked_before_each_picture_and_on_each_level_of_a_membrane(method):
    image, mask = random(3, 100, 120, 3), torch.zeros(3, 100, 120)
    mask[:, 20:80, 20:80] = 1
    asked = []
    whole = fill_masked(image, mask, method, Work(None, lambda: asked.append(1)))
    assert torch.equal(whole, fill_masked(image, mask, method)) and len(asked) >= (20 if method == "diffuse" else 3)

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fill_masked(image, mask, method, Work(None, stop))
