"""What a preview shows, and that it stays small."""

import pytest
import torch

from latent_repaint.pixels.preview import MAX_FRAMES, MAX_PIXELS, REGENERATED, draw_mask


def test_kept_cells_show_the_picture_and_the_others_a_colour():
    cells = torch.tensor([[[0.0, 0.5, 1.0]]])
    drawn = draw_mask(cells, torch.zeros(1, 8, 24, 3))[0]
    assert not drawn[:, :8].any() and (drawn[:, 8:, 0] > 0.4).all()
    assert drawn[:, 16:, 1].max() < 0.25 < drawn[:, 8:16, 1].max()
    assert drawn[0, 16].tolist() == pytest.approx(REGENERATED)


@pytest.mark.parametrize(
    ("frames", "grid", "size"), [(1, (1024, 1024), (8192, 8192)), (21, (90, 160), (720, 1280)), (3, (4, 4), (32, 32))]
)
def test_a_preview_is_bounded_and_loses_no_cell(frames, grid, size):
    cells = torch.zeros(frames, *grid)
    cells[-1, 1, 2] = 1
    picture = torch.zeros(1, 1, 1, 1).expand(frames, *size, 3)  # without the memory
    drawn = draw_mask(cells, picture)
    assert len(drawn) == min(frames, MAX_FRAMES) and drawn[0, ..., 0].numel() <= MAX_PIXELS
    assert drawn.shape[1] / drawn.shape[2] == pytest.approx(size[0] / size[1], rel=0.01)
    assert drawn[-1].any()  # the first and the last frame are among those drawn


def test_a_picture_fewer_than_the_cells_in_time_is_shown_again():
    pictures = torch.stack([torch.full((16, 16, 3), value) for value in (0.2, 0.8)])
    drawn = draw_mask(torch.zeros(5, 2, 2), pictures)
    assert drawn[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.2, 0.2, 0.8, 0.8])
