"""A mask on the latent's grid: no stroke lost, video frames where a causal VAE puts them."""

import pytest
import torch

from latent_repaint.pixels.latent_grid import mask_to_grid, of_latent_rank

IMAGE = torch.Size((1, 4, 8, 8))


def test_methods_on_one_cell():
    mask = torch.zeros(1, 64, 64)
    mask[0, :8, :4] = 1
    methods = ("max", "area", "mean", "nearest", "min")
    shares = {m: mask_to_grid(mask, IMAGE, m, soft_mask=True)[0, 0, 0].item() for m in methods}
    assert shares == {"max": 1.0, "area": 0.5, "mean": 0.5, "nearest": 0.0, "min": 0.0}
    assert [mask_to_grid(mask, IMAGE, m)[0, 0, 0].item() for m in methods] == [1, 1, 1, 0, 0]


def test_grey_is_painted_whole_unless_the_mask_is_soft():
    """The mask editor's brush of .7, the rim of a stroke, a video's black of 16 and a resaved file's of 1."""
    mask = torch.zeros(1, 64, 64)
    mask[0, 0, 0], mask[0, 0, 8], mask[0, 0, 16:24], mask[0, 8:] = 0.7, 26 / 255, 16 / 255, 1 / 255
    assert mask_to_grid(mask, IMAGE)[0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert not mask_to_grid(mask, IMAGE)[0, 1:].any()
    soft = mask_to_grid(mask, IMAGE, soft_mask=True)
    assert soft[0, 0].tolist() == pytest.approx([0.7, 26 / 255, 0, 0, 0, 0, 0, 0]) and not soft[0, 1:].any()


def test_a_cell_is_painted_by_its_share_where_more_than_a_tenth_is_white():
    mask = torch.zeros(1, 64, 64)
    mask[0, 0, :6], mask[0, 0, 8:15] = 0.3, 0.3  # 6 and 7 of 64 pixels: below a tenth, and above it
    assert mask_to_grid(mask, IMAGE, "area")[0, 0, :3].tolist() == [0, 1, 0]
    shares = mask_to_grid(mask, IMAGE, "area", soft_mask=True)[0, 0, :3].tolist()
    assert shares == pytest.approx([0.3 * 6 / 64, 0.3 * 7 / 64, 0])
    tenth = torch.zeros(1, 80, 80)
    tenth[0, 0, :10] = 1  # of 100 pixels: not more than a tenth
    assert not mask_to_grid(tenth, IMAGE, "area").any()


def test_expansion_is_in_cells_and_square():
    mask = torch.zeros(1, 64, 64)
    mask[0, 32, 32] = 1
    cells = mask_to_grid(mask, IMAGE, mask_expand_cells=2)
    assert cells[0, 2:7, 2:7].eq(1).all() and cells.sum() == 25


def test_filter_drops_what_is_faint():
    mask = torch.full((1, 64, 64), 0.2)
    mask[0, 0, 0] = 0.3
    assert mask_to_grid(mask, IMAGE, mask_hipass_filter=0.25, soft_mask=True).sum() == pytest.approx(0.3)
    assert mask_to_grid(mask, IMAGE, mask_hipass_filter=0.25).sum() == 1


def test_a_mask_drawn_at_another_size_covers_the_same_place():
    mask = torch.zeros(1, 100, 100)
    mask[0, 50:, 50:] = 1
    cells = mask_to_grid(mask, IMAGE)
    assert cells[0, 4:, 4:].eq(1).all() and cells.sum() == 16


def test_masks_of_a_batch_of_single_frames_are_a_batch():
    """Whatever the VAE's temporal ratio says: two masks would else be two frames of one video, the second lost."""
    mask = torch.zeros(2, 32, 32)
    mask[1] = 1
    latent = torch.Size((4, 16, 1, 4, 4))
    cells = mask_to_grid(mask, latent, temporal_ratio=4)
    assert cells[:, 0, 0].tolist() == [0, 1] and of_latent_rank(cells, latent).shape == (2, 1, 1, 4, 4)


def test_one_mask_serves_all_frames_and_temporal_methods_differ():
    latent = torch.Size((1, 16, 3, 4, 4))
    assert mask_to_grid(torch.ones(1, 32, 32), latent).eq(1).all()
    mask = torch.zeros(9, 32, 32)
    mask[1] = 1
    for soft, mean in ((True, 0.25), (False, 1.0)):
        found = [mask_to_grid(mask, latent, temporal_method=m, soft_mask=soft)[1, 0, 0] for m in ("max", "mean", "min")]
        assert found == [1.0, mean, 0.0]


@pytest.mark.parametrize(
    ("mask", "latent", "message"),
    [
        (torch.ones(4), IMAGE, "found shape"),
        (torch.ones(1, 1, 64, 64), IMAGE, "found shape"),
        (torch.full((1, 64, 64), float("nan")), IMAGE, "NaN"),
        (torch.ones(2, 64, 64), torch.Size((3, 4, 8, 8)), "batch of 2"),
        (torch.ones(8, 32, 32), torch.Size((1, 16, 3, 4, 4)), "8 frames for 3 latent frames"),
    ],
)
def test_bad_masks_are_refused(mask, latent, message):
    with pytest.raises(ValueError, match=message):
        mask_to_grid(mask, latent)


def test_the_mask_is_not_written_to():
    mask = torch.rand(1, 64, 64)
    before = mask.clone()
    mask_to_grid(mask, IMAGE, "max", 1, 0.5)
    assert torch.equal(mask, before)
