"""Pictures and masks that come from a workflow: taken as they are, scaled, repeated, or refused in words."""

from unittest.mock import patch

import pytest
import torch
from pictures import random

from latent_repaint.checks import check_image, check_latent, check_mask, match_batches, scaling_note


def test_batches_repeat_in_order_or_are_refused():
    a, b = match_batches(a=torch.arange(6.0).view(6, 1), b=torch.tensor([[0.0], [10.0], [20.0]]))
    assert b[:, 0].tolist() == [0, 10, 20, 0, 10, 20] and len(a) == 6
    with pytest.raises(ValueError, match="input b: found a batch of 4, wanted one that divides 6"):
        match_batches(a=torch.zeros(6, 1), b=torch.zeros(4, 1))


def test_one_mask_serves_all_frames_of_a_long_video():
    video, mask = torch.zeros(1, 1, 1, 1).expand(5000, 512, 512, 3), torch.zeros(1, 1, 1).expand(1, 512, 512)
    with patch.object(torch.Tensor, "repeat", lambda x, *times: x.expand(times[0], *x.shape[1:])):  # without the memory
        assert match_batches(image=video, mask=mask)[1].shape == (5000, 512, 512)


def test_half_precision_and_boolean_masks_become_float32_exactly():
    image = random(1, 8, 9, 3).half()
    assert check_image("image", image).dtype == torch.float32 and torch.equal(check_image("image", image).half(), image)
    assert check_mask("mask", random(1, 8, 9) < 0.5, image).unique().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("shape, size", [((40, 50), (80, 100)), ((80, 100), (40, 50)), ((683, 1024), (512, 768))])
def test_a_mask_of_the_same_aspect_is_scaled(shape, size):
    image = torch.zeros(1, *size, 3)
    mask = torch.zeros(1, *shape)
    mask[:, shape[0] // 2, ::3] = 1  # a dashed line, one pixel thin
    scaled = check_mask("mask", mask, image)
    assert scaled.shape == (1, *size) and scaled.unique().tolist() == [0, 1]
    for y, x in mask[0].nonzero().tolist():
        rows, columns = (
            slice(int(at * n / m), int(-(-(at + 1) * n // m))) for at, n, m in zip((y, x), size, shape, strict=True)
        )
        assert scaled[0, rows, columns].any()
    soft = check_mask("mask", 0.2 + 0.4 * random(1, *shape), image)
    assert soft.mean() == pytest.approx(0.4, abs=0.01) and 0.2 <= soft.min() and soft.max() <= 0.6
    assert scaling_note("mask", mask, image) == (
        f"The mask was scaled from {shape[1]}x{shape[0]} pixels to {size[1]}x{size[0]} pixels, the size of the picture."
    )
    assert scaling_note("mask", scaled, image) == scaling_note("mask", torch.zeros(1, 64, 64), image) == ""


def test_a_mask_of_one_value_fits_every_picture():
    image = torch.zeros(1, 8, 9, 3)
    assert torch.equal(check_mask("mask", torch.zeros(1, 64, 64), image), torch.zeros(1, 8, 9))
    with pytest.raises(ValueError, match="found 64x64 pixels"):
        check_mask("mask", torch.ones(1, 64, 64), image)
    assert torch.equal(check_mask("mask", torch.ones(8, 9), image), torch.ones(1, 8, 9))


def test_what_is_faint_is_black_and_what_is_beyond_white_is_white():
    """A resaved file's black of 1, a video's of 16, and what a person can see."""
    image = torch.zeros(1, 1, 6, 3)
    mask = torch.tensor([[[1, 16, 25, 26, -3, 300]]]) / 255
    before = mask.clone()
    assert torch.equal(check_mask("mask", mask, image), torch.tensor([[[0, 0, 0, 26 / 255, 0, 1]]]))
    assert torch.equal(mask, before)
    assert not check_mask("mask", torch.full((1, 64, 64), 16 / 255), image).any()  # nothing, so of any size
    assert scaling_note("mask", torch.full((1, 2, 8), 16 / 255), image) == ""


@pytest.mark.parametrize(
    "odd, named",
    [
        (lambda x: x.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: x.to("meta"), "meta"),
    ],
)
def test_tensors_that_torch_cannot_compute_with_are_named(odd, named):
    for check in (
        lambda x: check_image("it", x),
        lambda x: check_mask("it", x[..., 0] if named != "sparse" else x.to_dense()[..., 0].to_sparse(), x),
        lambda x: check_latent({"samples": x}, "it"),
    ):
        with pytest.raises(ValueError, match=rf"input it: found a tensor that is .*{named}.*wanted one of float32"):
            check(odd(torch.rand(1, 8, 9, 3)))
