"""The levels of the forward process, and the noise that is drawn for them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from model_sampling import Sampling

from latent_repaint.samplers.mathematics.noise_level import NoiseLevel, full_noise
from latent_repaint.samplers.mathematics.seeds import derive_seed, image_seeds

FAMILIES = {
    "exploding": lambda s: NoiseLevel(1.0, s),
    "preserving": lambda s: NoiseLevel((1 + s * s) ** -0.5, s * (1 + s * s) ** -0.5),
    "flow": lambda s: NoiseLevel(1 - s, s),
}


@pytest.mark.parametrize("family", FAMILIES)
@given(low=st.floats(0.02, 0.5), more=st.floats(0.01, 0.45))
def test_a_jump_after_a_level_is_the_noisier_level(family, low, more):
    """Variances add up: (A a_s, A^2 b_s^2 + B^2) are the coefficients of the level jumped to."""
    start, stop = FAMILIES[family](low), FAMILIES[family](low + more)
    scale, spread = start.transition(stop)
    assert scale * start.a == pytest.approx(stop.a, rel=1e-6)
    assert (scale * start.b) ** 2 + spread**2 == pytest.approx(stop.b**2, rel=1e-6)


def test_a_jump_to_a_cleaner_level_is_refused():
    with pytest.raises(ValueError, match="no forward transition"):
        NoiseLevel(1.0, 2.0).transition(NoiseLevel(1.0, 1.0))


def test_pure_noise_can_only_stay_what_it_is():
    assert NoiseLevel(0.0, 1.0).transition(NoiseLevel(0.0, 2.0)) == (2.0, 0.0)
    with pytest.raises(ValueError, match="no forward transition"):
        NoiseLevel(0.0, 1.0).transition(NoiseLevel(0.1, 0.9))


def test_noise_is_found_again():
    x_0, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    level = NoiseLevel(0.6, 0.8)
    torch.testing.assert_close(level.noise_in(level.add_noise(x_0, noise), x_0), noise)


@pytest.mark.parametrize(("sigma_max", "wanted"), [(10.0, 0.15), (1000.0, 0.05)])
def test_a_state_with_half_again_the_signal_of_the_noisiest_level_is_pure_noise(sigma_max, wanted):
    assert full_noise(Sampling(sigma_max)) == pytest.approx(wanted)


def test_an_image_has_the_same_seed_in_a_batch_and_alone_and_no_other_has_it():
    noise, latent = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(3)), torch.zeros(3, 4, 8, 8)
    together = image_seeds(3, noise, latent)
    assert together == [image_seeds(3, noise[k : k + 1], latent[k : k + 1])[0] for k in range(3)]
    assert len(set(together)) == 3


def test_without_noise_the_latent_tells_images_apart():
    latent = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert len(set(image_seeds(0, torch.zeros_like(latent), latent))) == 2


def test_derived_seeds_depend_on_order():
    assert derive_seed(1, 2) != derive_seed(2, 1)
