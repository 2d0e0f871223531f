"""Kriging: right for a stationary field, and silent where there is nothing to say."""

import pytest
import torch

from latent_repaint.samplers.mathematics.kriging import Kriging, has_fourier


def field(shape, reach, seed=0):
    """A smooth periodic field of about unit variance; neighbours up to `reach` cells apart are alike."""
    noise = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(seed))
    for axis, side in enumerate(shape, 2):
        lag = torch.arange(side).float()
        kernel = torch.exp(-0.5 * (torch.minimum(lag, side - lag) / reach) ** 2)
        spectrum = torch.fft.fft(kernel).view(-1, *[1] * (noise.ndim - 1 - axis))
        noise = torch.fft.ifft(torch.fft.fft(noise, dim=axis) * spectrum, dim=axis).real
    return noise / noise.std()


def missing(shape):
    known = torch.ones(shape, dtype=torch.bool)
    known[tuple(slice(side // 2 - 2, side // 2 + 2) for side in shape)] = False
    return known


@pytest.mark.parametrize("shape", [(96,), (32, 48), (8, 32, 32)], ids=["audio", "picture", "video"])
@pytest.mark.parametrize("signal", [0.0, 0.5])
def test_a_residual_goes_on_beyond_the_edge_as_the_picture_does(shape, signal):
    picture, known = field(shape, reach=6.0), missing(shape)
    extended = Kriging(picture, known).extended(picture, known, torch.tensor(signal))
    hole = ~known.expand(picture.shape)
    assert not extended[~hole].any()
    assert (extended - picture)[hole].square().mean() < 0.3 * picture[hole].square().mean()


def test_it_is_the_exact_solution_where_the_field_is_known():
    """W_uk W_kk^-1 r by dense algebra, with the spectrum that was found and enough steps."""
    picture, known, signal = field((12, 12), reach=3.0), missing((12, 12)), 0.8
    kriging = Kriging(picture, known)
    kept = kriging.spectrum / (1 + kriging.spectrum * signal**2)
    unit = torch.eye(known.numel()).view(-1, 1, 12, 12)
    extended = kriging.extended(picture, known, torch.tensor(signal))
    k = known.flatten()
    for b in range(2):
        for c in range(3):
            dense = kriging.back(kept[b, c] * kriging.forth(unit)).flatten(1).double()
            r = picture[b, c].flatten().double()[k]
            exact = dense[~k][:, k] @ torch.linalg.solve(dense[k][:, k], r)
            assert (extended[b, c].flatten()[~k] - exact).square().mean() < 0.1 * exact.square().mean()


def test_one_known_cell_says_nothing_and_unknown_cells_are_never_read():
    known = torch.tensor([[True, False]])
    y = torch.tensor([[[[0.9, 5.0]]]])
    assert Kriging(y, known).extended(y, known, torch.tensor(0.5)).abs().max() < 1e-6
    picture, hole = field((16, 16), reach=3.0), missing((16, 16))
    changed = torch.where(hole, picture, 99.0)
    torch.testing.assert_close(
        Kriging(picture, hole).extended(picture, hole, torch.tensor(0.5)),
        Kriging(changed, hole).extended(changed, hole, torch.tensor(0.5)),
    )


@pytest.mark.parametrize("known", [True, False], ids=["all known", "none known"])
def test_nothing_to_do_is_nothing_done(known):
    y = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    everywhere = torch.full((8, 8), known)
    assert not Kriging(y, everywhere).extended(y, everywhere, torch.tensor(0.5)).any()
    assert not Kriging(y, missing((8, 8))).extended(torch.zeros_like(y), missing((8, 8)), torch.tensor(0.5)).any()


def test_each_picture_and_channel_for_itself():
    picture, known = field((24, 24), reach=4.0), missing((24, 24))
    together = Kriging(picture, known).extended(picture, known, torch.tensor(0.5))
    for b in range(2):
        for c in range(3):
            alone = picture[b : b + 1, c : c + 1]
            torch.testing.assert_close(
                together[b : b + 1, c : c + 1], Kriging(alone, known).extended(alone, known, torch.tensor(0.5)),
                atol=1e-5, rtol=1e-4,
            )  # fmt: skip


def test_a_device_without_fourier_transforms_is_found_out(monkeypatch):
    def without(*args):
        raise NotImplementedError("Could not run 'aten::_fft_r2c'")

    assert has_fourier(torch.device("cpu"))
    monkeypatch.setattr(torch.fft, "rfft", without)
    assert not has_fourier(torch.device("cpu"))


def test_a_large_flat_picture_stays_within_half_precision():
    """Its spectrum is one mode with all of the power."""
    picture, known = torch.full((1, 1, 400, 400), 10.0), missing((400, 400))
    extended = Kriging(picture, known).extended(picture, known, torch.tensor(0.5))
    torch.testing.assert_close(extended[..., ~known], torch.full((1, 1, 16), 10.0), atol=1.0, rtol=0)
