"""The demo model that is in training: its scenes, and that what is trained narrow is what the host computes."""

import numpy as np
import pytest
import torch

from comfyui_host import in_process

in_process.start()

from demo_model.networks import LATENT_SCALE, tokenize  # noqa: E402
from demo_model.next.autoencoder import Autoencoder  # noqa: E402
from demo_model.next.fit import Fit  # noqa: E402
from demo_model.next.latents import vocabulary  # noqa: E402
from demo_model.next.scenes import HELD_OUT, draw  # noqa: E402


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    model = Autoencoder()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.01 * torch.randn_like(weight)  # so that no layer is the identity
    return model


@pytest.fixture(scope="module")
def pictures():
    return torch.from_numpy(np.stack([draw(HELD_OUT + i, 64).image for i in range(4)])).movedim(-1, 1)


def test_a_scene_is_a_function_of_its_seed():
    first, second = draw(3), draw(3)
    assert first.image.shape == (256, 256, 3) and 0 <= first.image.min() and first.image.max() <= 1
    assert np.array_equal(first.image, second.image) and first[1:] == second[1:]
    assert not np.array_equal(first.image, draw(4).image)


@pytest.mark.parametrize("seed", range(20))
def test_a_caption_names_only_what_is_there(seed: int):
    scene = draw(seed, 32)
    named = scene.caption.removeprefix("a landscape with ").split(", ") if scene.caption else []
    assert set(named) <= set(scene.attributes.values())
    assert len(named) == len(set(named))


def test_the_vocabulary_holds_every_word_of_a_caption():
    captions = [draw(seed, 8).caption for seed in range(HELD_OUT, HELD_OUT + 100)]
    assert set(tokenize(captions).unique().tolist()) <= set(vocabulary().tolist())


def test_the_host_computes_what_was_trained(autoencoder, pictures):
    host = autoencoder.widened(LATENT_SCALE)
    with torch.inference_mode():
        latents = autoencoder.encode(pictures)
        assert torch.allclose(host.encode(2 * pictures - 1) * LATENT_SCALE, latents, atol=1e-4)
        made = (host.decode(latents / LATENT_SCALE) + 1) / 2
        assert torch.allclose(made, autoencoder.decode(latents), atol=1e-4)


def test_levelled_latents_have_the_wanted_deviation_and_decode_to_almost_the_same(pictures):
    autoencoder = Autoencoder()
    with torch.inference_mode():
        before = autoencoder.encode(pictures)
        made = autoencoder.decode(before)
        autoencoder.level(before.mean(dim=(0, 2, 3)), before.std(dim=(0, 2, 3)), 0.8)
        after = autoencoder.encode(pictures)
        assert torch.allclose(after.std(dim=(0, 2, 3)), torch.tensor(0.8), atol=1e-3)
        assert torch.allclose(after.mean(dim=(0, 2, 3)), torch.tensor(0.0), atol=1e-3)
        assert (autoencoder.decode(after) - made).abs().mean() < 0.03  # the clamp saturates elsewhere


def test_training_goes_on_where_it_ended(tmp_path):
    def trained(sittings: int) -> torch.Tensor:
        torch.manual_seed(0)
        path = tmp_path / f"{sittings}.pt"
        for sitting in range(sittings):
            fit = Fit(path, torch.nn.Linear(3, 3), rate=1e-2)

            def loss(step: int, fit: Fit = fit, last: int = 6 * (sitting + 1) // sittings - 1) -> torch.Tensor:
                fit.ended = step == last
                return fit.model(torch.randn(8, 3)).square().mean()

            fit.run(loss, batch=8, minutes=1, finish=False)
        assert fit.step == 6 and fit.pictures == 48
        return fit.average.module.weight

    assert torch.allclose(trained(1), trained(2), atol=1e-2)
    assert torch.load(tmp_path / "2.pt", weights_only=True)["average"]["n_averaged"] == 6
