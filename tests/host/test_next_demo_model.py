"""The demo's model: what is trained narrow is what the host computes, and training can be resumed."""

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


@pytest.fixture(scope="module")
def pictures():
    return torch.from_numpy(np.stack([draw(HELD_OUT + i, 64).image for i in range(4)])).movedim(-1, 1)


def test_the_vocabulary_holds_every_word_of_a_caption():
    captions = [draw(seed, 8).caption for seed in range(HELD_OUT, HELD_OUT + 100)]
    assert set(tokenize(captions).unique().tolist()) <= set(vocabulary().tolist())


@torch.inference_mode()
def test_the_host_computes_what_was_trained(pictures):
    torch.manual_seed(0)
    autoencoder = Autoencoder()
    for weight in autoencoder.parameters():
        weight += 0.01 * torch.randn_like(weight)  # so that no layer is the identity
    host, latents = autoencoder.widened(LATENT_SCALE), autoencoder.encode(pictures)
    assert torch.allclose(host.encode(2 * pictures - 1) * LATENT_SCALE, latents, atol=1e-4)
    made = (host.decode(latents / LATENT_SCALE) + 1) / 2
    assert torch.allclose(made, autoencoder.decode(latents), atol=1e-4)


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
